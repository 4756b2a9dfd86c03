// Conditions on measured rows, as --where states them: "dtype=fp8", "m>=512", "gpu!=h100-sxm".
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gpuplan::calibrate {

struct Condition {
  enum class Comparison { equal, not_equal, less, at_most, more, at_least };
  std::string field;
  Comparison comparison = Comparison::equal;
  std::string value;    // as written
  double number = 0.0;  // `value`, where the comparison orders

  // Whether a row holds it whose texts are `key` and whose numbers are `shape`. A row without the field does
  // not, whatever the comparison; texts are equal or not, numbers compare.
  [[nodiscard]] bool holds(const std::map<std::string, std::string>& key,
                           const std::vector<std::pair<std::string_view, double>>& shape) const;
};

// Reads FIELD=VALUE, !=, <, <=, > or >=. Throws InputError with the path `where` (an order needs a number).
Condition read_condition(const std::string& text, const std::string& where);

}  // namespace gpuplan::calibrate

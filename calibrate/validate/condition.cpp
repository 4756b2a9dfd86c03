#include "calibrate/validate/condition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "hwmodels/json/problem.h"

namespace gpuplan::calibrate {

namespace {

using Comparison = Condition::Comparison;

// The longer ones first, for "<" begins "<=".
constexpr std::array<std::pair<std::string_view, Comparison>, 6> kSigns = {{{"!=", Comparison::not_equal},
                                                                            {"<=", Comparison::at_most},
                                                                            {">=", Comparison::at_least},
                                                                            {"=", Comparison::equal},
                                                                            {"<", Comparison::less},
                                                                            {">", Comparison::more}}};

std::optional<double> number_in(const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

bool compare(double a, Comparison comparison, double b) {
  switch (comparison) {
    case Comparison::equal:
      return a == b;
    case Comparison::not_equal:
      return a != b;
    case Comparison::less:
      return a < b;
    case Comparison::at_most:
      return a <= b;
    case Comparison::more:
      return a > b;
    case Comparison::at_least:
      return a >= b;
  }
  return false;
}

}  // namespace

bool Condition::holds(const std::map<std::string, std::string>& key,
                      const std::vector<std::pair<std::string_view, double>>& shape) const {
  const auto dimension =
      std::find_if(shape.begin(), shape.end(), [&](const auto& entry) { return entry.first == field; });
  if (dimension != shape.end()) {
    const std::optional<double> wanted = number_in(value);
    return wanted && compare(dimension->second, comparison, *wanted);
  }
  const auto text = key.find(field);
  if (text == key.end()) {
    return false;
  }
  if (comparison == Comparison::equal || comparison == Comparison::not_equal) {
    return (text->second == value) == (comparison == Comparison::equal);
  }
  const std::optional<double> found = number_in(text->second);
  return found && compare(*found, comparison, number);
}

Condition read_condition(const std::string& text, const std::string& where) {
  const std::size_t at = text.find_first_of("!<=>");
  if (at != std::string::npos && at > 0) {
    for (const auto& [sign, comparison] : kSigns) {
      if (text.compare(at, sign.size(), sign) == 0) {
        Condition condition{text.substr(0, at), comparison, text.substr(at + sign.size()), 0.0};
        const std::optional<double> number = number_in(condition.value);
        if (!number && comparison != Comparison::equal && comparison != Comparison::not_equal) {
          throw InputError(Problem{where, "\"" + condition.value + "\"", "a number to compare with", ""});
        }
        condition.number = number.value_or(0.0);
        return condition;
      }
    }
  }
  throw InputError(Problem{where, "\"" + text + "\"", "FIELD=VALUE, or !=, <, <=, >, >= in place of =", ""});
}

}  // namespace gpuplan::calibrate

// An axis of a sweep: a field of the scenario and the values that it takes.
//
//   path=a,b,c            a list; each value is JSON where it parses as JSON, else a string
//   path=[...]            a JSON list, for values that are objects or hold commas
//   path=lo:hi:n[:log]    n values from lo to hi, evenly or in equal ratios; integers where both ends are
//   path=lo:hi[:log]      a range to draw samples from (--sample)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/json/value.h"

namespace gpuplan::sweep {

// Ends of a range, both inside.
struct Range {
  double low = 0.0, high = 1.0;
  bool log = false;      // equal ratios instead of equal steps; low > 0
  bool integer = false;  // whole numbers only
  // The value at `place` in [0, 1] of the way; of integers the nearest.
  [[nodiscard]] json::Value at(double place) const;
  // The value for a random `place` in (0, 1): integers are equally likely, both ends too (log: each interval
  // of +-1/2 around them by its share of the logarithm).
  [[nodiscard]] json::Value draw(double place) const;
  bool operator==(const Range&) const = default;
};

struct Axis {
  std::string path;
  std::vector<json::Value> values;  // in order; none where a range has no count
  std::optional<Range> range;       // where it was given as one
};

// Reads what `--vary` takes. InputError where it is malformed, a value comes twice, or a range of integers
// holds fewer than n.
Axis parse_axis(const std::string& text);

}  // namespace gpuplan::sweep

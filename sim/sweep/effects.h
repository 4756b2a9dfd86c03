// The effect of each axis alone: what a metric becomes when one axis runs over its values and all others stay
// at the middle of theirs (one factor at a time; it sees no interaction).
#pragma once

#include <string>
#include <vector>

#include "sim/sweep/table.h"

namespace gpuplan::sweep {

struct AxisEffect {
  std::size_t axis = 0;
  // The lowest and the highest value of the metric along the axis, and the axis' value at each.
  double low = 0.0, high = 0.0;
  json::Value at_low, at_high;
  std::size_t without = 0;  // values of the axis at which there is no number
};
struct Effects {
  std::size_t middle = 0;        // the point whose axes all stand at value (n - 1) / 2, rounded down
  double value = 0.0;            // of the metric there
  std::vector<AxisEffect> axes;  // the widest first
};

// InputError where the sweep is a sample (axes move together there), or the middle point has no number.
Effects effects_of(const SweepTable& table, const std::string& metric);

}  // namespace gpuplan::sweep

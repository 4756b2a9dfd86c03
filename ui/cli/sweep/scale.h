// A direction of a plot: where a number lies between its ends, and the round numbers to mark.
#pragma once

#include <vector>

namespace gpuplan::cli {

class Scale {
 public:
  // Spans `values` with a little room around them; equal ratios look equal where `log` (all > 0).
  Scale(const std::vector<double>& values, bool log, double room = 0.04);
  // 0 at the low end, 1 at the high end.
  [[nodiscard]] double place(double value) const;
  // The number at a place.
  [[nodiscard]] double value(double place) const;
  // Marks at multiples of 1, 2 or 5 times a power of ten (log: at 1, 2, 5 or 1, 3 or 1 times a power of ten),
  // about `wanted` of them.
  [[nodiscard]] std::vector<double> marks(int wanted) const;

 private:
  double low_ = 0.0, high_ = 1.0;  // logarithms where log_
  bool log_ = false;
};

}  // namespace gpuplan::cli

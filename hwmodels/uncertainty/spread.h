// Three points of a distribution, and the distribution that three points stand for.
#pragma once

#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan {

// The 90th percentile of the standard normal distribution.
inline constexpr double kNormal90 = 1.2815515655446004;

// The middle 80 % of a result.
struct Spread {
  double p10 = 0.0, p50 = 0.0, p90 = 0.0;
};
template <class V>
void describe(V& v, Spread& s) {
  v.field("p10", s.p10, "tenth percentile");
  v.field("p50", s.p50, "median");
  v.field("p90", s.p90, "ninetieth percentile");
}

// Percentiles of a sample by linear interpolation between order statistics; it is sorted in place. All zero
// where it is empty.
Spread spread_of(std::vector<double>& sample);

// The value at `deviation` standard deviations from the median of what has these percentiles: low, mid and
// high at -kNormal90, 0 and kNormal90. Two half distributions that meet at the median, log-normal where all
// three are positive (a price or an area errs by a factor), else normal. The shape is an assumption; the
// three points are all that sources say.
double split_distribution(double low, double mid, double high, double deviation);

}  // namespace gpuplan

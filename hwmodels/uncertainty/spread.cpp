#include "hwmodels/uncertainty/spread.h"

#include <algorithm>
#include <cmath>

namespace gpuplan {

Spread spread_of(std::vector<double>& sample) {
  if (sample.empty()) {
    return {};
  }
  std::sort(sample.begin(), sample.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(sample.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sample.size() - 1);
    const double share_above = place - static_cast<double>(below);
    if (share_above == 0.0 || sample[below] == sample[above]) {  // ends may be infinite
      return sample[below];
    }
    return sample[below] + share_above * (sample[above] - sample[below]);
  };
  return {.p10 = at(0.1), .p50 = at(0.5), .p90 = at(0.9)};
}

double split_distribution(double low, double mid, double high, double deviation) {
  const double share = deviation / kNormal90;
  if (share == 0.0 || low == high) {
    return mid;
  }
  if (low > 0.0 && mid > 0.0 && high > 0.0) {
    return mid * std::pow(share < 0.0 ? mid / low : high / mid, share);
  }
  return mid + share * (share < 0.0 ? mid - low : high - mid);
}

}  // namespace gpuplan

#include "hwmodels/silicon/uncertain.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace gpuplan::silicon {

namespace {

constexpr double kNormal99 = 2.3263478740408408;

}  // namespace

double Uncertain::at(double score) const {
  const double step = std::clamp(score, -kNormal99, kNormal99) / kNormal90;
  if (step == 0.0 || low == high) {
    return mid;
  }
  if (low > 0.0) {
    return mid * std::pow(step < 0.0 ? mid / low : high / mid, step);
  }
  return std::max(0.0, mid + step * (step < 0.0 ? mid - low : high - mid));
}

Spread spread_of(std::vector<double>& samples) {
  assert(!samples.empty());
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(samples.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, samples.size() - 1);
    if (samples[below] == samples[above]) {  // also where both are infinite
      return samples[below];
    }
    return samples[below] + (place - static_cast<double>(below)) * (samples[above] - samples[below]);
  };
  return {.p10 = at(0.1), .p50 = at(0.5), .p90 = at(0.9)};
}

}  // namespace gpuplan::silicon

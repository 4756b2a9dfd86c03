#include "ui/cli/sweep/scale.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::cli {

Scale::Scale(const std::vector<double>& values, bool log, double room) {
  if (values.empty()) {
    return;
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  log_ = log && *low > 0.0;
  low_ = log_ ? std::log10(*low) : *low;
  high_ = log_ ? std::log10(*high) : *high;
  // All alike: some room around them.
  const double span = high_ > low_ ? high_ - low_ : std::max(1e-12, log_ ? 0.1 : 0.1 * std::abs(high_));
  const double extra = high_ > low_ ? room * span : span;
  low_ -= extra;
  high_ += extra;
}

double Scale::place(double value) const {
  const double at = log_ ? std::log10(value) : value;
  return (at - low_) / (high_ - low_);
}

double Scale::value(double place) const {
  const double at = low_ + place * (high_ - low_);
  return log_ ? std::pow(10.0, at) : at;
}

std::vector<double> Scale::marks(int wanted) const {
  std::vector<double> out;
  if (log_) {
    const double decades = high_ - low_;
    const std::vector<double> digits = decades * 3.0 <= wanted + 2   ? std::vector{1.0, 2.0, 5.0}
                                       : decades * 2.0 <= wanted + 2 ? std::vector{1.0, 3.0}
                                                                     : std::vector{1.0};
    const double step = std::max(1.0, std::ceil(decades / (wanted + 2)));
    for (double power = std::floor(low_); power <= high_; power += step) {
      for (const double digit : digits) {
        const double at = power + std::log10(digit);
        if (at >= low_ && at <= high_) {
          out.push_back(std::pow(10.0, power) * digit);
        }
      }
    }
    return out;
  }
  const double rough = (high_ - low_) / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double digit = rough / power;
  const double step = power * (digit <= 1.0 ? 1.0 : digit <= 2.0 ? 2.0 : digit <= 5.0 ? 5.0 : 10.0);
  for (double i = std::ceil(low_ / step); i * step <= high_; i += 1.0) {
    out.push_back(i * step + 0.0);  // never -0
  }
  return out;
}

}  // namespace gpuplan::cli

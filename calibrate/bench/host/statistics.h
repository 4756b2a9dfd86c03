// Statistics of repeated measurements: the median is the value, p10 and p90 its spread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace gpubench {

struct Summary {
  double median = std::numeric_limits<double>::quiet_NaN();
  double p10 = std::numeric_limits<double>::quiet_NaN();
  double p90 = std::numeric_limits<double>::quiet_NaN();
  int repeats = 0;
};

// Quantile q in [0, 1] of ascending values, linear between the two neighbours of position q (n - 1).
inline double quantile(const std::vector<double>& ascending, double q) {
  if (ascending.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double position = std::min(1.0, std::max(0.0, q)) * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  return ascending[below] + (position - std::floor(position)) * (ascending[above] - ascending[below]);
}

inline Summary summarise(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {quantile(samples, 0.5), quantile(samples, 0.1), quantile(samples, 0.9),
          static_cast<int>(samples.size())};
}

// `work` done in each of `seconds`, as rates: the quantiles of a rate are not those of the time mirrored.
inline std::vector<double> rates(double work, const std::vector<double>& seconds) {
  std::vector<double> result;
  result.reserve(seconds.size());
  for (double s : seconds) result.push_back(work / s);
  return result;
}

// Error of `value` relative to `reference`, as the ratio of Euclidean norms. NaN anywhere gives NaN.
inline double relative_error(const std::vector<double>& value, const std::vector<double>& reference) {
  if (value.size() != reference.size()) return std::numeric_limits<double>::quiet_NaN();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    difference += (value[i] - reference[i]) * (value[i] - reference[i]);
    norm += reference[i] * reference[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

}  // namespace gpubench

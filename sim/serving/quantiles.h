// Distributions of a run: exact ones for per-request figures, a fine logarithmic histogram for per-token
// ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace gpuplan::sim {

// Keeps every value; quantiles interpolate linearly between order statistics (as NumPy's default does).
class Samples {
 public:
  void add(double value) {
    values_.push_back(value);
    sorted_ = false;
  }
  [[nodiscard]] std::size_t count() const { return values_.size(); }
  [[nodiscard]] double mean() const {
    double sum = 0.0;
    for (const double v : values_) {
      sum += v;
    }
    return values_.empty() ? 0.0 : sum / static_cast<double>(values_.size());
  }
  // q in [0, 1]; 0 when empty.
  [[nodiscard]] double quantile(double q) {
    if (values_.empty()) {
      return 0.0;
    }
    if (!sorted_) {
      std::sort(values_.begin(), values_.end());
      sorted_ = true;
    }
    const double position = q * static_cast<double>(values_.size() - 1);
    const std::size_t low = static_cast<std::size_t>(position);
    const std::size_t high = std::min(low + 1, values_.size() - 1);
    return values_[low] + (position - static_cast<double>(low)) * (values_[high] - values_[low]);
  }

 private:
  std::vector<double> values_;
  bool sorted_ = true;
};

// Counts of positive values in bins 0.1 % wide from 1 ns to 10^5 s; quantiles are exact to half a bin.
class LogHistogram {
 public:
  void add(double value, double weight = 1.0) {
    const double clamped = std::max(value, kLeast);
    const std::size_t bin = static_cast<std::size_t>(std::log(clamped / kLeast) * kBinsPerE);
    if (bin >= bins_.size()) {
      bins_.resize(bin + 1);
    }
    bins_[bin] += weight;
    total_ += weight;
    sum_ += value * weight;
  }
  [[nodiscard]] double count() const { return total_; }
  [[nodiscard]] double mean() const { return total_ > 0.0 ? sum_ / total_ : 0.0; }
  [[nodiscard]] double quantile(double q) const {
    const double wanted = q * total_;
    double seen = 0.0;
    for (std::size_t i = 0; i < bins_.size(); ++i) {
      seen += bins_[i];
      if (bins_[i] > 0.0 && seen >= wanted) {
        return kLeast * std::exp((static_cast<double>(i) + 0.5) / kBinsPerE);
      }
    }
    return 0.0;
  }

 private:
  static constexpr double kLeast = 1e-9;
  static constexpr double kBinsPerE = 1000.0;
  std::vector<double> bins_;
  double total_ = 0.0, sum_ = 0.0;
};

}  // namespace gpuplan::sim

#include "sim/sweep/pareto.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::sweep {

namespace {

bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) {
      return false;
    }
    better = better || a[i] < b[i];
  }
  return better;
}

}  // namespace

std::vector<std::size_t> pareto_set(std::span<const std::vector<double>> values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::none_of(values[i].begin(), values[i].end(), [](double v) { return std::isnan(v); })) {
      order.push_back(i);
    }
  }
  // In lexicographic order nothing is dominated by what comes after it.
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<std::size_t> front;
  for (const std::size_t i : order) {
    if (std::none_of(front.begin(), front.end(),
                     [&](std::size_t j) { return dominates(values[j], values[i]); })) {
      front.push_back(i);
    }
  }
  std::sort(front.begin(), front.end());
  return front;
}

}  // namespace gpuplan::sweep

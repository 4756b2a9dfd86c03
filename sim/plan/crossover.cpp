#include "sim/plan/crossover.h"

#include <algorithm>

namespace gpuplan::sim {

namespace {

// Values from `first` to `last` at which one alternative leads.
struct Segment {
  std::size_t leader = 0, first = 0, last = 0;
};

std::vector<Segment> segments_of(const std::vector<std::optional<std::size_t>>& leaders) {
  std::vector<Segment> out;
  for (std::size_t i = 0; i < leaders.size(); ++i) {
    if (!leaders[i]) {
      continue;
    }
    if (!out.empty() && out.back().leader == *leaders[i]) {
      out.back().last = i;
    } else {
      out.push_back({*leaders[i], i, i});
    }
  }
  return out;
}

bool is_clear(const Segment& of, std::size_t before, const std::vector<std::vector<double>>& costs,
              double clear) {
  for (std::size_t i = of.first; i <= of.last; ++i) {
    if (costs[i][before] >= (1.0 + clear) * costs[i][of.leader]) {
      return true;
    }
  }
  return false;
}

std::optional<double> zero_between(std::optional<double> low, std::optional<double> high, double ahead,
                                   double behind) {
  if (!low || !high || !std::isfinite(ahead) || !std::isfinite(behind) || ahead == behind) {
    return std::nullopt;
  }
  const double share = std::clamp(ahead / (ahead - behind), 0.0, 1.0);
  return *low > 0.0 && *high > 0.0 ? *low * std::pow(*high / *low, share) : *low + share * (*high - *low);
}

// Where the ratio of the costs of two leaders changes sides, between the last value of one and the first of
// the other.
Crossing crossing_of(const Segment& a, const Segment& b, const std::vector<std::optional<double>>& values,
                     const std::vector<std::vector<double>>& costs) {
  const auto ratio = [&](std::size_t i) { return std::log(costs[i][a.leader] / costs[i][b.leader]); };
  std::size_t i = a.last;
  while (i + 1 < b.first && !(costs[i + 1][a.leader] > costs[i + 1][b.leader])) {
    ++i;
  }
  return {a.leader, b.leader, i, zero_between(values[i], values[i + 1], ratio(i), ratio(i + 1))};
}

}  // namespace

Leads leads_of(const std::vector<std::optional<double>>& values,
               const std::vector<std::vector<double>>& costs, double clear) {
  Leads out;
  for (const std::vector<double>& row : costs) {
    const auto least = std::min_element(row.begin(), row.end());
    out.leaders.push_back(least == row.end() || !std::isfinite(*least)
                              ? std::nullopt
                              : std::optional(static_cast<std::size_t>(least - row.begin())));
  }
  std::vector<Segment> kept;
  for (const Segment& one : segments_of(out.leaders)) {
    if (!kept.empty() &&
        (one.leader == kept.back().leader || !is_clear(one, kept.back().leader, costs, clear))) {
      continue;
    }
    kept.push_back(one);
  }
  for (std::size_t i = 1; i < kept.size(); ++i) {
    out.crossings.push_back(crossing_of(kept[i - 1], kept[i], values, costs));
  }
  return out;
}

}  // namespace gpuplan::sim

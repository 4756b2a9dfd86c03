#include "sim/diagnose/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "sim/diagnose/moves.h"

namespace gpuplan::sim {

namespace {

constexpr int kParts = 50;             // shares are tried in fiftieths
constexpr double kMeasurement = 0.02;  // standard deviation of what tools show

using Shares = std::array<double, 3>;

Expected mixed(const Explained& e, const Shares& shares, std::size_t counter) {
  Expected out{.mean = 0.0, .deviation = 0.0};
  for (std::size_t i = 0; i < e.phases.size(); ++i) {
    out.mean += shares[i] * e.phases[i].counters[counter].mean;
    out.deviation += shares[i] * e.phases[i].counters[counter].deviation;
  }
  out.deviation = std::hypot(out.deviation, kMeasurement);
  return out;
}

double log_likelihood(const Explained& e, const Shares& shares, const CounterShares& seen) {
  double sum = 0.0;
  for (std::size_t c = 0; c < kCounters; ++c) {
    if (seen[c]) {
      const Expected expected = mixed(e, shares, c);
      const double z = (*seen[c] - expected.mean) / expected.deviation;
      // Heavy tails (a t distribution of 4): one counter that a tool got wrong does not decide alone.
      sum += -2.5 * std::log1p(z * z / 4.0) - std::log(expected.deviation);
    }
  }
  return sum;
}

struct Fit {
  Shares best{};
  double best_log = -1e300;
  double mean_log = -1e300;  // logarithm of the mean likelihood
};

Fit fit(const Explained& e, const CounterShares& seen) {
  Fit out;
  std::vector<double> logs;
  const int third = e.phases.size() > 2 ? kParts : 0;
  for (int k = 0; k <= third; ++k) {
    for (int j = 0; j <= kParts - k; ++j) {
      const Shares shares = {(kParts - k - j) / static_cast<double>(kParts), j / static_cast<double>(kParts),
                             k / static_cast<double>(kParts)};
      logs.push_back(log_likelihood(e, shares, seen));
      if (logs.back() > out.best_log) {
        out.best_log = logs.back();
        out.best = shares;
      }
    }
  }
  double sum = 0.0;
  for (const double log : logs) {
    sum += std::exp(log - out.best_log);
  }
  out.mean_log = out.best_log + std::log(sum / static_cast<double>(logs.size()));
  return out;
}

Diagnosis diagnosis_of(const Explained& e, const Fit& f, const CounterShares& seen,
                       const Capacities& capacities) {
  Diagnosis d;
  d.id = e.id;
  d.verdict = e.verdict;
  for (std::size_t i = 0; i < e.phases.size(); ++i) {
    if (f.best[i] >= 0.01) {
      d.phases.push_back({e.phases[i].name, f.best[i]});
    }
  }
  for (std::size_t c = 0; c < kCounters; ++c) {
    if (seen[c]) {
      const Expected expected = mixed(e, f.best, c);
      d.evidence.push_back({static_cast<Counter>(c), *seen[c], expected.mean,
                            (*seen[c] - expected.mean) / expected.deviation});
    }
  }
  std::stable_sort(d.evidence.begin(), d.evidence.end(), [](const Evidence& a, const Evidence& b) {
    return std::abs(a.deviations) > std::abs(b.deviations);
  });
  d.moves = moves_for(e.id, {f.best[0], f.best[1], f.best[2]}, capacities);
  return d;
}

// The counter not yet known whose values under the likeliest and another explanation differ most, in
// standard deviations, weighted by how likely the other is.
std::optional<NextMeasurement> next_measurement(const std::vector<Explained>& all,
                                                const std::vector<Fit>& fits,
                                                const std::vector<double>& probability,
                                                const CounterShares& seen) {
  const auto top = static_cast<std::size_t>(std::max_element(probability.begin(), probability.end()) -
                                            probability.begin());
  std::optional<NextMeasurement> best;
  double most = 0.0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t c = 0; c < kCounters && i != top; ++c) {
      if (seen[c]) {
        continue;
      }
      const Expected a = mixed(all[top], fits[top].best, c), b = mixed(all[i], fits[i].best, c);
      const double apart = std::abs(a.mean - b.mean) / std::hypot(a.deviation, b.deviation);
      const double value = apart * std::sqrt(probability[i]);
      if (apart > 1.0 && value > most) {
        most = value;
        best = NextMeasurement{static_cast<Counter>(c), all[i].id, a.mean, b.mean};
      }
    }
  }
  return best;
}

}  // namespace

Diagnoses diagnose(const Observation& observation, const Capacities& capacities) {
  const CounterShares& seen = observation.shares;
  if (std::none_of(seen.begin(), seen.end(), [](const auto& s) { return s.has_value(); })) {
    throw std::logic_error("diagnose: no counter");
  }
  const std::vector<Explained> all = explanations(capacities);
  std::vector<Fit> fits;
  double most = -1e300;
  for (const Explained& e : all) {
    fits.push_back(fit(e, seen));
    most = std::max(most, fits.back().mean_log);
  }
  std::vector<double> probability;
  double sum = 0.0;
  for (const Fit& f : fits) {
    probability.push_back(std::exp(f.mean_log - most));
    sum += probability.back();
  }
  Diagnoses out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    probability[i] /= sum;
    out.ranked.push_back(diagnosis_of(all[i], fits[i], seen, capacities));
    out.ranked.back().probability = probability[i];
  }
  std::stable_sort(out.ranked.begin(), out.ranked.end(),
                   [](const Diagnosis& a, const Diagnosis& b) { return a.probability > b.probability; });
  out.next = next_measurement(all, fits, probability, seen);
  return out;
}

}  // namespace gpuplan::sim

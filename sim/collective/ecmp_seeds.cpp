#include "sim/collective/ecmp_seeds.h"

#include <algorithm>
#include <cmath>

#include "sim/collective/fabric_play.h"

namespace gpuplan::sim {

namespace {

// Times of all collectives with one seed, or spread evenly; 0: not played.
std::vector<double> times(const fabric::Topology& topology, std::span<const fabric::DeviceId> gpus,
                          std::optional<std::uint64_t> seed, std::span<const PricedCollective> collectives) {
  FabricPlay fabric(topology, {gpus.begin(), gpus.end()}, seed);
  std::vector<double> out;
  out.reserve(collectives.size());
  for (const PricedCollective& collective : collectives) {
    const std::optional<Played> played = fabric.play(collective.price, collective.operation);
    out.push_back(played ? played->time.si() : 0.0);
  }
  return out;
}

SeedSpread spread_of(std::vector<double> by_seed, double even, std::uint64_t first) {
  SeedSpread out;
  out.seeds = static_cast<int>(by_seed.size());
  out.even = Seconds(even);
  const auto worst = std::max_element(by_seed.begin(), by_seed.end());
  out.worst_seed = first + static_cast<std::uint64_t>(worst - by_seed.begin());
  std::sort(by_seed.begin(), by_seed.end());
  const auto reached_by = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(by_seed.size())));
    return Seconds(by_seed[std::max<std::size_t>(1, rank) - 1]);
  };
  out.best = Seconds(by_seed.front());
  out.median = reached_by(0.5);
  out.p90 = reached_by(0.9);
  out.worst = Seconds(by_seed.back());
  return out;
}

}  // namespace

std::vector<std::optional<SeedSpread>> over_seeds(const fabric::Topology& topology,
                                                  std::span<const fabric::DeviceId> gpus, std::uint64_t first,
                                                  int count, std::span<const PricedCollective> collectives) {
  std::vector<std::vector<double>> by_collective(collectives.size());
  for (int i = 0; i < count; ++i) {
    const std::vector<double> one = times(topology, gpus, first + static_cast<std::uint64_t>(i), collectives);
    for (std::size_t c = 0; c < one.size(); ++c) {
      by_collective[c].push_back(one[c]);
    }
  }
  const std::vector<double> even = times(topology, gpus, std::nullopt, collectives);
  std::vector<std::optional<SeedSpread>> out(collectives.size());
  for (std::size_t c = 0; c < out.size(); ++c) {
    if (even[c] > 0.0 && count > 0) {
      out[c] = spread_of(std::move(by_collective[c]), even[c], first);
    }
  }
  return out;
}

}  // namespace gpuplan::sim

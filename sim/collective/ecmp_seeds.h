// A collective under many seeds of the switches' hash: nobody chooses the seed of a fabric, so one time says
// little and the distribution much. Every seed plans and plays the collective anew (fabric_play.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/fabric/topology.h"

namespace gpuplan::sim {

// Times of one collective over seeds; quantiles are the smallest time that their share of seeds reaches.
struct SeedSpread {
  int seeds = 0;
  Seconds even;  // with equal ways and cables filled evenly
  Seconds best, median, p90, worst;
  std::uint64_t worst_seed = 0;  // the first that takes so long
  [[nodiscard]] double slowdown(Seconds time) const { return time.si() / even.si(); }
};

struct PricedCollective {
  collectives::CollectiveOperation operation;
  collectives::CollectivePrice price;
};

// Over seeds first .. first + count - 1 (count of one or more); nothing for those whose links are not played.
std::vector<std::optional<SeedSpread>> over_seeds(const fabric::Topology& topology,
                                                  std::span<const fabric::DeviceId> gpus, std::uint64_t first,
                                                  int count, std::span<const PricedCollective> collectives);

}  // namespace gpuplan::sim

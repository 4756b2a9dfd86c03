// Rings: each rank sends to the next and receives from the one before, n - 1 steps for each phase.
#include <algorithm>

#include "hwmodels/collectives/algorithm.h"
#include "hwmodels/collectives/registry.h"
#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

int ring_steps(Collective collective, int ranks) {
  switch (collective) {
    case Collective::all_reduce:
      return 2 * (ranks - 1);
    case Collective::all_gather:
    case Collective::reduce_scatter:
      return ranks - 1;
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::all_to_all:
    case Collective::send_recv:
      return ranks;
  }
  return ranks;
}

int ring_steps_between_nodes(Collective collective, int nodes) {
  return nodes <= 1 ? 0 : ring_steps(collective, nodes);
}

namespace {

// Simple all-reduce over several nodes waits longer a step once chunks are large ("plateau").
constexpr double kPlateau = 1.4;
constexpr double kPlateauBytes = 64.0;  // per channel and rank

class Ring final : public CollectiveAlgorithm {
 public:
  [[nodiscard]] Algorithm tag() const override { return Algorithm::ring; }
  [[nodiscard]] int channels(const Communicator& group) const override { return group.channels; }

  [[nodiscard]] std::optional<TunerEstimate> estimate(const Communicator& group,
                                                      const CollectiveOperation& operation,
                                                      Protocol protocol) const override {
    if (operation.collective == Collective::all_to_all || operation.collective == Collective::send_recv) {
      return std::nullopt;
    }
    const std::size_t p = nccl::index(protocol), arch = nccl::index(group.architecture);
    double bus = nccl::channels_bandwidth(group);
    if (protocol == Protocol::ll) {
      const double most = group.nodes == 1 ? nccl::kLlMax.at(arch)
                                           : nccl::kLlMaxBetweenNodes.at(nccl::node_index(group.nodes));
      bus = std::min(most, 0.5 * bus);
    } else if (protocol == Protocol::ll128) {
      bus = std::min(0.92 * bus, group.channels * nccl::kRingLl128.at(arch));
    }
    const int steps = ring_steps(operation.collective, group.ranks);
    const int between = ring_steps_between_nodes(operation.collective, group.nodes);
    const double overhead =
        group.nodes > 1 ? nccl::kNetOverhead * (protocol == Protocol::simple ? 3.0 : 1.0) : 0.0;
    const double hop = std::max((group.nvlink ? nccl::kRingNvlink : nccl::kRingPcie).at(p), overhead);
    const double flushes = protocol == Protocol::simple ? 2.0 : 1.0;
    const double net = nccl::kRingNet.at(p) + flushes * group.net_latency.si() * 1e6;
    double latency = nccl::kRingBase.at(p) + (steps - between) * hop + between * net;
    if (group.nodes > 1 && operation.collective == Collective::all_reduce && protocol == Protocol::simple &&
        operation.bytes.si() / (group.channels * group.ranks) >= kPlateauBytes) {
      latency *= kPlateau;
    }
    return TunerEstimate{latency, bus * group.ranks / steps};
  }
};

}  // namespace

const CollectiveAlgorithm& ring() {
  static const Ring algorithm;
  return algorithm;
}

}  // namespace gpuplan::collectives

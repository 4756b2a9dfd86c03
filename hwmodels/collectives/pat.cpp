// PAT, parallel aggregated trees: all-gather and reduce-scatter in log2(n) rounds where each node holds one
// rank; chunks for several ranks travel together while they are small.
#include <cmath>

#include "hwmodels/collectives/algorithm.h"
#include "hwmodels/collectives/registry.h"
#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

namespace {

constexpr double kPatShare = 0.75;  // of the ring's bus bandwidth

class Pat final : public CollectiveAlgorithm {
 public:
  [[nodiscard]] Algorithm tag() const override { return Algorithm::pat; }
  [[nodiscard]] int channels(const Communicator& group) const override { return group.channels; }

  [[nodiscard]] std::optional<TunerEstimate> estimate(const Communicator& group,
                                                      const CollectiveOperation& operation,
                                                      Protocol protocol) const override {
    if ((operation.collective != Collective::all_gather &&
         operation.collective != Collective::reduce_scatter) ||
        group.nodes < 2 || group.gpus_per_node() != 1 || protocol != Protocol::simple) {
      return std::nullopt;
    }
    const double hop = nccl::kPatNet + 2.0 * group.net_latency.si() * 1e6;
    const double latency = nccl::kPatBase.at(nccl::index(protocol)) + std::log2(group.nodes) * hop;
    return TunerEstimate{latency, kPatShare * nccl::channels_bandwidth(group) * group.ranks /
                                      ring_steps(operation.collective, group.ranks)};
  }
};

}  // namespace

const CollectiveAlgorithm& pat() {
  static const Pat algorithm;
  return algorithm;
}

}  // namespace gpuplan::collectives

// CollNet: switches of the network reduce (SHARP). Direct: every GPU of a node feeds its own NIC, the others'
// parts over NVLink; chain: the GPUs of a node in a line to the NIC.
#include <algorithm>

#include "hwmodels/collectives/algorithm.h"
#include "hwmodels/collectives/registry.h"
#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

namespace {

constexpr int kMostLocalRanks = 8;     // of CollNet direct
constexpr double kDirectFanOut = 0.4;  // us for each further local peer
constexpr double kDirectFromHopper = 0.85;

class Collnet final : public CollectiveAlgorithm {
 public:
  explicit Collnet(bool direct) : direct_(direct) {}
  [[nodiscard]] Algorithm tag() const override {
    return direct_ ? Algorithm::collnet_direct : Algorithm::collnet_chain;
  }
  [[nodiscard]] int channels(const Communicator& group) const override {
    return std::min(group.channels, 2 * std::max(1, group.nics));
  }

  [[nodiscard]] std::optional<TunerEstimate> estimate(const Communicator& group,
                                                      const CollectiveOperation& operation,
                                                      Protocol protocol) const override {
    const int local = group.gpus_per_node();
    if (!group.network_reduces || group.nodes < 2 || protocol != Protocol::simple ||
        operation.collective != Collective::all_reduce || (direct_ && local > kMostLocalRanks)) {
      return std::nullopt;
    }
    double bus = nccl::channels_bandwidth(group);
    const double hop = (group.nvlink ? nccl::kTreeNvlink : nccl::kTreePcie).at(nccl::index(protocol));
    double latency = 2.0 * group.net_latency.si() * 1e6;
    if (direct_) {
      const double factor = std::max(1.0, static_cast<double>(local) / channels(group));
      bus /= factor - (factor - 1.0) / 2.0;
      bus *= group.architecture == Architecture::sm80 ? 1.0 : kDirectFromHopper;
      latency += nccl::kCollnetDirectNet + 2.0 * (std::min(1, local - 1) * hop + (local - 1) * kDirectFanOut);
    } else {
      latency += 2.0 * ((local - 1) * hop + nccl::kCollnetChainNet);
    }
    // Each byte crosses a NIC once each way at the same time.
    return TunerEstimate{latency, direct_ ? bus : 0.5 * bus};
  }

 private:
  bool direct_;
};

}  // namespace

const CollectiveAlgorithm& collnet_direct() {
  static const Collnet algorithm(true);
  return algorithm;
}

const CollectiveAlgorithm& collnet_chain() {
  static const Collnet algorithm(false);
  return algorithm;
}

}  // namespace gpuplan::collectives

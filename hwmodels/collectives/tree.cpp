// Double binary tree over the nodes, a chain inside each: all-reduce only, reduced towards the root and
// broadcast from it, each tree with half of the data.
#include <algorithm>
#include <cmath>

#include "hwmodels/collectives/algorithm.h"
#include "hwmodels/collectives/registry.h"
#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

namespace {

double correction(Protocol protocol, double bytes) {
  const auto& factors = nccl::kTreeCorrection.at(nccl::index(protocol));
  const double log2 = std::floor(std::log2(std::max(1.0, bytes / 64.0)));
  return log2 < static_cast<double>(factors.size()) ? factors.at(static_cast<std::size_t>(log2)) : 1.0;
}

class Tree final : public CollectiveAlgorithm {
 public:
  [[nodiscard]] Algorithm tag() const override { return Algorithm::tree; }
  [[nodiscard]] int channels(const Communicator& group) const override { return group.channels; }

  [[nodiscard]] std::optional<TunerEstimate> estimate(const Communicator& group,
                                                      const CollectiveOperation& operation,
                                                      Protocol protocol) const override {
    if (operation.collective != Collective::all_reduce) {
      return std::nullopt;
    }
    const std::size_t p = nccl::index(protocol), arch = nccl::index(group.architecture);
    const std::size_t nodes = nccl::node_index(group.nodes);
    // Up to two nodes the search gives trees more bandwidth inside the nodes than between them.
    const double planned = group.nodes <= 2 && group.gpus_per_node() > 1 ? group.intra.si() * 1e-9
                                                                         : nccl::channels_bandwidth(group);
    double bus = std::min(0.92 * planned, group.channels * nccl::kTree.at(arch).at(nodes));
    if (protocol == Protocol::ll) {
      bus =
          std::min(bus / 3.8, group.nodes == 1 ? nccl::kLlMax.at(arch) : nccl::kLlMaxBetweenNodes.at(nodes));
    } else if (protocol == Protocol::ll128) {
      bus = std::min(bus * (group.nodes == 1 ? 7.0 / 9.0 : 120.0 / 128.0),
                     group.channels * nccl::kTreeLl128.at(arch).at(nodes));
    }
    const double hop = (group.nvlink ? nccl::kTreeNvlink : nccl::kTreePcie).at(p);
    const double flushes = protocol == Protocol::simple ? 2.0 : 1.0;
    const double net = nccl::kTreeNet.at(p) + flushes * group.net_latency.si() * 1e6;
    const double latency =
        nccl::kTreeBase.at(p) + 2.0 * ((group.gpus_per_node() - 1) * hop + std::log2(group.nodes) * net);
    return TunerEstimate{latency, 0.5 * bus * correction(protocol, operation.bytes.si())};
  }
};

}  // namespace

const CollectiveAlgorithm& tree() {
  static const Tree algorithm;
  return algorithm;
}

}  // namespace gpuplan::collectives

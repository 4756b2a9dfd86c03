// NVLS: the NVSwitch adds up what it reads from all GPUs and writes the sum to all of them. Between nodes the
// sums go through switches that reduce (NVLS) or over a tree of nodes (NVLS-tree). All-gather and
// reduce-scatter take it only with buffers registered by the program, and are left to the ring here.
#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/collectives/algorithm.h"
#include "hwmodels/collectives/registry.h"
#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

namespace {

// Channel speeds that the search tries inside a node from Hopper on, GB/s (NCCL 2.30, search.cc).
constexpr std::array<double, 11> kSpeeds = {60, 50, 40, 30, 24, 20, 15, 12, 11, 6, 3};

// GPUs of a node from which on the steps between speeds are ignored: NVLink domains of a rack (assumed).
constexpr int kMostSnapped = 16;

// Every GPU is the head of one channel, all of one speed that NVLink carries.
double channel_speed(const Communicator& group) {
  const std::size_t arch = nccl::index(group.architecture);
  const double share = nccl::kNvlinkUsable.at(arch) * group.link.si() * 1e-9 / group.gpus_per_node();
  if (share >= nccl::kFastestChannel.at(arch)) {
    return nccl::kFastestChannel.at(arch);
  }
  if (group.gpus_per_node() > kMostSnapped) {
    return share;
  }
  for (const double speed : kSpeeds) {
    if (speed <= share) {
      return speed;
    }
  }
  return share;
}

class Nvls final : public CollectiveAlgorithm {
 public:
  explicit Nvls(bool tree_between_nodes) : tree_(tree_between_nodes) {}
  [[nodiscard]] Algorithm tag() const override { return tree_ ? Algorithm::nvls_tree : Algorithm::nvls; }
  [[nodiscard]] int channels(const Communicator& group) const override {
    return group.nodes > 1 ? std::min(group.channels, 16) : 16;
  }

  [[nodiscard]] std::optional<TunerEstimate> estimate(const Communicator& group,
                                                      const CollectiveOperation& operation,
                                                      Protocol protocol) const override {
    const std::size_t arch = nccl::index(group.architecture);
    if (!group.switch_reduces || !group.nvlink || nccl::kNvlsEfficiency.at(arch) <= 0.0 ||
        protocol != Protocol::simple || operation.collective != Collective::all_reduce ||
        group.gpus_per_node() < 2 || (tree_ && group.nodes < 2) ||
        (!tree_ && group.nodes > 1 && !group.network_reduces)) {
      return std::nullopt;
    }
    const double heads = group.gpus_per_node();
    double bus = heads * channel_speed(group) * nccl::kNvlsEfficiency.at(arch) * 2.0 * (heads - 1.0) / heads;
    double latency = nccl::kNvlsNvlink;
    if (group.nodes > 1) {
      const double net = group.nics * group.nic.si() * 1e-9;
      bus = std::min(bus, net * (tree_ && group.nodes == 2 ? 2.0 : 1.0));
      const double hop = (tree_ ? nccl::kNvlsTreeNet : nccl::kNvlsNet) + 2.0 * group.net_latency.si() * 1e6;
      latency += tree_ ? 2.0 * std::log2(group.nodes) * hop : hop;
      if (tree_) {
        bus = std::min(bus, heads * nccl::kNvlsTree.at(arch).at(nccl::node_index(group.nodes)));
      }
    }
    return TunerEstimate{latency, bus * group.ranks / ring_steps(operation.collective, group.ranks)};
  }

 private:
  bool tree_;
};

}  // namespace

const CollectiveAlgorithm& nvls() {
  static const Nvls algorithm(false);
  return algorithm;
}

const CollectiveAlgorithm& nvls_tree() {
  static const Nvls algorithm(true);
  return algorithm;
}

}  // namespace gpuplan::collectives

#include "hwmodels/collectives/registry.h"

#include <algorithm>
#include <array>

#include "hwmodels/collectives/tuner_constants.h"

namespace gpuplan::collectives {

std::span<const CollectiveAlgorithm* const> algorithms() {
  static const std::array<const CollectiveAlgorithm*, 7> kAll = {
      &tree(), &ring(), &collnet_direct(), &collnet_chain(), &nvls(), &nvls_tree(), &pat()};
  return kAll;
}

double nccl::channels_bandwidth(const Communicator& group) {
  const double inside = group.gpus_per_node() > 1 ? group.intra.si() * 1e-9 : 1e9;
  const double between = group.nodes > 1 ? group.nics * group.nic.si() * 1e-9 : 1e9;
  return std::min(inside, between);
}

}  // namespace gpuplan::collectives

// What algorithms that are neither rings nor pairs take of the links: NVLS and CollNet, whose switches
// reduce, and PAT. As shares: bytes over a link for each byte S of the operation.
//
//   NVLS       every GPU and its NVSwitch, both ways: 1 + 1/n of n GPUs of a node. Summands of all parts to
//              the switch (1), which sends each head its sum (1/n); the head sends it up (1/n), and the
//              switch copies it to all (1). Up and down are the same, as reduction and copying mirror each
//              other.
//   NVLS-tree  that, and double binary trees between nodes over the rails.
//   CollNet    each rail carries 1/rails up a tree of switches that add what arrives, so that every link of
//              that tree carries it once, and down once as copies; in the node directly over NVLink to and
//              from each rail's GPU, or along a chain. NVLS over reducing switches takes the same network.
//   PAT        k chunks of n to the rank `distance` away in each round, over all rails alike (schedule.h).
//
// Not modelled: which ports SHARP's own trees take, and how many trees a switch can hold.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hwmodels/collectives/channels.h"
#include "hwmodels/collectives/communicator.h"

namespace gpuplan::collectives {

struct LinkShares {
  std::vector<double> by_place;  // of the plan's lanes
  std::size_t channels = 0;      // rails; 0 inside one node, where switches see no channels
  Seconds delay{0};  // that links add which a fault made slower to answer, along the longest chain of hops
};

// Nothing where the machine has no such way: no NVSwitch, no NICs, several GPUs of a node for PAT, another
// algorithm. `trees` were planned over the same GPUs, which lie node after node. Throws InputError where a
// link that the algorithm cannot do without is down.
std::optional<LinkShares> plan_shares(const fabric::Topology& topology,
                                      std::span<const fabric::DeviceId> gpus, const TreePlan& trees,
                                      Algorithm algorithm, Collective collective,
                                      std::optional<std::uint64_t> ecmp_seed);

}  // namespace gpuplan::collectives

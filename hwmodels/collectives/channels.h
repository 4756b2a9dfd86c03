// Rings and trees over a topology, as NCCL lays them: in which order a channel visits the GPUs of a node,
// over which NIC it leaves and enters, and so which links it takes.
//
// A channel between nodes belongs to one rail: it enters every node over the NIC of that rail and leaves over
// the same one. In a node it begins at the GPU nearest to the NIC and ends at the next nearest; the way
// between is the cheapest (all orders of up to 12 GPUs, nearest neighbour beyond), counting how often
// channels before it took each link, so that meshes get rings on links of their own. Where a NIC
// is down, its rail is left out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hwmodels/fabric/lanes.h"
#include "hwmodels/fabric/topology.h"

namespace gpuplan::collectives {

struct Hop {
  fabric::DeviceId from = 0, to = 0;  // GPUs
  fabric::Route route;
  std::uint64_t flow = 0;  // its hash under ECMP, which picks a cable of each bundle
};

struct ChannelRing {
  std::vector<Hop> hops;  // as many as GPUs, each from where the one before ended; none for one GPU
};

struct RingPlan {
  std::vector<ChannelRing> channels;
  BytesPerSecond bandwidth;  // that a GPU sends in all channels together, each channel at the same rate
  std::vector<double> hops_by_link;  // how many of all channels' hops take each place of `lanes`
  fabric::Lanes lanes;               // cables of their own under ECMP, else links
};

// A tree over the GPUs of one channel that carries half of its data: up to the root and down again.
struct ChannelTree {
  fabric::DeviceId root = 0;
  std::vector<Hop> up, down;  // for each GPU but the root: to its parent, and from it
};

struct TreePlan {
  std::vector<ChannelTree> trees;  // two a channel
  BytesPerSecond bandwidth;        // that the roots receive in all trees together, each at the same rate
  std::vector<double> hops_by_link;
  fabric::Lanes lanes;
};

struct ChannelOptions {
  // 0: one for each NIC of a node, and in a single node as many as raise the bandwidth.
  int channels = 0;
  // Ways between switches, and cables of bundles, picked by a hash of the flow, as Ethernet does (ECMP), so
  // that flows may meet on one while others idle. Without: spread by channel, as a plan would.
  std::optional<std::uint64_t> ecmp_seed = {};
};

// Whether traffic gets out of a NIC and in: a network link each way that is up.
bool reaches_network(const fabric::Topology& topology, fabric::DeviceId nic);

// Over `gpus`, which may lie in any number of nodes. Throws InputError: no GPU, one twice, none at all, or no
// way between two of them.
RingPlan plan_rings(const fabric::Topology& topology, std::span<const fabric::DeviceId> gpus,
                    const ChannelOptions& options = {});
// Double binary trees over the nodes, chains within them.
TreePlan plan_trees(const fabric::Topology& topology, std::span<const fabric::DeviceId> gpus,
                    const ChannelOptions& options = {});

}  // namespace gpuplan::collectives

// A topology in numbers: how many devices of each kind, links of one sort as one line, and the cut through
// the middle.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/fabric/topology.h"

namespace gpuplan::fabric {

// Links that differ in their ends only.
struct LinkGroup {
  DeviceKind a = DeviceKind::gpu, b = DeviceKind::gpu;  // ends, the lower kind first
  LinkSpec spec;
  int count = 0;  // pairs of devices, each way counted once
};
// In the order of kind and ends.
std::vector<LinkGroup> link_groups(const Topology& topology);

// Number of devices of a kind; chips: with every chip of an NVSwitch crossbar counted.
int device_count(const Topology& topology, DeviceKind kind, bool chips = false);

// What one half of the GPUs can send to the other: the halves of the nodes, or of the GPUs of the only node,
// in their order. Empty with fewer than two GPUs.
Cut bisection(const Topology& topology);

// A group of devices: "node0", "node0-3", "gpu0-3" (counted over all nodes), "node1/gpu0-3", "nic5", several
// joined by commas. Throws InputError with `path`.
std::vector<DeviceId> parse_group(const Topology& topology, const std::string& text, const std::string& path);

}  // namespace gpuplan::fabric

// What faults of the fabric leave each group of ranks of its links. Every group of a kind is busy at the same
// time, each in rings of its own as NCCL lays them (channels.h): on the links as built, and on those that the
// faults left. The most loaded link sets the pace, so
//
//   share left = bytes over usable bandwidth of the most loaded link as built / the same with faults
//
// for network links (and the PCIe before them) and NVLink apart; the slowest group of a kind stands for all,
// since a step waits for each. With a rail of eight down, rings over all GPUs keep seven NICs: 7/8. Groups
// with one rank a node have two NICs of their PCIe switch to share, one of them gone: 1/2.
//
// A group whose rings pass from switch to switch has besides no more than what is left of the uplinks of the
// worst switch, as if all traffic left it, spread evenly.
//
// Known to fail: routes that a hash puts on one uplink, NCCL that fails instead of falling back (NICs of
// several ports).
#pragma once

#include <array>
#include <string>

#include "hwmodels/fabric/topology.h"
#include "workloads/training/job.h"

namespace gpuplan::sim {

struct FabricLoss {
  double network = 1.0, nvlink = 1.0;  // share of the bandwidth that is left, above 0 and at most 1
  Seconds pass{0.0};                   // that slower links add to a pass around the ring
  std::string narrowest;               // "node0/pcie_switch1 -> node0/nic3"; empty where nothing is lost
};
using FabricLosses = std::array<FabricLoss, 7>;  // by Group

bool any_loss(const FabricLosses& losses);

// `built` and `faulted` are the same devices; the first GPUs of each node take part.
FabricLosses losses_of(const TrainingJob& job, int gpus_per_node, const fabric::Topology& built,
                       const fabric::Topology& faulted);

}  // namespace gpuplan::sim

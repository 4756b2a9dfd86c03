// Where the ranks of a job sit: groups are laid out from neighbouring GPUs outwards (tensor, context, data,
// pipeline, as Megatron orders ranks), so a group's stride decides how many of its ranks share a node and
// what part of the node's NICs they have.
#pragma once

#include "hwmodels/collectives/communicator.h"
#include "sim/training/fabric_loss.h"
#include "sim/training/host.h"
#include "workloads/training/job.h"

namespace gpuplan::sim {

struct TrainingMachine {
  Gpu gpu;
  Node node;  // NICs as they are used
  int nodes = 1;
  int gpus_per_node = 8;
  collectives::NetworkKind network = collectives::NetworkKind::infiniband;
  Seconds net_latency{0.0};
  bool network_reduces = false;
  Host host;
  FabricLosses losses;  // by faults
};

struct GroupPlace {
  int size = 1;    // ranks
  int stride = 1;  // GPUs between neighbours
  int per_node = 1;
  int nodes = 1;
};
GroupPlace place(Group group, const TrainingJob& job, int gpus_per_node);

// The communicator of a group (a pair of neighbours for pipeline). Every group of that kind is busy at the
// same time, so it has its share of the node's NICs only, and of those what faults left.
collectives::Communicator communicator_of(const GroupPlace& place, const TrainingMachine& machine,
                                          const FabricLoss& loss = {});

}  // namespace gpuplan::sim

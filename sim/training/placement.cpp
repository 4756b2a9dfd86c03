#include "sim/training/placement.h"

#include <algorithm>

namespace gpuplan::sim {

namespace {

int degree(Group group, const TrainingJob& job) {
  const TrainingParallelism& p = job.parallelism;
  switch (group) {
    case Group::tensor:
      return p.tensor;
    case Group::context:
      return p.context;
    case Group::data:
      return job.data();
    case Group::pipeline:
      return p.pipeline;
    case Group::expert:
    case Group::shard:
    case Group::replica:
      return 1;  // parts of other groups
  }
  return 1;
}

// GPUs between neighbours of `group`: the product of the groups inside it.
int stride_of(Group group, const TrainingJob& job) {
  static const std::vector<Group> usual = {Group::tensor, Group::context, Group::data, Group::pipeline};
  const std::vector<Group>& order = job.parallelism.placement.empty() ? usual : job.parallelism.placement;
  int stride = 1;
  for (const Group inner : order) {
    if (inner == group) {
      break;
    }
    stride *= degree(inner, job);
  }
  return stride;
}

}  // namespace

GroupPlace place(Group group, const TrainingJob& job, int gpus_per_node) {
  const TrainingParallelism& p = job.parallelism;
  // Ranks that hold the same weights: data and context together.
  const int same = std::min(stride_of(Group::data, job), stride_of(Group::context, job));
  GroupPlace out;
  switch (group) {
    case Group::tensor:
    case Group::context:
    case Group::pipeline:
      out.size = degree(group, job);
      out.stride = stride_of(group, job);
      break;
    case Group::data:
      out.size = job.data() * p.context;
      out.stride = same;
      break;
    case Group::shard:
      out.size = std::max(1, job.shard_ranks());
      out.stride = same;
      break;
    case Group::replica:
      out.size = std::max(1, job.data() * p.context / std::max(1, job.shard_ranks()));
      out.stride = same * std::max(1, job.shard_ranks());
      break;
    case Group::expert:
      out.size = p.expert;
      out.stride = p.expert <= job.data() * p.context ? same : 1;
      break;
  }
  if (group == Group::pipeline && out.size > 1) {
    out.size = 2;  // neighbours talk in pairs
  }
  const int on_node = std::max(1, gpus_per_node / out.stride);
  // Where nodes do not divide the group evenly, as many on each as divide it.
  out.per_node = std::min(out.size, on_node);
  while (out.size % out.per_node != 0) {
    --out.per_node;
  }
  out.nodes = out.size / out.per_node;
  return out;
}

collectives::Communicator communicator_of(const GroupPlace& place, const TrainingMachine& machine,
                                          const FabricLoss& loss) {
  Node node = machine.node;
  const double share =
      static_cast<double>(node.nic_count) * place.per_node / std::max(1, machine.gpus_per_node);
  if (share >= 1.0) {
    node.nic_count = static_cast<int>(share);
  } else {
    node.nic_count = 1;
    node.nic_bandwidth = node.nic_bandwidth * share;
  }
  collectives::Communicator group =
      collectives::communicator_on(machine.gpu, node, place.nodes, place.per_node);
  group.nic = group.nic * loss.network;
  group.link = group.link * loss.nvlink;
  group.intra = group.intra * loss.nvlink;
  group.fabric = machine.network;
  group.net_latency = machine.net_latency;
  group.network_reduces = machine.network_reduces;
  return group;
}

}  // namespace gpuplan::sim

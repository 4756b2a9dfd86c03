#include "workloads/training/offload.h"

#include <algorithm>

#include "workloads/memory/training_memory.h"
#include "workloads/training/stages.h"

namespace gpuplan {

namespace {

bool on_nvme(const TrainingJob& job) { return job.offload_to == OffloadTo::nvme; }
bool weights_leave(const TrainingJob& job) { return job.offload == Offload::optimizer_and_weights; }

}  // namespace

double stored_weight_bytes(const TrainingJob& job) {
  return job.fine_tune.method == FineTune::qlora ? bytes_per_element(Precision::int4)
         : master_is_the_weight(job)             ? 4.0
                                                 : job.weight_bytes();
}

OffloadWork lower_offload(const TrainingJob& job, double elements) {
  OffloadWork out;
  if (job.offload == Offload::none) {
    return out;
  }
  const double g = job.gradient_bytes(), w = job.weight_bytes();
  // State beside the weight: what the optimiser keeps, and the fp32 weight where that is the weight itself.
  const double state = optimizer_bytes(job) + (master_is_the_weight(job) ? 4.0 : 0.0);
  const double up = weights_leave(job) ? 0.0 : w;
  out.gradients = Bytes(elements * g);
  out.weights = Bytes(elements * up);
  // The pass reads g and the state, writes the state and 16-bit weights; the copies write g and read w.
  double memory = g + 2.0 * state + w + g + up;
  if (on_nvme(job)) {
    memory += 2.0 * state;  // in from the drives, and out again
    out.nvme_read = Bytes(elements * state);
    out.nvme_written =
        Bytes(elements * (state + (weights_leave(job) && !master_is_the_weight(job) ? w : 0.0)));
  }
  out.host_traffic = Bytes(elements * memory);
  return out;
}

void add_weight_loads(const TrainingJob& job, double elements, LayerWork& work) {
  if (!weights_leave(job)) {
    return;
  }
  const double shards = job.shards_weights() ? job.shard_ranks() : 1.0;
  work.load_forward = Bytes(elements / shards * stored_weight_bytes(job));
  // Weights that stay gathered are there for the backward pass.
  work.load_backward =
      job.shards_weights() && !job.parallelism.reshard_after_forward ? Bytes(0.0) : work.load_forward;
}

OffGpuBytes off_gpu_bytes(const TrainingJob& job, int stage) {
  OffGpuBytes out;
  if (job.offload == Offload::none) {
    return out;
  }
  const RankParameters p = rank_parameters(job, stage);
  const bool full = job.fine_tune.method == FineTune::full;
  const double shards = job.shard_ranks(), tensor = job.parallelism.tensor;
  const double expert_shards =
      std::max(1.0, shards * tensor / std::max<double>(tensor, job.parallelism.expert));
  const double sharded = p.dense / shards + p.experts / expert_shards;
  const double updated = full ? sharded : p.trained;
  Bytes& state = on_nvme(job) ? out.nvme : out.host;
  state += Bytes(updated * optimizer_bytes(job));
  out.host += Bytes(updated * job.gradient_bytes());
  if (weights_leave(job)) {
    state += Bytes((job.shards_weights() ? sharded : p.total()) * stored_weight_bytes(job));
  } else if (master_is_the_weight(job)) {
    state += Bytes(updated * 4.0);
  }
  // Page-locked, while a layer is on its way: two in each direction.
  const bool whole = weights_leave(job) && !job.shards_weights();
  out.host += Bytes(4.0 * p.layer / (whole ? 1.0 : shards) * stored_weight_bytes(job));
  return out;
}

}  // namespace gpuplan

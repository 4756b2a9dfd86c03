#include "workloads/memory/training_memory.h"

#include <algorithm>

#include "workloads/memory/activation.h"
#include "workloads/memory/serving_memory.h"
#include "workloads/training/offload.h"
#include "workloads/training/stages.h"

namespace gpuplan {

namespace {

double moments(const TrainingJob& job) {
  const double wide = *job.software.master_weights || job.weight_bytes() == 4.0 ? 4.0 : job.weight_bytes();
  switch (job.optimizer) {
    case Optimizer::adamw:
      return 2.0 * wide;
    case Optimizer::adamw_8bit:
      return 2.0 * (1.0 + 4.0 / 256.0);  // an fp32 scale per 256 (bitsandbytes' block is 256)
    case Optimizer::adafactor:
      return 0.01;  // a row and a column of each matrix
    case Optimizer::sgd:
    case Optimizer::muon:
      return wide;  // momentum
  }
  return 0.0;
}

void add_states(const TrainingJob& job, const RankParameters& p, StageMemory& out) {
  const TrainingParallelism& parallel = job.parallelism;
  // Experts are replicated, and so sharded, over what of the data-parallel ranks the expert group leaves.
  const double shards = job.shard_ranks();
  const double expert_shards =
      std::max(1.0, shards * parallel.tensor / std::max(parallel.tensor, parallel.expert));
  const auto over = [&](bool sharded) {
    return sharded ? p.dense / shards + p.experts / expert_shards : p.total();
  };
  const Sharding s = parallel.sharding;
  const bool frozen = job.fine_tune.method != FineTune::full;
  const double stored = stored_weight_bytes(job);
  const bool stays = job.offload != Offload::optimizer_and_weights;
  const double copies = job.schedule() == PipelineSchedule::dualpipe ? 2.0 : 1.0;
  out.weights = Bytes(stays ? copies * stored * over(job.shards_weights()) : 0.0);
  const double trained = frozen ? p.trained : 1.0;  // elements, or of each element
  if (frozen) {
    out.weights += Bytes(job.weight_bytes() * trained);
    out.gradients = Bytes(job.gradient_bytes() * trained);
    out.optimizer = Bytes(job.offload == Offload::none ? optimizer_bytes(job) * trained : 0.0);
    return;
  }
  const bool gradients_sharded = s != Sharding::ddp && s != Sharding::zero1;
  // DeepSpeed's bf16 optimiser adds 16-bit gradients into fp32 ones, and keeps both.
  const bool both =
      job.software.framework == Framework::deepspeed && job.weight_bytes() < job.gradient_bytes();
  out.gradients = Bytes((job.gradient_bytes() + (both ? job.weight_bytes() : 0.0)) * over(gradients_sharded));
  out.optimizer = Bytes(job.offload == Offload::none ? optimizer_bytes(job) * over(s != Sharding::ddp) : 0.0);
}

void add_activations(const TrainingJob& job, int stage, StageMemory& out) {
  const int layers = layers_of_stage(job, stage), sparse = moe_layers_of_stage(job, stage);
  const int again = job.recompute == Recompute::none ? 0
                    : job.recompute_layers > 0       ? std::min(job.recompute_layers, layers)
                                                     : layers;
  double stored = 0.0, working = 0.0;
  // The first `again` layers compute again; the last `sparse` have experts.
  const auto add = [&](int count, bool experts, Recompute recompute) {
    if (count > 0) {
      const LayerActivations a = layer_activations(job, experts, recompute);
      stored += count * a.stored.si();
      working = std::max(working, a.working.si());
    }
  };
  const int dense = layers - sparse;
  add(std::min(again, dense), false, job.recompute);
  add(dense - std::min(again, dense), false, Recompute::none);
  add(again - std::min(again, dense), true, job.recompute);
  add(sparse - (again - std::min(again, dense)), true, Recompute::none);
  const double in_flight = micro_batches_in_flight(job, stage);
  out.activations = Bytes(in_flight * stored);
  if (stage == 0) {
    out.activations += in_flight * embedding_activations(job);
  }
  // Gradient of a layer's widest tensors beside it, while it is differentiated.
  const Model& m = job.model;
  const double tokens = static_cast<double>(job.local_tokens()), e = job.activation_bytes();
  const std::int64_t widest_split = std::max(m.ffn, 4 * m.hidden) / job.parallelism.tensor;
  const double widest = tokens * e * static_cast<double>(widest_split + m.hidden);
  out.working = Bytes(working + widest);
  if (stage == job.parallelism.pipeline - 1) {
    // The logits are alive together with their gradient, before any layer is differentiated. Megatron's fused
    // loss computes in fp32: a copy and its exponentials beside the 16-bit logits; PyTorch's keeps the fp32
    // logits, their log-softmax and its gradient.
    const bool eager =
        job.software.framework == Framework::fsdp || job.software.framework == Framework::compiled;
    const double gradient = (*job.software.fused_loss ? (eager ? 12.0 : 8.0) : (eager ? e + 8.0 : e + 4.0)) *
                            tokens * static_cast<double>(m.vocab) / job.parallelism.tensor;
    out.working = max(out.working, head_activations(job) + Bytes(gradient));
  }
}

void add_buffers(const TrainingJob& job, const RankParameters& p, const MemoryConstants& c,
                 StageMemory& out) {
  const TrainingParallelism& parallel = job.parallelism;
  const int ranks = job.data() * parallel.context;
  double buffers = 0.0;
  if (job.shards_weights() && job.shard_ranks() > 1) {
    // The layer that runs and the one being gathered, or all where they stay; and the gradient of one being
    // reduced.
    const double gathered = parallel.reshard_after_forward ? 2.0 * p.layer : p.total();
    buffers = gathered * job.gather_bytes() + p.layer * job.reduce_bytes();
  } else if (ranks > 1 && parallel.sharding == Sharding::ddp && job.software.framework == Framework::fsdp) {
    buffers = 2.0 * c.bucket;
  } else if (ranks > 1 && parallel.sharding == Sharding::zero2) {
    buffers = p.layer * job.reduce_bytes();
  }
  const bool deepspeed = job.software.framework == Framework::deepspeed;
  if (deepspeed && parallel.sharding != Sharding::ddp) {
    buffers += 2.0 * c.deepspeed_bucket * job.weight_bytes();
  }
  if (job.offload != Offload::none) {
    buffers += 2.0 * p.layer * job.weight_bytes();
  }
  int groups = 0;
  for (const int size : {parallel.tensor, parallel.pipeline, parallel.context, parallel.expert, ranks}) {
    groups += size > 1 ? 1 : 0;
  }
  out.buffers = Bytes(buffers);
  out.context = Bytes(c.context + groups * c.communicator);
  out.fragmentation = (deepspeed ? c.fragmentation_deepspeed : c.fragmentation) *
                      (out.activations + out.working + out.buffers);
}

}  // namespace

bool master_is_the_weight(const TrainingJob& job) {
  return job.parallelism.sharding == Sharding::fsdp && *job.software.master_weights &&
         job.fine_tune.method == FineTune::full;
}

double optimizer_bytes(const TrainingJob& job) {
  const bool master = *job.software.master_weights && job.weight_bytes() < 4.0 && !master_is_the_weight(job);
  return moments(job) + (master ? 4.0 : 0.0);
}

StageMemory stage_memory(const TrainingJob& job, int stage, const MemoryConstants& constants) {
  StageMemory out;
  out.stage = stage;
  const RankParameters p = rank_parameters(job, stage);
  add_states(job, p, out);
  add_activations(job, stage, out);
  add_buffers(job, p, constants, out);
  return out;
}

StageMemory fullest_stage(const TrainingJob& job, const MemoryConstants& constants) {
  StageMemory out = stage_memory(job, 0, constants);
  const int stages = job.parallelism.pipeline;
  for (int stage = 1; stage < stages; ++stage) {
    // Of equal stages in a row the first holds most micro-batches.
    const bool like_last = stage > 1 && stage < stages - 1 &&
                           layers_of_stage(job, stage) == layers_of_stage(job, stage - 1) &&
                           moe_layers_of_stage(job, stage) == moe_layers_of_stage(job, stage - 1);
    if (!like_last) {
      const StageMemory one = stage_memory(job, stage, constants);
      out = one.total() > out.total() ? one : out;
    }
  }
  return out;
}

TrainingMemory plan_training_memory(const Gpu& gpu, const TrainingJob& job,
                                    const MemoryConstants& constants) {
  TrainingMemory out;
  out.usable = usable_memory(gpu);
  for (int stage = 0; stage < job.parallelism.pipeline; ++stage) {
    out.stages.push_back(stage_memory(job, stage, constants));
  }
  for (std::size_t i = 1; i < out.stages.size(); ++i) {
    if (out.stages[i].total() > out.stages[out.fullest].total()) {
      out.fullest = i;
    }
  }
  const StageMemory& peak = out.peak();
  const Bytes always = peak.weights + peak.optimizer + peak.context;
  const Bytes forward = peak.activations + peak.fragmentation + peak.buffers;
  out.phases = {{"before the step", always},
                {"last forward pass before a backward", always + forward + peak.gradients},
                {"backward pass", peak.total()},
                {"optimiser", always + peak.gradients + peak.fragmentation}};
  return out;
}

}  // namespace gpuplan

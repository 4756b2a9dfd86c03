#include "workloads/memory/training_memory.h"

#include <algorithm>

#include "workloads/memory/activation.h"
#include "workloads/memory/convnet_memory.h"
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
  if (job.convnet() != nullptr) {
    const ConvnetActivations a = convnet_activations(job);
    out.activations = a.stored;
    out.working = a.working;
    return;
  }
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
  // torchtitan's tensor-parallel layers keep both gathered inputs, and what they send back lies beside.
  const bool gathers = job.sequence_parallel() && job.software.framework == Framework::compiled;
  const double gathered = gathers ? 4.0 * tokens * e * m.hidden * (1.0 - 1.0 / job.parallelism.tensor) : 0.0;
  out.working = Bytes(working + widest + gathered);
  if (stage == job.parallelism.pipeline - 1) {
    // The logits are alive together with their gradient, before any layer is differentiated. A fused loss
    // writes the gradient in 16 bits and keeps nothing else; Megatron's unfused one keeps exponentials in
    // fp32, PyTorch's the fp32 logits and their log-softmax.
    const bool eager =
        job.software.framework == Framework::fsdp || job.software.framework == Framework::compiled;
    const double vocab = static_cast<double>(m.vocab) / job.parallelism.tensor;
    const double gradient = (*job.software.fused_loss ? e : e + (eager ? 8.0 : 4.0)) * tokens * vocab;
    // Megatron's output matrix gets its gradient in fp32 before it is added to what is accumulated.
    const double weight = job.software.framework == Framework::megatron ? 4.0 * vocab * m.hidden : 0.0;
    out.working = max(out.working, head_activations(job) + Bytes(gradient + weight));
  }
}

void add_buffers(const TrainingJob& job, const RankParameters& p, const MemoryConstants& c,
                 StageMemory& out) {
  const TrainingParallelism& parallel = job.parallelism;
  const int ranks = job.data() * parallel.context;
  double buffers = 0.0;
  if (job.shards_weights() && job.shard_ranks() > 1) {
    // The layer that runs and those gathered ahead, or all where they stay or nothing keeps the host from
    // running ahead; and the gradient of one being reduced.
    const bool all = !parallel.reshard_after_forward || !parallel.limit_all_gathers;
    const double gathered = all ? p.total() : std::min(p.total(), (1.0 + parallel.prefetch) * p.layer);
    buffers = gathered * job.gather_bytes() +
              (job.gathers_once() ? p.total() * job.gradient_bytes() : p.layer * job.reduce_bytes());
  } else if (ranks > 1 && parallel.sharding == Sharding::ddp && *job.software.bucket_mb > 0.0) {
    // DDP's buckets hold a copy of all gradients (gradient_as_bucket_view=False, the default: "reduce peak
    // memory usage, where the saved memory size will be equal to the total gradients size", its manual).
    buffers = p.trained * job.reduce_bytes();
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
  out.context = Bytes(deepspeed ? c.context_deepspeed + (job.gpus > 8 ? c.network_deepspeed : 0.0)
                                : c.context + groups * c.communicator);
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

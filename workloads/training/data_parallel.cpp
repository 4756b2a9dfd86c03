// What data parallelism adds: gradients reduced, weights gathered, the optimiser's pass over its share.
#include <algorithm>
#include <utility>

#include "workloads/training/low_rank.h"
#include "workloads/training/offload.h"
#include "workloads/training/passes.h"
#include "workloads/training/stages.h"

namespace gpuplan {

using collectives::Collective;

namespace {

// Shards of one copy, and the copies that then exchange sums (HSDP, a ZeRO scope narrower than the ranks).
struct Scope {
  int shards = 1, replicas = 1;
};
Scope scope_of(const TrainingJob& job) {
  const int ranks = job.data() * job.parallelism.context;
  const int shards = std::max(1, job.shard_ranks());
  return {shards, std::max(1, ranks / shards)};
}

void add(std::vector<TrainingCollective>& to, std::string_view name, Collective kind, Group group, int ranks,
         double bytes, bool hides) {
  if (ranks > 1 && bytes > 0.0) {
    to.push_back({name, kind, group, Bytes(bytes), 1.0, hides ? Overlap::pass : Overlap::none});
  }
}

// Bytes an element of trained parameters moves through memory in an optimiser step: gradient, master weight
// and moments read, weights and moments written; a pass before for the norm and the check for overflow.
double optimizer_traffic(const TrainingJob& job) {
  const double g = job.gradient_bytes(), w = job.weight_bytes();
  const double check = g + (job.precision.compute == Precision::fp16 ? 2.0 * g : 0.0);
  double state = 0.0;
  switch (job.optimizer) {
    case Optimizer::adamw:
      state = 8.0;
      break;
    case Optimizer::adamw_8bit:
      state = 2.0;
      break;
    case Optimizer::adafactor:
      state = 0.1;
      break;
    case Optimizer::sgd:
    case Optimizer::muon:
      state = 4.0;
      break;
  }
  return check + g + 4.0 + state + 4.0 + state + w;
}

}  // namespace

void add_sharded_layer(const TrainingJob& job, bool experts, LayerWork& work) {
  const bool gathers = job.shards_weights() && !job.gathers_once();
  if (!gathers && job.offload != Offload::optimizer_and_weights) {
    return;
  }
  // Experts are sharded over fewer ranks, but their bytes cross the same links: counted with the layer.
  const RankParameters p = rank_parameters(job, job.parallelism.pipeline - 1);
  if (experts || job.sees_images()) {
    add_sharded(job, p.layer, work);
    return;
  }
  const ParameterCount count = count_parameters(job.model);
  add_sharded(job,
              (count.attention + count.mlp) / job.model.layers / job.parallelism.tensor +
                  count.norms / job.model.layers,
              work);
}

void add_sharded(const TrainingJob& job, double elements, LayerWork& work) {
  add_weight_loads(job, elements, work);
  if (!job.shards_weights() || job.gathers_once()) {
    return;
  }
  const bool frozen = job.fine_tune.method != FineTune::full;  // gathered alike, with nothing to scatter
  const Scope scope = scope_of(job);
  const bool hides = *job.software.overlap_parameters && job.parallelism.prefetch > 0;
  const double sent = elements * (frozen ? frozen_bytes(job) : job.gather_bytes());
  // Tensor-wise fp8 gathers weights in one byte (torchao float8 all-gather); others in 16 bits.
  add(work.gather_forward, "gather weights", Collective::all_gather, Group::shard, scope.shards, sent, hides);
  if (job.parallelism.reshard_after_forward) {
    add(work.gather_backward, "gather weights again", Collective::all_gather, Group::shard, scope.shards,
        sent, hides);
  }
  add(work.scatter, "scatter gradients", Collective::reduce_scatter, Group::shard, scope.shards,
      frozen ? 0.0 : elements * job.reduce_bytes(), *job.software.overlap_gradients);
}

StageWork lower_stage(const TrainingJob& job, int stage) {
  StageWork out;
  out.layers = layers_of_stage(job, stage);
  out.moe_layers = moe_layers_of_stage(job, stage);
  out.recomputed = job.recompute == Recompute::none ? 0
                   : job.recompute_layers > 0       ? std::min(job.recompute_layers, out.layers)
                                                    : out.layers;
  out.first = stage == 0;
  out.last = stage == job.parallelism.pipeline - 1;
  const RankParameters p = rank_parameters(job, stage);
  const Scope scope = scope_of(job);
  const bool full = job.fine_tune.method == FineTune::full;
  const double reduced = full ? p.dense + p.experts / std::max(1, job.parallelism.expert) : p.trained;
  const double gradient = reduced * job.reduce_bytes();
  const bool hides = *job.software.overlap_gradients;
  const Sharding s = job.parallelism.sharding;
  if (s == Sharding::ddp && full && *job.software.bucket_mb > 0.0 && scope.shards * scope.replicas > 1) {
    out.buckets = gradient_buckets(job, stage);
  } else if (s == Sharding::ddp || !full) {
    add(out.reduce, "reduce gradients", Collective::all_reduce, Group::data, scope.shards * scope.replicas,
        gradient, hides);
  } else if (job.shards_weights() && !job.gathers_once()) {
    add(out.reduce, "reduce over replicas", Collective::all_reduce, Group::replica, scope.replicas,
        gradient / scope.shards, hides);
  } else {
    add(out.reduce, "scatter gradients", Collective::reduce_scatter, Group::shard, scope.shards, gradient,
        hides);
    add(out.reduce, "reduce over replicas", Collective::all_reduce, Group::replica, scope.replicas,
        gradient / scope.shards, hides);
    const bool owners = job.software.owners_broadcast;
    const double weights = reduced * job.gather_bytes(), turns = owners ? scope.shards : 1.0;
    add(out.parameters, "gather weights", Collective::all_gather, Group::shard, scope.shards, weights / turns,
        *job.software.overlap_parameters);
    if (owners && !out.parameters.empty()) {
      // One owner after the other: a message down a chain of all ranks each, whose hop takes 0.2 of a
      // gather's step (fitted to InternEvo's rows of 256 to 1,024 GPUs), out of one NIC.
      out.parameters.back().count = std::max(1.0, 0.2 * turns);
      add(out.parameters, "send own weights", Collective::send_recv, Group::shard, scope.shards, weights,
          *job.software.overlap_parameters);
    }
  }
  const double elements = p.trained / (full ? scope.shards : 1);
  const double traffic = optimizer_traffic(job);
  if (job.offload == Offload::none) {
    if (!out.buckets.empty()) {  // DDP copies gradients into its buckets, and sums back out of them
      const double g = 2.0 * job.reduce_bytes();
      out.optimizer.kernels.push_back(pass("in and out of buckets", TrainingPart::optimizer,
                                           kernels::Elementwise::Kind::copy, p.trained, g, g,
                                           2.0 * static_cast<double>(out.buckets.size())));
    }
    out.optimizer.kernels.push_back(pass("optimiser", TrainingPart::optimizer,
                                         kernels::Elementwise::Kind::residual, elements, traffic * 0.6,
                                         traffic * 0.4, 8.0));
  } else {
    out.offload = lower_offload(job, elements);
  }
  return out;
}

StageBoundary lower_boundary(const TrainingJob& job) {
  // Tensor-parallel ranks send a part each (Megatron's scatter-gather, DeepSpeed's partitioned activations).
  const Bytes whole(static_cast<double>(job.local_tokens()) * job.model.hidden * job.activation_bytes());
  StageBoundary out{whole / job.parallelism.tensor, {}};
  if (job.parallelism.tensor > 1 && job.parallelism.pipeline > 1 && !job.sequence_parallel()) {
    out.rejoin = {{"gather what a stage received", Collective::all_gather, Group::tensor, whole}};
  }
  return out;
}

TrainingStep lower_training(const TrainingJob& job) {
  TrainingStep step;
  step.dense = lower_layer(job, false);
  if (job.model.moe) {
    step.sparse = lower_layer(job, true);
  }
  step.chain = lower_chain(job);
  step.embedding = lower_embedding(job);
  step.head = lower_head(job);
  double flops = step.head.flops + step.embedding.flops;
  for (const LayerWork& layer : step.chain) {
    flops += layer.flops;
  }
  for (int stage = 0; stage < job.parallelism.pipeline; ++stage) {
    step.stages.push_back(lower_stage(job, stage));
    const StageWork& s = step.stages.back();
    flops += (s.layers - s.moe_layers) * step.dense.flops + s.moe_layers * step.sparse.flops;
  }
  step.micro_batches = job.micro_batches();
  StageBoundary boundary = lower_boundary(job);
  step.boundary = boundary.bytes;
  step.rejoin = std::move(boundary.rejoin);
  // A rank's share, times the ranks that share a micro-batch, times the micro-batches of all replicas.
  step.model_flops = flops * job.parallelism.tensor * job.parallelism.context * step.micro_batches *
                     static_cast<double>(job.data());
  return step;
}

std::span<const std::string_view> enum_names(TrainingPart /*tag*/) {
  static constexpr std::array<std::string_view, kTrainingParts> names = {
      "gemm", "attention", "experts", "elementwise", "head", "optimizer", "convolution"};
  return names;
}

}  // namespace gpuplan

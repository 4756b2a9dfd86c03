#include "workloads/training/job.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/training/vision.h"

namespace gpuplan {

namespace {

// What a framework does where the scenario does not say.
struct FrameworkDefaults {
  AttentionKernel attention;
  bool dropout, fused_loss, gradients, parameters, tensor, pipeline, graphs, sequence_parallel, master;
};
FrameworkDefaults defaults_of(Framework framework) {
  using enum AttentionKernel;
  switch (framework) {
    case Framework::megatron:
      return {flash, false, true, true, true, true, true, false, true, true};
    case Framework::megatron_2021:
    case Framework::deepspeed:
      return {standard, true, false, false, false, false, false, false, false, true};
    case Framework::fsdp:
      return {flash, false, false, true, true, false, false, false, false, true};
    case Framework::compiled:
      return {flash, false, true, true, true, false, true, false, true, true};
  }
  return {};
}

template <class T>
void fill(std::optional<T>& field, T value) {
  if (!field) {
    field = value;
  }
}

void fill_defaults(TrainingJob& job) {
  TrainingSoftware& s = job.software;
  const FrameworkDefaults d = defaults_of(s.framework);
  fill(s.attention, d.attention);
  fill(s.dropout, d.dropout);
  fill(s.fused_loss, d.fused_loss);
  fill(s.overlap_gradients, d.gradients);
  fill(s.overlap_parameters, d.parameters);
  fill(s.overlap_tensor, d.tensor);
  fill(s.overlap_pipeline, d.pipeline);
  fill(s.cuda_graphs, d.graphs);
  fill(s.launch_blocking, false);
  fill(s.master_weights, d.master);
  const bool torch = s.framework == Framework::fsdp || s.framework == Framework::compiled;
  fill(s.bucket_mb, torch ? 25.0 : 0.0);
  if (job.convnet() != nullptr) {
    ConvnetSoftware& c = s.convnet ? *s.convnet : s.convnet.emplace();
    fill(c.channels_last, true);
    fill(c.fused_norms, s.framework == Framework::compiled);
    fill(c.sync_batch_norm, false);
  }
  if (job.offload != Offload::none) {
    fill(s.overlap_offload, true);
  }
  TrainingParallelism& p = job.parallelism;
  fill(p.sequence_parallel, d.sequence_parallel && p.tensor > 1 && !job.sees_images());
  fill(p.schedule,
       p.virtual_stages > 1 ? PipelineSchedule::interleaved : PipelineSchedule::one_forward_one_backward);
  const bool half = job.precision.compute == Precision::fp16;
  // On images fp16 is PyTorch's autocast: weights and their gradients stay in fp32.
  fill(job.precision.gradients, half && !(torch && job.sees_images()) ? Precision::fp16 : Precision::fp32);
  fill(job.precision.reduce, job.shards_weights() && job.weight_bytes() <= 2.0 &&
                                     (s.framework == Framework::fsdp || s.framework == Framework::compiled)
                                 ? (half ? Precision::fp16 : Precision::bf16)
                                 : *job.precision.gradients);
  fill(job.precision.gather, job.weight_bytes() > 2.0 ? Precision::fp32
                             : half                   ? Precision::fp16
                                                      : Precision::bf16);
  if (job.batch.seq_len == 0) {
    job.batch.seq_len = job.model.max_seq;
  }
}

}  // namespace

std::span<const std::string_view> enum_names(PipelineSchedule /*tag*/) {
  static constexpr std::array<std::string_view, 5> names = {"gpipe", "1f1b", "interleaved", "zero_bubble",
                                                            "dualpipe"};
  return names;
}
std::span<const std::string_view> enum_names(Sharding /*tag*/) {
  static constexpr std::array<std::string_view, 5> names = {"ddp", "zero1", "zero2", "zero3", "fsdp"};
  return names;
}
std::span<const std::string_view> enum_names(Recompute /*tag*/) {
  static constexpr std::array<std::string_view, 4> names = {"none", "selective", "operations", "full"};
  return names;
}
std::span<const std::string_view> enum_names(Optimizer /*tag*/) {
  static constexpr std::array<std::string_view, 5> names = {"adamw", "adamw_8bit", "adafactor", "sgd",
                                                            "muon"};
  return names;
}
std::span<const std::string_view> enum_names(Offload /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"none", "optimizer", "optimizer_and_weights"};
  return names;
}
std::span<const std::string_view> enum_names(OffloadTo /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"host", "nvme"};
  return names;
}
std::span<const std::string_view> enum_names(ContextExchange /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"ring", "ulysses"};
  return names;
}
std::span<const std::string_view> enum_names(AttentionKernel /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"flash", "flash_1", "standard"};
  return names;
}
std::span<const std::string_view> enum_names(ExpertDispatch /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"all_to_all", "deduplicated"};
  return names;
}
std::span<const std::string_view> enum_names(Scaling /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"tensor", "row", "block"};
  return names;
}
std::span<const std::string_view> enum_names(FineTune /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"full", "lora", "qlora"};
  return names;
}
std::span<const std::string_view> enum_names(LowRankTargets /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"all", "attention"};
  return names;
}
std::span<const std::string_view> enum_names(Group /*tag*/) {
  static constexpr std::array<std::string_view, 7> names = {"tensor",   "context", "expert", "data",
                                                            "pipeline", "shard",   "replica"};
  return names;
}
std::span<const std::string_view> enum_names(Framework /*tag*/) {
  static constexpr std::array<std::string_view, 5> names = {"megatron", "megatron_2021", "deepspeed", "fsdp",
                                                            "compiled"};
  return names;
}

int TrainingJob::shard_ranks() const {
  if (parallelism.sharding == Sharding::ddp) {
    return 1;
  }
  const int ranks = data() * parallelism.context;
  return parallelism.shard_group > 0 ? std::min(parallelism.shard_group, ranks) : ranks;
}

int TrainingJob::layers_per_stage() const {
  return (model.layers + parallelism.pipeline - 1) / parallelism.pipeline;
}

double TrainingJob::weight_bytes() const {
  return precision.compute == Precision::fp32 || precision.compute == Precision::tf32 ? 4.0 : 2.0;
}

double TrainingJob::activation_bytes() const { return weight_bytes(); }

double TrainingJob::gathered_activation_bytes() const {
  return precision.scaling == Scaling::row
             ? activation_bytes()
             : std::min(activation_bytes(), bytes_per_element(precision.compute));
}

void check_job(const TrainingJob& job, const std::string& path, std::vector<Problem>& problems);

void resolve_job(TrainingJob& job, const std::string& path, std::vector<Problem>& problems) {
  TrainingParallelism& p = job.parallelism;
  const std::int64_t inner = std::int64_t{1} * p.tensor * p.pipeline * p.context;
  resolve_images(job, path, problems);
  if (!p.data) {
    p.data = static_cast<int>(std::max<std::int64_t>(1, job.gpus / inner));
  }
  fill_defaults(job);
  check_job(job, path, problems);
}

}  // namespace gpuplan

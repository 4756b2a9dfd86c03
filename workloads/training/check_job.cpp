// The rules that a split must keep; each broken one is a Problem that names it.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "workloads/training/rules.h"
#include "workloads/training/vision.h"

namespace gpuplan {

void check_job(const TrainingJob& job, const std::string& path, std::vector<Problem>& problems);

namespace {

bool is_16_or_32_bit_float(Precision p) {
  return p == Precision::fp32 || p == Precision::bf16 || p == Precision::fp16;
}

void check_degrees(const TrainingJob& job, Rules& rules) {
  const TrainingParallelism& p = job.parallelism;
  const std::int64_t product = std::int64_t{1} * job.data() * p.tensor * p.pipeline * p.context;
  rules.require(
      product == job.gpus, "parallelism",
      [&] {
        return fmt::format("data {} x tensor {} x pipeline {} x context {} = {}", job.data(), p.tensor,
                           p.pipeline, p.context, product);
      },
      [&] { return fmt::format("a product of the {} GPUs of the machine", job.gpus); });
  const Model& m = job.model;
  rules.require(
      m.heads % p.tensor == 0, "parallelism.tensor", [&] { return std::to_string(p.tensor); },
      [&] { return fmt::format("a divisor of the {} attention heads of {}", m.heads, m.name); });
  rules.require(
      m.kv_heads % p.tensor == 0 || p.tensor % std::max(1, m.kv_heads) == 0, "parallelism.tensor",
      [&] { return std::to_string(p.tensor); },
      [&] { return fmt::format("a divisor or multiple of the {} key-value heads", m.kv_heads); });
  const int chunks = p.pipeline * p.virtual_stages;
  rules.require(
      chunks <= m.layers + 2, "parallelism.pipeline",
      [&] {
        return fmt::format("pipeline {} x virtual_stages {} = {}", p.pipeline, p.virtual_stages, chunks);
      },
      [&] { return fmt::format("at most the {} layers of {}, embedding and head", m.layers, m.name); });
  rules.require(
      p.virtual_stages == 1 || m.layers % chunks == 0 || (m.layers + 2) % chunks == 0,
      "parallelism.virtual_stages",
      [&] {
        return fmt::format("pipeline {} x virtual_stages {} = {}", p.pipeline, p.virtual_stages, chunks);
      },
      [&] {
        return fmt::format("a divisor of the {} layers (or, with embedding and head, of {})", m.layers,
                           m.layers + 2);
      });
  rules.require(
      p.virtual_stages == 1 || p.pipeline > 1, "parallelism.virtual_stages",
      [&] { return std::to_string(p.virtual_stages); }, [] { return "1 without pipeline parallelism"; });
  const bool interleaves = p.schedule == PipelineSchedule::interleaved;
  rules.require(
      p.virtual_stages == 1 || interleaves || p.schedule == PipelineSchedule::zero_bubble,
      "parallelism.schedule", [&] { return fmt::format("\"{}\"", json::name_of(*p.schedule)); },
      [] { return "interleaved, with virtual_stages above 1"; });
  if (m.moe) {
    rules.require(
        m.moe->experts % p.expert == 0, "parallelism.expert", [&] { return std::to_string(p.expert); },
        [&] { return fmt::format("a divisor of the {} experts", m.moe->experts); });
    rules.require((job.data() * p.context * p.tensor) % p.expert == 0, "parallelism.expert",
                  [&] { return std::to_string(p.expert); },
                  [&] {
                    return fmt::format("a divisor of data x context x tensor = {}",
                                       job.data() * p.context * p.tensor);
                  });
  } else {
    rules.require(
        p.expert == 1, "parallelism.expert", [&] { return std::to_string(p.expert); },
        [&] { return fmt::format("1: {} has no experts", m.name); });
  }
  const int ranks = job.data() * p.context;
  rules.require(
      p.shard_group == 0 || (p.shard_group <= ranks && ranks % p.shard_group == 0), "parallelism.shard_group",
      [&] { return std::to_string(p.shard_group); },
      [&] { return fmt::format("a divisor of data x context = {}", ranks); });
}

void check_batch(const TrainingJob& job, Rules& rules) {
  const TrainingParallelism& p = job.parallelism;
  const TrainingBatch& b = job.batch;
  const std::int64_t once = std::int64_t{1} * job.data() * b.micro_batch;
  rules.require(
      b.global_batch % once == 0, "batch.global_batch", [&] { return std::to_string(b.global_batch); },
      [&] {
        return fmt::format("a multiple of data {} x micro_batch {} = {}", job.data(), b.micro_batch, once);
      });
  const std::int64_t parts =
      std::int64_t{1} * p.context * (*p.sequence_parallel && p.tensor > 1 ? p.tensor : 1);
  rules.require(
      job.sees_images() || (b.seq_len > 0 && b.seq_len % parts == 0), "batch.seq_len",
      [&] { return std::to_string(b.seq_len); },
      [&] { return fmt::format("a multiple of {} (context, and tensor with sequence_parallel)", parts); });
  rules.require(
      p.schedule != PipelineSchedule::interleaved || p.pipeline == 1 || job.micro_batches() % p.pipeline == 0,
      "batch.global_batch", [&] { return fmt::format("{} micro-batches a rank", job.micro_batches()); },
      [&] { return fmt::format("a multiple of the {} pipeline stages (interleaved)", p.pipeline); });
  rules.require(
      p.context_exchange != ContextExchange::ulysses || p.context == 1 ||
          (job.model.heads / p.tensor) % p.context == 0,
      "parallelism.context", [&] { return std::to_string(p.context); },
      [&] {
        return fmt::format("a divisor of the {} heads of a rank (ulysses)", job.model.heads / p.tensor);
      });
}

void check_formats(const TrainingJob& job, Rules& rules) {
  const Precision c = job.precision.compute;
  const bool computes = c == Precision::bf16 || c == Precision::fp16 || c == Precision::fp8 ||
                        c == Precision::fp8_block || c == Precision::tf32 || c == Precision::fp32 ||
                        c == Precision::nvfp4 || c == Precision::mxfp4;
  rules.require(
      computes, "precision.compute", [&] { return fmt::format("\"{}\"", json::name_of(c)); },
      [] { return "a format that is trained in: bf16, fp16, fp8, fp8_block, nvfp4, mxfp4, tf32 or fp32"; });
  for (const auto& format : {std::pair{"precision.gradients", *job.precision.gradients},
                             {"precision.reduce", *job.precision.reduce}}) {
    rules.require(
        is_16_or_32_bit_float(format.second), format.first,
        [&] { return fmt::format("\"{}\"", json::name_of(format.second)); },
        [] { return "fp32, bf16 or fp16"; });
  }
  rules.require(
      job.fine_tune.method == FineTune::full || job.parallelism.pipeline == 1, "fine_tune.method",
      [&] { return fmt::format("\"{}\"", json::name_of(job.fine_tune.method)); },
      [] { return "full, with pipeline parallelism"; });
  rules.require(
      job.recompute_layers <= job.layers_per_stage(), "recompute_layers",
      [&] { return std::to_string(job.recompute_layers); },
      [&] { return fmt::format("at most the {} layers of a stage", job.layers_per_stage()); });
  const std::vector<Group>& placement = job.parallelism.placement;
  constexpr std::array<Group, 4> all = {Group::tensor, Group::context, Group::data, Group::pipeline};
  const bool ordered =
      placement.empty() || std::is_permutation(placement.begin(), placement.end(), all.begin(), all.end());
  rules.require(
      ordered, "parallelism.placement", [&] { return fmt::format("{} groups", placement.size()); },
      [] { return "tensor, context, data and pipeline, each once"; });
}

}  // namespace

void check_job(const TrainingJob& job, const std::string& path, std::vector<Problem>& problems) {
  Rules rules(path, problems);
  if (job.model.kind != ModelKind::decoder && !job.sees_images()) {
    rules.require(
        !problems.empty(), "model",  // else its shape is what is wrong
        [&] { return fmt::format("\"{}\" ({})", job.model.name, json::name_of(job.model.kind)); },
        [] { return "a decoder, a vision transformer or a bottleneck ResNet"; });
    return;
  }
  if (job.vit() != nullptr) {
    check_vit(job, rules);
  } else if (job.convnet() != nullptr) {
    check_convnet(job, rules);
  }
  check_degrees(job, rules);
  if (job.data() > 0 && job.gpus > 0) {
    check_batch(job, rules);
  }
  check_formats(job, rules);
}

}  // namespace gpuplan

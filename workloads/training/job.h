// A training job as plain specs: how the model is spread over GPUs, what a step processes, in which formats,
// with which software. Described once (json::describe); the lowering, the memory model and the estimate all
// read these.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hwmodels/catalogue/precision.h"
#include "hwmodels/json/describe.h"
#include "workloads/models/model.h"
#include "workloads/models/resnet.h"
#include "workloads/models/vit.h"
#include "workloads/training/input_spec.h"

namespace gpuplan {

// Order in which the micro-batches of a step pass the pipeline. gpipe: all forward, then all backward; 1f1b:
// one forward, one backward in turn; interleaved: 1f1b over several model chunks a rank; zero_bubble: weight
// gradients fill the bubble (ZB-H1: memory of 1f1b); dualpipe: two directions at once, two copies of a stage.
enum class PipelineSchedule { gpipe, one_forward_one_backward, interleaved, zero_bubble, dualpipe };
std::span<const std::string_view> enum_names(PipelineSchedule tag);

// What data-parallel ranks hold once between them. ddp: nothing; zero1: optimiser state; zero2: and
// gradients; zero3, fsdp: and weights (fsdp gathers them layer by layer).
enum class Sharding { ddp, zero1, zero2, zero3, fsdp };
std::span<const std::string_view> enum_names(Sharding tag);

// Activations computed again in the backward pass. selective: of attention, what is quadratic in the sequence
// (Megatron); operations: everything but attention and every other matrix product (torchtitan's selective
// checkpointing by operation); full: all of a layer but its input.
enum class Recompute { none, selective, operations, full };
std::span<const std::string_view> enum_names(Recompute tag);

enum class Optimizer { adamw, adamw_8bit, adafactor, sgd, muon };
std::span<const std::string_view> enum_names(Optimizer tag);

enum class Offload { none, optimizer, optimizer_and_weights };  // off the GPU, over PCIe or C2C
std::span<const std::string_view> enum_names(Offload tag);

enum class OffloadTo { host, nvme };  // the node's memory, or its drives
std::span<const std::string_view> enum_names(OffloadTo tag);

enum class ContextExchange { ring, ulysses };  // keys and values around a ring, or heads for sequence
std::span<const std::string_view> enum_names(ContextExchange tag);

// flash_1: FlashAttention before version 2 (2022 to mid 2023); standard writes the scores to memory.
enum class AttentionKernel { flash, flash_1, standard };
std::span<const std::string_view> enum_names(AttentionKernel tag);

// What an 8- or 4-bit scale covers. tensor: all of it (TransformerEngine's delayed and current scaling,
// torchao's tensorwise); row: a row (torchao's rowwise); block: some 32 elements (MXFP8), their scales read
// by the matrix units.
enum class Scaling { tensor, row, block };
std::span<const std::string_view> enum_names(Scaling tag);

// How tokens reach their experts. all_to_all: once for each expert; deduplicated: once for each node (DeepEP,
// HybridEP).
enum class ExpertDispatch { all_to_all, deduplicated };
std::span<const std::string_view> enum_names(ExpertDispatch tag);

enum class FineTune { full, lora, qlora };
std::span<const std::string_view> enum_names(FineTune tag);

// Groups of ranks that communicate. shard and replica are parts of data (HSDP).
enum class Group { tensor, context, expert, data, pipeline, shard, replica };
std::span<const std::string_view> enum_names(Group tag);

// Which software runs it; fields of `software` override what it sets. megatron: Megatron-Core since 2023;
// megatron_2021: of the SC21 paper; deepspeed: Megatron-DeepSpeed; fsdp: eager PyTorch FSDP with
// FlashAttention; compiled: PyTorch FSDP2 with torch.compile. Both also stand for PyTorch's DDP.
enum class Framework { megatron, megatron_2021, deepspeed, fsdp, compiled };
std::span<const std::string_view> enum_names(Framework tag);

struct TrainingParallelism {
  std::optional<int> data;  // none: what the GPUs leave
  int tensor = 1;
  std::optional<bool> sequence_parallel;  // none: with tensor parallelism, in megatron and compiled
  int pipeline = 1;
  int virtual_stages = 1;
  int context = 1;
  ContextExchange context_exchange = ContextExchange::ring;
  int expert = 1;
  Sharding sharding = Sharding::ddp;
  int shard_group = 0;  // 0: all data-parallel ranks
  bool reshard_after_forward = true;
  int prefetch = 1;  // layers
  bool limit_all_gathers = true;
  std::optional<PipelineSchedule> schedule;
  std::vector<Group> placement;  // innermost first; empty: tensor, context, data, pipeline
};
template <class V>
void describe(V& v, TrainingParallelism& s) {
  constexpr json::Range degree{.min = 1, .max = 100000};
  v.field("data", s.data, "replicas of the model; default: the GPUs over tensor x pipeline x context",
          degree);
  v.field("tensor", s.tensor, "GPUs that share each matrix", degree);
  v.field("sequence_parallel", s.sequence_parallel,
          "whether the tensor-parallel ranks also share what lies between the matrices; default: as the "
          "framework does");
  v.field("pipeline", s.pipeline, "stages the layers are cut into", degree);
  v.field("virtual_stages", s.virtual_stages, "chunks of layers a rank holds (interleaved)", degree);
  v.field("context", s.context, "GPUs that share each sequence", degree);
  v.field("context_exchange", s.context_exchange, "how they see each other's keys and values");
  v.field("expert", s.expert, "GPUs that share the experts of a layer, out of the data-parallel ones",
          degree);
  v.field("sharding", s.sharding, "what data-parallel ranks hold once between them");
  v.field("shard_group", s.shard_group,
          "ranks that hold one copy (HSDP, ZeRO scope); 0: all data-parallel ones",
          json::Range{.min = 0, .max = 100000});
  v.field("reshard_after_forward", s.reshard_after_forward,
          "fsdp: whether weights are dropped after the forward pass and gathered again");
  v.field("prefetch", s.prefetch,
          "fsdp: layers whose weights are gathered ahead of the one that runs; 0: each waits for its own",
          json::Range{.min = 0, .max = 1000});
  v.field(
      "limit_all_gathers", s.limit_all_gathers,
      "fsdp: whether gathers wait for the layers before them; else all of a pass may lie gathered at once");
  v.field("schedule", s.schedule, "order of micro-batches in the pipeline; default: 1f1b, or interleaved");
  v.field("placement", s.placement,
          "order of the groups from neighbouring GPUs outwards; default: tensor, context, data, pipeline");
}

struct TrainingBatch {
  int global_batch = 0;  // sequences or images
  int micro_batch = 1;   // the same
  std::int64_t seq_len = 0;
  int image_size = 0;  // pixels on a side
};
template <class V>
void describe(V& v, TrainingBatch& s) {
  v.field("global_batch", s.global_batch, "sequences or images of a step", json::Range{.min = 1, .max = 1e8},
          json::required);
  v.field("micro_batch", s.micro_batch, "sequences or images a rank processes at once",
          json::Range{.min = 1, .max = 1e6});
  v.field("seq_len", s.seq_len, "tokens of a sequence; 0: the model's", json::Range{.min = 0, .max = 1e8});
  v.field("image_size", s.image_size, "pixels on a side of an image; 0: the model's",
          json::Range{.min = 0, .max = 1 << 16});
}

struct TrainingPrecision {
  Precision compute = Precision::bf16;
  std::optional<Precision> gradients;  // accumulated and reduced in; none: fp32, or fp16 with fp16 compute
  std::optional<Precision> reduce;     // none: as accumulated (fsdp, compiled: the compute format's 16 bits)
  std::optional<Precision> gather;     // of sharded weights; none: 16 bits
  Scaling scaling = Scaling::tensor;   // of 8- and 4-bit formats
};
template <class V>
void describe(V& v, TrainingPrecision& s) {
  v.field("compute", s.compute, "what matrices are multiplied in: bf16, fp16, fp8, tf32, fp32, ...");
  v.field("gradients", s.gradients,
          "what gradients are accumulated in: fp32, bf16 or fp16; default: fp32, fp16 with fp16");
  v.field("reduce", s.reduce, "what gradients are sent in; default: as accumulated");
  v.field("gather", s.gather,
          "what sharded weights are sent in; default: 16 bits, or as they are computed in");
  v.field("scaling", s.scaling, "what a scale of an 8- or 4-bit format covers");
}

// Which frozen matrices of a layer carry low-rank additions.
enum class LowRankTargets { all, attention };
std::span<const std::string_view> enum_names(LowRankTargets tag);

struct FineTuneSpec {
  FineTune method = FineTune::full;
  int rank = 16;
  LowRankTargets targets = LowRankTargets::all;
};
template <class V>
void describe(V& v, FineTuneSpec& s) {
  v.field("method", s.method,
          "full: every weight is trained; lora: low-rank additions; qlora: those over 4-bit weights");
  v.field("rank", s.rank, "of the low-rank additions", json::Range{.min = 1, .max = 4096});
  v.field("targets", s.targets,
          "which matrices of a layer carry them; experts and the output matrix never do");
}

// Of convolutional networks.
struct ConvnetSoftware {
  std::optional<bool> channels_last, fused_norms, sync_batch_norm;
};
template <class V>
void describe(V& v, ConvnetSoftware& s) {
  v.field("channels_last", s.channels_last, "activations have channels last; default: true");
  v.field("fused_norms", s.fused_norms,
          "batch norm, addition and ReLU are one kernel; default: true in compiled, else false");
  v.field("sync_batch_norm", s.sync_batch_norm,
          "batch statistics are of all data-parallel ranks; default: false");
}

struct TrainingSoftware {
  Framework framework = Framework::megatron;
  std::optional<AttentionKernel> attention;
  std::optional<bool> dropout;
  std::optional<bool> fused_loss;
  std::optional<bool> overlap_gradients, overlap_parameters, overlap_tensor, overlap_pipeline;
  std::optional<bool> cuda_graphs;
  std::optional<bool> launch_blocking;
  bool owners_broadcast = false;
  ExpertDispatch expert_dispatch = ExpertDispatch::all_to_all;
  std::optional<bool> master_weights;
  std::optional<double> bucket_mb;
  std::optional<ConvnetSoftware> convnet;
  std::optional<bool> overlap_offload;  // set where something is offloaded
};
template <class V>
void describe(V& v, TrainingSoftware& s) {
  v.field("framework", s.framework, "what runs the step; sets the fields below that are not given");
  v.field("attention", s.attention, "FlashAttention, or scores in memory");
  v.field("dropout", s.dropout, "whether dropout masks are kept");
  v.field("fused_loss", s.fused_loss, "whether the loss reads the logits once, without fp32 copies");
  v.field("overlap_gradients", s.overlap_gradients, "gradients are reduced while the backward pass runs");
  v.field("overlap_parameters", s.overlap_parameters, "weights are gathered while the forward pass runs");
  v.field("overlap_tensor", s.overlap_tensor, "tensor-parallel collectives are cut up and overlapped");
  v.field("overlap_pipeline", s.overlap_pipeline, "stages send while they compute");
  v.field("cuda_graphs", s.cuda_graphs, "kernels are launched from CUDA graphs");
  v.field("expert_dispatch", s.expert_dispatch,
          "how often a token is sent: to each expert, or once to each node");
  v.field("owners_broadcast", s.owners_broadcast,
          "ZeRO: every rank sends the whole weights it updated to all, one rank after the other (InternEvo)");
  v.field("launch_blocking", s.launch_blocking,
          "the host waits for each kernel (CUDA_LAUNCH_BLOCKING=1): its time comes on top");
  v.field("master_weights", s.master_weights, "fp32 weights and moments beside the 16-bit ones");
  v.field("bucket_mb", s.bucket_mb,
          "ddp: MiB of gradients that are reduced at once; 0: a layer's; default: 25 in fsdp and compiled",
          json::Range{.min = 0, .max = 1e6});
  v.field("convnet", s.convnet, "of convolutional networks");
  v.field("overlap_offload", s.overlap_offload,
          "with offload: gradients go to the host behind the backward pass, weights come while others are "
          "computed with; default: they do");
}

// Everything the lowering needs, with no field left to default. Build with resolve_job.
struct TrainingJob {
  Model model;
  int gpus = 1;
  TrainingParallelism parallelism;  // all optional fields set
  TrainingBatch batch;
  Recompute recompute = Recompute::none;
  int recompute_layers = 0;  // of a stage; with full or selective: how many do so
  TrainingPrecision precision;
  Optimizer optimizer = Optimizer::adamw;
  Offload offload = Offload::none;
  OffloadTo offload_to = OffloadTo::host;
  std::optional<InputSpec> input;  // none: nothing is known of it, a share of the once-a-step overhead
  FineTuneSpec fine_tune;
  TrainingSoftware software;  // all optional fields set
  double expert_imbalance = 1.0, expert_capacity = 0.0;
  // Shape of a model that looks at images: a vision transformer, whose layers are in `model` besides, or a
  // ResNet, whose blocks are model.layers.
  std::variant<std::monostate, models::Vit, models::Resnet> vision;

  // Tokens of the most loaded rank's experts over the mean, less those above capacity.
  [[nodiscard]] double expert_load() const {
    return expert_capacity > 0.0 ? std::min(expert_imbalance, expert_capacity) : expert_imbalance;
  }
  [[nodiscard]] const models::Vit* vit() const { return std::get_if<models::Vit>(&vision); }
  [[nodiscard]] const models::Resnet* convnet() const { return std::get_if<models::Resnet>(&vision); }
  [[nodiscard]] bool sees_images() const { return vision.index() > 0; }
  [[nodiscard]] int data() const { return *parallelism.data; }
  [[nodiscard]] bool sequence_parallel() const {
    return *parallelism.sequence_parallel && parallelism.tensor > 1;
  }
  [[nodiscard]] PipelineSchedule schedule() const { return *parallelism.schedule; }
  [[nodiscard]] bool shards_weights() const {
    return parallelism.sharding == Sharding::zero3 || parallelism.sharding == Sharding::fsdp;
  }
  // Sharded weights that stay gathered through the micro-batches of a pipeline: gathered and scattered once a
  // step (PyTorch's FSDP2 under a pipeline, without resharding).
  [[nodiscard]] bool gathers_once() const {
    return shards_weights() && !parallelism.reshard_after_forward && parallelism.pipeline > 1;
  }
  // Ranks that share one copy of optimiser state (gradients, weights) as `sharding` says.
  [[nodiscard]] int shard_ranks() const;
  [[nodiscard]] int micro_batches() const {
    return std::max(1, batch.global_batch / (batch.micro_batch * data()));
  }
  [[nodiscard]] double tokens() const {
    return static_cast<double>(batch.global_batch) * static_cast<double>(batch.seq_len);
  }
  // Tokens of a micro-batch that one rank computes.
  [[nodiscard]] std::int64_t local_tokens() const {
    return batch.micro_batch * (batch.seq_len / parallelism.context);
  }
  [[nodiscard]] int layers_per_stage() const;  // of the fullest stage
  // Bytes of an element of weights, activations, accumulated and sent gradients.
  [[nodiscard]] double weight_bytes() const;
  [[nodiscard]] double activation_bytes() const;
  // Of what tensor-parallel ranks gather in front of a matrix product: the product's format where its scale
  // is known before (TransformerEngine and torchao quantise, then gather).
  [[nodiscard]] double gathered_activation_bytes() const;
  [[nodiscard]] double gradient_bytes() const { return bytes_per_element(*precision.gradients); }
  [[nodiscard]] double reduce_bytes() const { return bytes_per_element(*precision.reduce); }
  [[nodiscard]] double gather_bytes() const { return bytes_per_element(*precision.gather); }
};

// Fills what is left to default and checks every rule of the split; problems carry paths below `path`.
void resolve_job(TrainingJob& job, const std::string& path, std::vector<Problem>& problems);

}  // namespace gpuplan

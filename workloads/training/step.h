// A training step as a plain graph, the same for every rank of a stage: which kernels and collectives a
// layer's forward and backward pass take, which layers a stage has, what a step does once. The analytic
// estimate sums it, an engine can play it.
//
// Assumption: ranks of a group are symmetric, one stands for all.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hwmodels/collectives/communicator.h"
#include "hwmodels/kernels/operations.h"
#include "workloads/training/job.h"

namespace gpuplan {

// What part of a step an operation belongs to; breakdowns are by this.
enum class TrainingPart { gemm, attention, experts, elementwise, head, optimizer, convolution };
inline constexpr std::size_t kTrainingParts = 7;
std::span<const std::string_view> enum_names(TrainingPart tag);

using TrainingOperation =
    std::variant<kernels::Gemm, kernels::FlashAttention, kernels::StandardAttention, kernels::Elementwise,
                 kernels::Embedding, kernels::GroupedExperts, kernels::Convolution>;

struct TrainingKernel {
  std::string_view name;  // "qkv"
  TrainingPart part = TrainingPart::gemm;
  TrainingOperation operation;
  double count = 1.0;
  // Attention is priced forward and backward together: what the backward pass takes is the difference.
  bool backward_share = false;
  double launches = 1.0;  // kernels that the host launches for it
};

// How a collective may hide. none: the compute stream waits; matrices: behind the matrix product beside it
// (cut up, or in the shadow of the weight gradient); pass: behind other layers' work of the same pass.
enum class Overlap { none, matrices, pass };

struct TrainingCollective {
  std::string_view name;
  collectives::Collective kind = collectives::Collective::all_reduce;
  Group group = Group::tensor;
  Bytes bytes{0.0};  // as CollectiveOperation counts
  double count = 1.0;
  Overlap overlap = Overlap::none;
  // All-to-all of tokens that are sent to each node once (deduplicated dispatch): to how many experts a token
  // goes. 0: to each expert on its own.
  int experts_of_token = 0;
};

struct TrainingPhase {
  std::vector<TrainingKernel> kernels;
  std::vector<TrainingCollective> collectives;
};

// Of one micro-batch.
struct LayerWork {
  std::string name;  // "stage 1"; empty where `TrainingStep` names it
  TrainingPhase forward;
  TrainingPhase recompute;  // before the backward pass, where asked for
  TrainingPhase backward;   // gradients of inputs
  TrainingPhase weights;    // gradients of weights, added to what is accumulated
  // Of a sharded model: gathered before each pass, scattered behind the backward one.
  std::vector<TrainingCollective> gather_forward, gather_backward, scatter;
  Bytes load_forward{0.0}, load_backward{0.0};  // of weights that lie outside the GPU, before each pass
  double flops = 0.0;  // of the model: forward and backward, attention in full (PaLM's convention)
};

// Gradients that are reduced together once the backward passes of so many blocks of the stage have ended,
// from the last: head, layers, embedding.
struct GradientBucket {
  TrainingCollective reduce;
  int after = 0;
};

// Once a step, of a rank whose optimiser state lies outside its GPU (offload.h).
struct OffloadWork {
  Bytes gradients{0.0}, weights{0.0};  // to the host, and back
  Bytes host_traffic{0.0};             // through the host's memory
  Bytes nvme_read{0.0}, nvme_written{0.0};
};

struct StageWork {
  int layers = 0, moe_layers = 0, recomputed = 0;
  bool first = false, last = false;
  TrainingPhase optimizer;                     // once a step
  std::vector<TrainingCollective> reduce;      // gradients over data, once a step
  std::vector<GradientBucket> buckets;         // or these, in order
  std::vector<TrainingCollective> parameters;  // weights gathered back, once a step
  OffloadWork offload;
};

struct TrainingStep {
  LayerWork dense, sparse;       // a layer with a plain MLP, one with experts
  std::vector<LayerWork> chain;  // instead of those: layers that differ from each other, in order
  LayerWork embedding, head;
  std::vector<StageWork> stages;
  Bytes boundary{0.0};  // activations of a micro-batch that a rank of a stage sends to the next
  std::vector<TrainingCollective> rejoin;  // behind each receive
  int micro_batches = 1;
  double model_flops = 0.0;  // of the whole job and step
};

TrainingStep lower_training(const TrainingJob& job);

// What a stage sends to the next for a micro-batch, and what its ranks gather behind it.
struct StageBoundary {
  Bytes bytes{0.0};
  std::vector<TrainingCollective> rejoin;
};
StageBoundary lower_boundary(const TrainingJob& job);

// Parts of the lowering, a file each: layer.cpp, experts.cpp, head.cpp, data_parallel.cpp, buckets.cpp; of
// models that look at images vit.cpp and convnet.cpp (vision.h).
LayerWork lower_layer(const TrainingJob& job, bool experts);
void lower_experts(const TrainingJob& job, LayerWork& work);
std::vector<LayerWork> lower_chain(const TrainingJob& job);  // empty for transformers
LayerWork lower_embedding(const TrainingJob& job);
LayerWork lower_head(const TrainingJob& job);
void add_sharded_layer(const TrainingJob& job, bool experts, LayerWork& work);
void add_sharded(const TrainingJob& job, double elements, LayerWork& work);
std::vector<GradientBucket> gradient_buckets(const TrainingJob& job, int stage);
StageWork lower_stage(const TrainingJob& job, int stage);

}  // namespace gpuplan

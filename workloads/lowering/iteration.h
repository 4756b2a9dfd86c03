// Lowering of one serving iteration: which kernels one tensor-parallel rank runs for a batch of tokens.
//
// Assumption: ranks are symmetric (each has 1/TP of every matrix and of the heads), so one rank stands for
// all. The kernels are those of an engine that fuses: QKV in one GEMM, gate and up in one GEMM, residual add
// with the norm, rotary embedding and the write of K and V with attention (as the measured attention kernels
// have them: their price includes it). What a framework leaves unfused shows up in its
// engine profile. Known to be wrong for: engines without these fusions (eager PyTorch: more small kernels).
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "hwmodels/json/problem.h"
#include "hwmodels/kernels/operations.h"
#include "workloads/models/model.h"

namespace gpuplan {

// What part of the step an operation belongs to; breakdowns are by this.
enum class StepPart {
  gemm,
  attention_prefill,
  attention_decode,
  experts,
  norm_activation,
  embedding_sampling,
  all_reduce
};
inline constexpr std::size_t kStepParts = 7;
std::span<const std::string_view> enum_names(StepPart tag);

using AnyOperation =
    std::variant<kernels::Gemm, kernels::AttentionPrefill, kernels::AttentionDecode, kernels::Elementwise,
                 kernels::Embedding, kernels::Sampling, kernels::GroupedExperts, kernels::AllReduce>;

struct LoweredOperation {
  std::string_view name;  // "qkv_proj"
  StepPart part;
  AnyOperation operation;
  double count;  // launches per iteration (layers)
};

// How the model is stored and split.
struct Deployment {
  Precision weights = Precision::bf16;
  Precision activations = Precision::bf16;  // what matrices are computed in
  Precision kv = Precision::bf16;
  int tensor_parallel = 1;
  bool tensorrt_llm = false;  // decode kernels as that engine chooses them
};

// Problems of splitting `model` over the ranks: heads, KV heads and FFN must divide.
std::vector<Problem> check_split(const Model& model, int tensor_parallel, const std::string& path);
// Tensor-parallel degrees up to `most` that check_split accepts.
std::vector<int> legal_tensor_parallel(const Model& model, int most);

// KV heads that one rank stores (at least one: with more ranks than KV heads they are replicated).
int kv_heads_per_rank(const Model& model, int tensor_parallel);
// Bytes of weights on one rank. Linear layers are stored in `weights`, embeddings, lm_head, norms and router
// in 16 bit; norms (and MLA's down-projections) are replicated.
Bytes weights_per_rank(const Model& model, const Deployment& deployment);
// KV-cache bytes one token takes on one rank, all layers.
Bytes kv_bytes_per_token_per_rank(const Model& model, const Deployment& deployment);

class IterationLowering {
 public:
  IterationLowering(const Model& model, const Deployment& deployment);

  // Everything that depends only on the number of tokens in the batch: the layers without attention.
  void body(std::int64_t tokens, std::vector<LoweredOperation>& out) const;
  // Final norm, lm_head and sampler for the sequences that emit a token.
  void head(std::int64_t sequences, std::vector<LoweredOperation>& out) const;
  // Attention of all layers for `batch` decoding sequences of mean context `context` (new token included).
  void decode_attention(std::int64_t batch, double context, std::vector<LoweredOperation>& out) const;
  // Attention of all layers for one prompt chunk of `queries` tokens that ends at position `context`.
  void prefill_attention(std::int64_t queries, std::int64_t context,
                         std::vector<LoweredOperation>& out) const;

  // Kernels launched per iteration (decode): what an eager engine pays launch time for.
  [[nodiscard]] double kernels_per_iteration() const;
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] const Deployment& deployment() const { return deployment_; }

 private:
  struct LayerGroup {
    double layers;
    std::int64_t window;  // 0: full attention
  };
  // Layers by attention kind: full, and sliding window where the model has one.
  [[nodiscard]] std::vector<LayerGroup> attention_groups() const;

  Model model_;
  Deployment deployment_;
};

}  // namespace gpuplan

// Model architectures as data: the shapes of a network, from our catalogue (workloads/models/data/, one
// JSON file a model) or from a Hugging Face config.json. Parameter counts are derived from the shapes,
// never stored, and tested against the published count.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/catalogue/precision.h"
#include "hwmodels/json/value.h"
#include "hwmodels/units/units.h"

namespace gpuplan {

// decoder: causal LLM (dense or MoE). The other kinds carry their shapes in `raw` until their lowering
// needs them; their parameters are derived all the same.
enum class ModelKind {
  decoder,
  encoder,
  encoder_decoder,
  vision_transformer,
  cnn,
  detector,
  diffusion,
  policy
};
std::span<const std::string_view> enum_names(ModelKind tag);
enum class Mlp { gated, plain };  // gated: gate, up, down (SwiGLU); plain: up, down
std::span<const std::string_view> enum_names(Mlp tag);
enum class Norm { rmsnorm, layernorm };
std::span<const std::string_view> enum_names(Norm tag);

// Multi-head latent attention (DeepSeek): sizes in elements; q_lora_rank 0 = full-rank query.
struct LatentAttention {
  int q_lora_rank = 0, kv_lora_rank = 0, qk_nope_head_dim = 0, qk_rope_head_dim = 0, v_head_dim = 0;
};

// Mixture of experts: layers from `first_dense_layers` on have `experts` experts, `top_k` of them active.
struct Experts {
  int experts = 0, top_k = 0, expert_ffn = 0;
  int shared_experts = 0, shared_ffn_each = 0;
  int first_dense_layers = 0;
  bool interleaved =
      false;  // dense and MoE layers alternate; first_dense_layers is then the dense ones' count
  bool router_bias = false;  // one value per expert: a bias, or DeepSeek's load-balancing correction
  bool expert_bias = false;  // biases on both expert projections (gpt-oss)
  bool shared_gate = false;  // a scalar gate on the shared experts (Qwen2-MoE)
};

struct PublishedCount {
  double parameters = 0.0;
  bool exact = false;  // false: rounded by its publisher
  std::string source;
};

struct Model {
  std::string name;  // "llama-2-13b"
  std::vector<std::string> aliases;
  std::string family;
  ModelKind kind = ModelKind::decoder;
  int layers = 0, hidden = 0, ffn = 0;
  int heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t vocab = 0;
  Mlp mlp = Mlp::gated;
  Norm norm = Norm::rmsnorm;
  bool tied_embeddings = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;
  bool qk_norm = false;
  bool qk_norm_per_head = false;   // with qk_norm: a weight per head and element, not one head's width shared
  bool learned_positions = false;  // a table of max_seq + extra_positions rows
  int extra_positions = 0;         // rows that are never looked up (OPT: 2)
  std::int64_t max_seq = 0;
  int sliding_window = 0;        // tokens, 0 = full attention
  int full_attention_every = 0;  // with a window: every n-th layer attends fully (0: none does)
  bool norm_weights = true;      // false: norms have no parameters (OLMo 1)
  bool norm_bias = true;         // LayerNorm only
  int norms_per_layer = 2;       // 1: parallel attention and MLP; 4: norms after each block too (Gemma 2)
  bool embedding_norm = false;   // a norm between embedding and first layer (BLOOM)
  bool lm_head_bias = false;
  bool attention_sinks = false;  // one learned logit per head (gpt-oss)
  std::optional<LatentAttention> mla;
  std::optional<Experts> moe;
  std::optional<PublishedCount> published;
  std::optional<double> published_active;  // parameters active per token
  std::string source;
  json::Value raw;
};

// Parameters derived from shapes, by where they live (elements, whole model). The parts add up to the total.
// A bias counts with its matrix; shared experts and the router count as mlp: every token runs them, and
// expert parallelism replicates them.
struct ParameterCount {
  double total = 0.0;
  double active = 0.0;     // touched by one token (all experts not chosen left out)
  double embedding = 0.0;  // input embedding (and learned positions)
  double lm_head = 0.0;    // 0 when tied
  double attention = 0.0, mlp = 0.0, experts = 0.0, norms = 0.0;
  double other = 0.0;  // convolutions, projectors, classifiers; 0 for decoders
};
ParameterCount count_parameters(const Model& model);

// Layers with experts; 0 for a dense model.
int moe_layers(const Model& model);

// Bytes of KV cache one token takes over all layers, whole model (not divided over tensor-parallel
// ranks): 2 layers kv_heads head_dim bytes, or layers (kv_lora_rank + rope) bytes for MLA. Sliding-window
// layers count in full (the upper bound before the window fills).
Bytes kv_bytes_per_token(const Model& model, Precision kv);

class ModelCatalogue {
 public:
  // Every file of workloads/models/data below the data root. Throws InputError.
  static ModelCatalogue load(const std::string& data_dir);
  [[nodiscard]] const std::vector<Model>& models() const { return models_; }
  // By name or alias (case and punctuation ignored, an organisation prefix "org/" dropped); nullptr where
  // there is none.
  [[nodiscard]] const Model* model(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::vector<Model> models_;
  std::map<std::string, std::size_t, std::less<>> by_name_;  // plain names and aliases
};

// A model from the text of a Hugging Face config.json (dense, GQA, MQA, MoE, MLA, sliding window;
// llama, mistral, qwen, gemma, gpt-neox, gpt2, falcon, phi, mixtral, deepseek, gpt-oss ... families).
// Throws InputError that names the field.
Model model_from_hf_config(const json::Value& config, const std::string& origin);

// A catalogue model with fields overridden inline (JSON names of a model file; nested objects merge).
// "base" is ignored (the caller has looked it up); "mla" and "moe" can be null, which takes them away;
// published counts are dropped, for they are the base's. The shapes are checked anew; throws InputError whose
// problems carry `path`.
Model with_overrides(const Model& base, const json::Value& overrides, const std::string& path);

}  // namespace gpuplan

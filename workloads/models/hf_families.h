// What a Hugging Face model_type implies beyond its config.json. Not for other floors.
#pragma once

#include <string_view>

#include "workloads/models/model.h"

namespace gpuplan::models {

// The defaults of a family, as huggingface/transformers models/<type>/ has them. Where a config.json states
// the matter itself, the config wins.
struct HfFamily {
  std::string_view model_type;
  Mlp mlp = Mlp::gated;
  Norm norm = Norm::rmsnorm;
  bool tied_embeddings = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;
  bool qk_norm = false, qk_norm_per_head = false;
  bool learned_positions = false;
  int extra_positions = 0;
  int norms_per_layer = 2;
  bool norm_weights = true, norm_bias = true;
  bool embedding_norm = false, lm_head_bias = false, attention_sinks = false;
  int full_attention_every = 0;       // with a window that the config does not spread over layers itself
  bool experts_in_ffn_width = false;  // experts have the width intermediate_size, there is no dense MLP
  bool router_bias = false, expert_bias = false, shared_gate = false;
  int shared_experts = 0;  // implied, of the experts' width
  // Sizes a config.json may leave out (Gemma 3); 0: it may not.
  int heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;
};

// nullptr for a type without an entry: its fields are read by their usual names.
const HfFamily* hf_family(std::string_view model_type);

// A reason why a network of that type is no decoder of ours; "" where it may be one.
std::string_view not_a_decoder(std::string_view model_type);

}  // namespace gpuplan::models

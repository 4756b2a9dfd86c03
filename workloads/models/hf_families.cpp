// A new family is one entry here.
#include "workloads/models/hf_families.h"

#include <array>

namespace gpuplan::models {

namespace {

constexpr HfFamily kLlama{.model_type = "llama"};
constexpr HfFamily kMistral{.model_type = "mistral"};
constexpr HfFamily kMixtral{.model_type = "mixtral", .experts_in_ffn_width = true};
constexpr HfFamily kQwen2{.model_type = "qwen2", .qkv_bias = true};
constexpr HfFamily kQwen2Moe{.model_type = "qwen2_moe", .qkv_bias = true, .shared_gate = true};
constexpr HfFamily kQwen3{.model_type = "qwen3", .qk_norm = true};
constexpr HfFamily kQwen3Moe{.model_type = "qwen3_moe", .qk_norm = true};
constexpr HfFamily kGemma{.model_type = "gemma", .tied_embeddings = true};
constexpr HfFamily kGemma2{
    .model_type = "gemma2", .tied_embeddings = true, .norms_per_layer = 4, .full_attention_every = 2};
constexpr HfFamily kGemma3{.model_type = "gemma3_text",
                           .tied_embeddings = true,
                           .qk_norm = true,
                           .norms_per_layer = 4,
                           .full_attention_every = 6,
                           .heads = 8,
                           .kv_heads = 4,
                           .head_dim = 256,
                           .vocab = 262208};
constexpr HfFamily kPhi{.model_type = "phi",
                        .mlp = Mlp::plain,
                        .norm = Norm::layernorm,
                        .qkv_bias = true,
                        .output_bias = true,
                        .mlp_bias = true,
                        .norms_per_layer = 1,
                        .lm_head_bias = true};
constexpr HfFamily kPhi3{.model_type = "phi3"};
constexpr HfFamily kGpt2{.model_type = "gpt2",
                         .mlp = Mlp::plain,
                         .norm = Norm::layernorm,
                         .tied_embeddings = true,
                         .qkv_bias = true,
                         .output_bias = true,
                         .mlp_bias = true,
                         .learned_positions = true};
constexpr HfFamily kGptJ{.model_type = "gptj",
                         .mlp = Mlp::plain,
                         .norm = Norm::layernorm,
                         .mlp_bias = true,
                         .norms_per_layer = 1,
                         .lm_head_bias = true};
constexpr HfFamily kGptNeox{.model_type = "gpt_neox",
                            .mlp = Mlp::plain,
                            .norm = Norm::layernorm,
                            .qkv_bias = true,
                            .output_bias = true,
                            .mlp_bias = true};
constexpr HfFamily kFalcon{
    .model_type = "falcon", .mlp = Mlp::plain, .norm = Norm::layernorm, .tied_embeddings = true};
constexpr HfFamily kOpt{.model_type = "opt",
                        .mlp = Mlp::plain,
                        .norm = Norm::layernorm,
                        .tied_embeddings = true,
                        .qkv_bias = true,
                        .output_bias = true,
                        .mlp_bias = true,
                        .learned_positions = true,
                        .extra_positions = 2};
constexpr HfFamily kBloom{.model_type = "bloom",
                          .mlp = Mlp::plain,
                          .norm = Norm::layernorm,
                          .tied_embeddings = true,
                          .qkv_bias = true,
                          .output_bias = true,
                          .mlp_bias = true,
                          .embedding_norm = true};
constexpr HfFamily kDeepseekV2{.model_type = "deepseek_v2"};
constexpr HfFamily kDeepseekV3{.model_type = "deepseek_v3", .router_bias = true};
constexpr HfFamily kKimi{.model_type = "kimi_k2", .router_bias = true};
constexpr HfFamily kGptOss{.model_type = "gpt_oss",
                           .qkv_bias = true,
                           .output_bias = true,
                           .attention_sinks = true,
                           .full_attention_every = 2,
                           .experts_in_ffn_width = true,
                           .router_bias = true,
                           .expert_bias = true};
constexpr HfFamily kStarcoder2{.model_type = "starcoder2",
                               .mlp = Mlp::plain,
                               .norm = Norm::layernorm,
                               .tied_embeddings = true,
                               .qkv_bias = true,
                               .output_bias = true,
                               .mlp_bias = true};
constexpr HfFamily kOlmo{.model_type = "olmo", .norm = Norm::layernorm, .norm_weights = false};
constexpr HfFamily kOlmo2{.model_type = "olmo2", .qk_norm = true, .qk_norm_per_head = true};
constexpr HfFamily kGranite{.model_type = "granite"};
constexpr HfFamily kCohere{.model_type = "cohere",
                           .norm = Norm::layernorm,
                           .tied_embeddings = true,
                           .qk_norm_per_head = true,
                           .norms_per_layer = 1,
                           .norm_bias = false};
constexpr HfFamily kCohere2{.model_type = "cohere2",
                            .norm = Norm::layernorm,
                            .tied_embeddings = true,
                            .norms_per_layer = 1,
                            .norm_bias = false,
                            .full_attention_every = 4};
constexpr HfFamily kLlama4{.model_type = "llama4_text",
                           .full_attention_every = 4,
                           .experts_in_ffn_width = true,
                           .shared_experts = 1};
constexpr HfFamily kMinimax{.model_type = "minimax_m2",
                            .qk_norm = true,
                            .qk_norm_per_head = true,
                            .experts_in_ffn_width = true,
                            .router_bias = true};

constexpr std::array kFamilies = {kLlama,      kMistral, kMixtral,    kQwen2,   kQwen2Moe,   kQwen3,
                                  kQwen3Moe,   kGemma,   kGemma2,     kGemma3,  kPhi,        kPhi3,
                                  kGpt2,       kGptJ,    kGptNeox,    kFalcon,  kOpt,        kBloom,
                                  kDeepseekV2, kKimi,    kDeepseekV3, kGptOss,  kStarcoder2, kOlmo,
                                  kOlmo2,      kGranite, kCohere,     kCohere2, kLlama4,     kMinimax};

// Other names of the same architecture.
constexpr std::array<std::array<std::string_view, 2>, 6> kSame = {{{"RefinedWeb", "falcon"},
                                                                   {"RefinedWebModel", "falcon"},
                                                                   {"gemma3", "gemma3_text"},
                                                                   {"kimi_k25", "kimi_k2"},
                                                                   {"llama4", "llama4_text"},
                                                                   {"Yi", "llama"}}};

constexpr std::array<std::string_view, 22> kOthers = {
    "bert",       "roberta", "distilbert", "xlm-roberta", "deberta", "deberta-v2", "electra", "albert",
    "modernbert", "t5",      "mt5",        "bart",        "mbart",   "pegasus",    "whisper", "wav2vec2",
    "vit",        "clip",    "siglip",     "dinov2",      "resnet",  "detr"};

}  // namespace

const HfFamily* hf_family(std::string_view model_type) {
  for (const auto& [name, same] : kSame) {
    if (name == model_type) {
      model_type = same;
    }
  }
  for (const HfFamily& family : kFamilies) {
    if (family.model_type == model_type) {
      return &family;
    }
  }
  return nullptr;
}

std::string_view not_a_decoder(std::string_view model_type) {
  for (const std::string_view other : kOthers) {
    if (other == model_type) {
      return "an encoder, encoder-decoder or vision network";
    }
  }
  return "";
}

}  // namespace gpuplan::models

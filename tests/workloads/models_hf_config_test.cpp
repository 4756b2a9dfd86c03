// Hugging Face config.json: counts of well-known checkpoints, refusals that name the field. The configs are
// the public ones, shortened to what bears on shapes; counts are those of the checkpoints (safetensors.total)
// or, with a tolerance of 2 %, the publishers' rounded ones.
#include <catch2/catch.hpp>
#include <cmath>

#include "hwmodels/json/problem.h"
#include "workloads/models/model.h"

namespace gpuplan {
namespace {

Model read(const std::string& text) { return model_from_hf_config(json::parse(text, "test"), "config.json"); }

double parameters(const std::string& text) { return count_parameters(read(text)).total; }

std::string complaint(const std::string& text) {
  try {
    static_cast<void>(read(text));
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

const std::string kLlama2_13b = R"({"architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
    "hidden_size": 5120, "intermediate_size": 13824, "max_position_embeddings": 4096, "model_type": "llama",
    "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 40, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_scaling": null, "tie_word_embeddings": false, "vocab_size": 32000})";

const std::string kDeepseekV3 = R"({"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false,
    "first_k_dense_replace": 3, "hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432,
    "kv_lora_rank": 512, "max_position_embeddings": 163840, "model_type": "deepseek_v3",
    "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61,
    "num_key_value_heads": 128, "num_nextn_predict_layers": 1, "q_lora_rank": 1536, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "tie_word_embeddings": false, "topk_method": "noaux_tc",
    "v_head_dim": 128, "vocab_size": 129280})";

const std::string kMixtral = R"({"architectures": ["MixtralForCausalLM"], "hidden_size": 4096,
    "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mixtral",
    "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32, "num_key_value_heads": 8,
    "num_local_experts": 8, "rms_norm_eps": 1e-05, "sliding_window": null, "tie_word_embeddings": false,
    "vocab_size": 32000})";

struct Published {
  const char* name;
  double parameters;
  std::string config;
};

}  // namespace

TEST_CASE("hf config: exact counts of published checkpoints") {
  const Published all[] = {
      // 13,015,866,880 in the checkpoint, 2,560 of them rotary frequencies.
      {"Llama-2-13b-hf", 13015864320, kLlama2_13b},
      {"Llama-3.1-70B", 70553706496, R"({"attention_bias": false, "hidden_act": "silu", "hidden_size": 8192,
        "intermediate_size": 28672, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
        "num_attention_heads": 64, "num_hidden_layers": 80, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}, "tie_word_embeddings": false,
        "vocab_size": 128256})"},
      {"Mistral-7B-v0.1", 7241732096,
       R"({"hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "sliding_window": 4096,
        "tie_word_embeddings": false, "vocab_size": 32000})"},
      {"Mistral-Nemo-Instruct-2407", 12247782400, R"({"head_dim": 128, "hidden_size": 5120,
        "intermediate_size": 14336, "max_position_embeddings": 1024000, "model_type": "mistral",
        "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8, "sliding_window": null,
        "tie_word_embeddings": false, "vocab_size": 131072})"},
      {"Mixtral-8x7B-v0.1", 46702792704, kMixtral},
      {"gpt-oss-20b", 20914757184, R"({"attention_bias": true, "experts_per_token": 4, "head_dim": 64,
        "hidden_act": "silu", "hidden_size": 2880, "intermediate_size": 2880,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention",
          "sliding_attention", "full_attention", "sliding_attention", "full_attention", "sliding_attention",
          "full_attention", "sliding_attention", "full_attention", "sliding_attention", "full_attention",
          "sliding_attention", "full_attention", "sliding_attention", "full_attention", "sliding_attention",
          "full_attention", "sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        "max_position_embeddings": 131072, "model_type": "gpt_oss", "num_attention_heads": 64,
        "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 8, "num_local_experts": 32,
        "rms_norm_eps": 1e-05, "sliding_window": 128, "swiglu_limit": 7.0, "tie_word_embeddings": false,
        "vocab_size": 201088})"},
      {"Qwen3-32B", 32762123264, R"({"attention_bias": false, "head_dim": 128, "hidden_act": "silu",
        "hidden_size": 5120, "intermediate_size": 25600, "max_position_embeddings": 40960,
        "max_window_layers": 64, "model_type": "qwen3", "num_attention_heads": 64, "num_hidden_layers": 64,
        "num_key_value_heads": 8, "sliding_window": null, "tie_word_embeddings": false,
        "use_sliding_window": false, "vocab_size": 151936})"},
      {"Qwen3-30B-A3B", 30532122624, R"({"attention_bias": false, "decoder_sparse_step": 1, "head_dim": 128,
        "hidden_size": 2048, "intermediate_size": 6144, "max_position_embeddings": 40960, "mlp_only_layers": [],
        "model_type": "qwen3_moe", "moe_intermediate_size": 768, "num_attention_heads": 32, "num_experts": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4,
        "tie_word_embeddings": false, "vocab_size": 151936})"},
      {"Qwen2.5-7B-Instruct", 7615616512, R"({"hidden_act": "silu", "hidden_size": 3584,
        "intermediate_size": 18944, "max_position_embeddings": 32768, "model_type": "qwen2",
        "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 131072,
        "tie_word_embeddings": false, "use_sliding_window": false, "vocab_size": 152064})"},
      // KerasHub preset metadata, qwen-1.5-moe.
      {"Qwen1.5-MoE-A2.7B", 14315784192, R"({"decoder_sparse_step": 1, "hidden_size": 2048,
        "intermediate_size": 5632, "max_position_embeddings": 8192, "model_type": "qwen2_moe",
        "moe_intermediate_size": 1408, "num_attention_heads": 16, "num_experts": 60, "num_experts_per_tok": 4,
        "num_hidden_layers": 24, "num_key_value_heads": 16, "shared_expert_intermediate_size": 5632,
        "tie_word_embeddings": false, "vocab_size": 151936})"},
      {"gemma-7b-it", 8537680896, R"({"head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 3072, "intermediate_size": 24576, "max_position_embeddings": 8192, "model_type": "gemma",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 16, "vocab_size": 256000})"},
      {"gemma-2-9b-it", 9241705984, R"({"attention_bias": false, "head_dim": 256, "hidden_size": 3584,
        "intermediate_size": 14336, "max_position_embeddings": 8192, "model_type": "gemma2",
        "num_attention_heads": 16, "num_hidden_layers": 42, "num_key_value_heads": 8, "sliding_window": 4096,
        "vocab_size": 256000})"},
      {"Phi-3-mini-4k-instruct", 3821079552, R"({"attention_bias": false, "hidden_size": 3072,
        "intermediate_size": 8192, "max_position_embeddings": 4096, "model_type": "phi3",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "sliding_window": 2047,
        "tie_word_embeddings": false, "vocab_size": 32064})"},
      {"phi-2", 2779683840, R"({"hidden_act": "gelu_new", "hidden_size": 2560, "intermediate_size": 10240,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "model_type": "phi",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "qk_layernorm": false,
        "tie_word_embeddings": false, "vocab_size": 51200})"},
      {"gpt2", 124439808, R"({"activation_function": "gelu_new", "model_type": "gpt2", "n_ctx": 1024,
        "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257})"},
      {"gpt-j-6b", 6050882784, R"({"activation_function": "gelu_new", "model_type": "gptj", "n_embd": 4096,
        "n_head": 16, "n_inner": null, "n_layer": 28, "n_positions": 2048, "rotary_dim": 64,
        "tie_word_embeddings": false, "vocab_size": 50400})"},
      {"gpt-neox-20b", 20554567680, R"({"hidden_act": "gelu_fast", "hidden_size": 6144,
        "intermediate_size": 24576, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048,
        "model_type": "gpt_neox", "num_attention_heads": 64, "num_hidden_layers": 44,
        "tie_word_embeddings": false, "vocab_size": 50432})"},
      // 7,217,189,760 in the checkpoint, which stores the tied matrix of 65024 x 4544 twice.
      {"falcon-7b", 7217189760.0 - 65024.0 * 4544, R"({"alibi": false, "bias": false, "hidden_size": 4544,
        "model_type": "falcon", "multi_query": true, "new_decoder_architecture": false,
        "num_attention_heads": 71, "num_hidden_layers": 32, "parallel_attn": true, "vocab_size": 65024})"},
      // 179,522,565,120 in the checkpoint, tied matrix twice.
      {"falcon-180B", 179522565120.0 - 65024.0 * 14848,
       R"({"alibi": false, "bias": false, "hidden_size": 14848,
        "model_type": "falcon", "multi_query": true, "new_decoder_architecture": true,
        "num_attention_heads": 232, "num_hidden_layers": 80, "num_kv_heads": 8, "parallel_attn": true,
        "vocab_size": 65024})"},
      {"OLMo-2-1124-7B", 7298617344, R"({"attention_bias": false, "hidden_size": 4096,
        "intermediate_size": 11008, "max_position_embeddings": 4096, "model_type": "olmo2",
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32, "rms_norm_eps": 1e-06,
        "tie_word_embeddings": false, "vocab_size": 100352})"},
      // MiniMax-M2.7, of the same shapes.
      {"MiniMax-M2", 228689764864, R"({"head_dim": 128, "hidden_act": "silu", "hidden_size": 3072,
        "intermediate_size": 1536, "max_position_embeddings": 196608, "model_type": "minimax_m2",
        "num_attention_heads": 48, "num_experts_per_tok": 8, "num_hidden_layers": 62, "num_key_value_heads": 8,
        "num_local_experts": 256, "qk_norm_type": "per_layer", "rms_norm_eps": 1e-06,
        "tie_word_embeddings": false, "use_qk_norm": true, "use_routing_bias": true, "vocab_size": 200064})"},
  };
  for (const Published& checkpoint : all) {
    INFO(checkpoint.name);
    CHECK(parameters(checkpoint.config) == checkpoint.parameters);
  }
}

TEST_CASE("hf config: rounded counts") {
  const Published all[] = {
      {"DeepSeek-V3, README", 671e9, kDeepseekV3},
      {"Kimi-K2-Instruct, checkpoint", 1026408235864,
       R"({"first_k_dense_replace": 1, "hidden_size": 7168, "intermediate_size": 18432,
        "kv_lora_rank": 512, "max_position_embeddings": 131072, "model_type": "kimi_k2",
        "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_routed_experts": 384, "n_shared_experts": 1,
        "num_attention_heads": 64, "num_experts_per_tok": 8, "num_hidden_layers": 61,
        "num_key_value_heads": 64, "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "tie_word_embeddings": false, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 163840})"},
      {"DeepSeek-V2-Lite, README", 15.7e9, R"({"first_k_dense_replace": 1, "hidden_size": 2048,
        "intermediate_size": 10944, "kv_lora_rank": 512, "max_position_embeddings": 163840,
        "model_type": "deepseek_v2", "moe_intermediate_size": 1408, "moe_layer_freq": 1, "n_routed_experts": 64,
        "n_shared_experts": 2, "num_attention_heads": 16, "num_experts_per_tok": 6, "num_hidden_layers": 27,
        "num_key_value_heads": 16, "q_lora_rank": null, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
        "topk_method": "greedy", "v_head_dim": 128, "vocab_size": 102400})"},
      {"opt-6.7b, arXiv 2205.01068", 6.7e9, R"({"do_layer_norm_before": true, "enable_bias": true,
        "ffn_dim": 16384, "hidden_size": 4096, "max_position_embeddings": 2048, "model_type": "opt",
        "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 50272,
        "word_embed_proj_dim": 4096})"},
      {"bloom, arXiv 2211.05100", 176.247e9, R"({"hidden_size": 14336, "model_type": "bloom", "n_head": 112,
        "n_layer": 70, "seq_length": 2048, "vocab_size": 250880})"},
      {"starcoder2-7b, arXiv 2402.19173", 7.2e9, R"({"hidden_act": "gelu_pytorch_tanh", "hidden_size": 4608,
        "intermediate_size": 18432, "max_position_embeddings": 16384, "model_type": "starcoder2",
        "norm_epsilon": 1e-05, "num_attention_heads": 36, "num_hidden_layers": 32, "num_key_value_heads": 4,
        "sliding_window": 4096, "use_bias": true, "vocab_size": 49152})"},
      {"OLMo-7B, arXiv 2402.00838", 6.9e9, R"({"hidden_size": 4096, "intermediate_size": 11008,
        "max_position_embeddings": 2048, "model_type": "olmo", "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 32, "tie_word_embeddings": false,
        "vocab_size": 50304})"},
      {"granite-3.0-8b, model card", 8.1e9, R"({"attention_bias": false, "hidden_size": 4096,
        "intermediate_size": 12800, "max_position_embeddings": 4096, "mlp_bias": false,
        "model_type": "granite", "num_attention_heads": 32, "num_hidden_layers": 40,
        "num_key_value_heads": 8, "tie_word_embeddings": true, "vocab_size": 49155})"},
      {"c4ai-command-r-v01, model card", 35e9, R"({"attention_bias": false, "hidden_size": 8192,
        "intermediate_size": 22528, "layer_norm_eps": 1e-05, "max_position_embeddings": 8192,
        "model_type": "cohere", "num_attention_heads": 64, "num_hidden_layers": 40, "num_key_value_heads": 64,
        "use_qk_norm": false, "vocab_size": 256000})"},
      {"Llama-4-Scout, model card", 109e9, R"({"model_type": "llama4", "text_config": {
        "attention_bias": false, "attention_chunk_size": 8192, "head_dim": 128, "hidden_size": 5120,
        "interleave_moe_layer_step": 1, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
        "max_position_embeddings": 10485760, "model_type": "llama4_text", "num_attention_heads": 40,
        "num_experts_per_tok": 1, "num_hidden_layers": 48, "num_key_value_heads": 8, "num_local_experts": 16,
        "vocab_size": 202048}, "vision_config": {"hidden_size": 1408}})"},
      {"Llama-4-Maverick, model card", 400e9, R"({"model_type": "llama4", "text_config": {
        "attention_bias": false, "attention_chunk_size": 8192, "head_dim": 128, "hidden_size": 5120,
        "interleave_moe_layer_step": 2, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
        "max_position_embeddings": 1048576, "model_type": "llama4_text", "num_attention_heads": 40,
        "num_experts_per_tok": 1, "num_hidden_layers": 48, "num_key_value_heads": 8, "num_local_experts": 128,
        "vocab_size": 202048}})"},
      // The language model of 4.3B with vision: arXiv 2503.19786, Table 1, 675M embedding and 3,209M others.
      {"gemma-3-4b", 675e6 + 3209e6, R"({"model_type": "gemma3", "text_config": {"hidden_size": 2560,
        "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
        "sliding_window": 1024}, "vision_config": {"hidden_size": 1152}})"},
  };
  for (const Published& checkpoint : all) {
    INFO(checkpoint.name);
    CHECK(parameters(checkpoint.config) == Approx(checkpoint.parameters).epsilon(0.02));
  }
}

TEST_CASE("hf config: what attention and windows become") {
  const Model deepseek = read(kDeepseekV3);
  REQUIRE(deepseek.mla);
  CHECK(deepseek.mla->kv_lora_rank == 512);
  CHECK(deepseek.head_dim == 192);
  CHECK(deepseek.moe->first_dense_layers == 3);
  CHECK(deepseek.moe->router_bias);
  CHECK(kv_bytes_per_token(deepseek, Precision::bf16).si() == 70272.0);

  const Model mixtral = read(kMixtral);
  CHECK(mixtral.ffn == 0);
  CHECK(mixtral.moe->expert_ffn == 14336);
  CHECK(mixtral.sliding_window == 0);

  const Model falcon = read(R"({"hidden_size": 4544, "model_type": "RefinedWebModel", "multi_query": true,
      "n_head": 71, "n_layer": 32, "parallel_attn": true, "vocab_size": 65024})");
  CHECK(falcon.kv_heads == 1);
  CHECK(falcon.head_dim == 64);
  CHECK(falcon.norms_per_layer == 1);
  CHECK(falcon.tied_embeddings);

  const std::string windowed = R"({"model_type": "MODEL", "hidden_size": 64, "intermediate_size": 64,
      "num_attention_heads": 4, "num_hidden_layers": 12, "vocab_size": 100, "sliding_window": 16 MORE})";
  const auto with = [&](const std::string& type, const std::string& more) {
    std::string text = windowed;
    text.replace(text.find("MODEL"), 5, type);
    text.replace(text.find(" MORE"), 5, more);
    return read(text);
  };
  CHECK(with("mistral", "").sliding_window == 16);
  CHECK(with("mistral", "").full_attention_every == 0);
  CHECK(with("gemma2", "").full_attention_every == 2);
  CHECK(with("gemma3_text", "").full_attention_every == 6);
  CHECK(with("gemma3_text", R"(, "sliding_window_pattern": 3)").full_attention_every == 3);
  CHECK(with("qwen2", R"(, "use_sliding_window": false)").sliding_window == 0);
  const Model thirds = with("qwen3", R"(, "layer_types": ["sliding_attention", "sliding_attention",
      "full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention",
      "sliding_attention", "full_attention", "sliding_attention", "sliding_attention", "full_attention"])");
  CHECK(thirds.full_attention_every == 3);
  CHECK(thirds.layers / thirds.full_attention_every == 4);

  const Model maverick_like =
      read(R"({"model_type": "llama4_text", "attention_chunk_size": 8192, "head_dim": 128,
      "hidden_size": 5120, "interleave_moe_layer_step": 2, "intermediate_size": 8192,
      "intermediate_size_mlp": 16384, "num_attention_heads": 40, "num_experts_per_tok": 1,
      "num_hidden_layers": 48, "num_key_value_heads": 8, "num_local_experts": 128, "vocab_size": 202048})");
  CHECK(maverick_like.moe->interleaved);
  CHECK(moe_layers(maverick_like) == 24);
  CHECK(maverick_like.ffn == 16384);
  CHECK(maverick_like.sliding_window == 8192);
}

TEST_CASE("hf config: heads that do not divide the width need head_dim") {
  const std::string odd = R"({"model_type": "llama", "hidden_size": 100, "intermediate_size": 64,
      "num_attention_heads": 7, "num_hidden_layers": 2, "vocab_size": 100)";
  CHECK(complaint(odd + "}").find("config.json: $.head_dim: found nothing") != std::string::npos);
  CHECK(read(odd + R"(, "head_dim": 16})").head_dim == 16);
}

TEST_CASE("hf config: unknown types are read by field names") {
  const Model model = read(R"({"model_type": "brand_new", "n_layers": 4, "d_model": 256, "n_heads": 8,
      "ffn_hidden_size": 1024, "vocab_size": 1000, "rms_norm_eps": 1e-6, "hidden_act": "silu",
      "num_kv_heads": 2, "qkv_bias": true, "_name_or_path": "org/brand-new-1b"})");
  CHECK(model.name == "brand-new-1b");
  CHECK(model.family == "brand_new");
  CHECK(model.source.find("unknown model_type") != std::string::npos);  // a guess, and said to be one
  CHECK(read(kMixtral).source == "config.json");
  CHECK(model.kv_heads == 2);
  CHECK(model.qkv_bias);
  CHECK(model.mlp == Mlp::gated);
  const double layer = 256.0 * (256 + 2 * 64) + 256 + 2 * 64 + 256.0 * 256 + 3.0 * 256 * 1024 + 2 * 256;
  CHECK(count_parameters(model).total == 4 * layer + 256 + 2 * 1000.0 * 256);
  CHECK(read(R"({"n_layer": 1, "n_embd": 8, "n_head": 2, "intermediate_size": 8, "vocab_size": 10,
      "layer_norm_epsilon": 1e-5, "activation_function": "gelu"})")
            .norm == Norm::layernorm);
}

TEST_CASE("hf config: a model read from a config can be overridden") {
  const Model model = read(kMixtral);
  const Model fewer =
      with_overrides(model, json::parse(R"({"layers": 16, "moe": {"top_k": 1}})", "test"), "$");
  CHECK(fewer.layers == 16);
  CHECK(fewer.moe->top_k == 1);
  CHECK(fewer.moe->experts == 8);
}

TEST_CASE("hf config: refusals name the field") {
  const auto without = [](const std::string& text, const std::string& key) {
    json::Value value = json::parse(text, "test");
    std::erase_if(value.object(), [&](const json::Member& member) { return member.first == key; });
    return json::dump(value);
  };
  const auto with = [](const std::string& text, const std::string& key, const std::string& value) {
    json::Value whole = json::parse(text, "test");
    whole[key] = json::parse(value, "test");
    return json::dump(whole);
  };
  CHECK(complaint(without(kLlama2_13b, "hidden_size")).find("config.json: $.hidden_size: found nothing") !=
        std::string::npos);
  CHECK(complaint(without(kLlama2_13b, "hidden_size")).find("n_embd") != std::string::npos);
  CHECK(complaint(with(without(kLlama2_13b, "hidden_size"), "hiden_size", "5120"))
            .find("did you mean hiden_size") != std::string::npos);
  CHECK(complaint(without(kDeepseekV3, "v_head_dim")).find("$.v_head_dim") != std::string::npos);
  CHECK(complaint(without(kDeepseekV3, "kv_lora_rank")).find("$.kv_lora_rank") != std::string::npos);
  CHECK(complaint(without(kMixtral, "num_local_experts")).find("$.num_local_experts") != std::string::npos);
  CHECK(complaint(without(kMixtral, "num_experts_per_tok")).find("$.num_experts_per_tok") !=
        std::string::npos);
  CHECK(complaint(with(kLlama2_13b, "num_key_value_heads", "7")).find("a divisor of the 40 query heads") !=
        std::string::npos);
  CHECK(complaint(with(kMixtral, "num_experts_per_tok", "9")).find("at most the 8 experts") !=
        std::string::npos);
  CHECK(complaint(with(kDeepseekV3, "first_k_dense_replace", "62")).find("at most the 61 layers") !=
        std::string::npos);
  CHECK(complaint(with(kLlama2_13b, "tie_word_embeddings", "\"no\"")).find("true or false") !=
        std::string::npos);
  CHECK(complaint(with(kLlama2_13b, "model_type", "\"bert\"")).find("$.model_type") != std::string::npos);
  CHECK(complaint(with(kLlama2_13b, "model_type", "3")).find("$.model_type: found 3") != std::string::npos);
  CHECK(complaint(with(kLlama2_13b, "is_encoder_decoder", "true")).find("decoder-only") != std::string::npos);
  CHECK(complaint(with(kLlama2_13b, "linear_num_value_heads", "32")).find("$.linear_num_value_heads") !=
        std::string::npos);
  CHECK(complaint(with(kDeepseekV3, "index_topk", "2048")).find("$.index_topk") != std::string::npos);
  CHECK(complaint("[]").find("config.json: $: found an array") != std::string::npos);
  CHECK(complaint(R"({"text_config": {"model_type": "llama"}})").find("$.text_config.hidden_size") !=
        std::string::npos);
  // All problems at once.
  try {
    static_cast<void>(read("{}"));
    FAIL("accepted");
  } catch (const InputError& error) {
    CHECK(error.problems().size() >= 5);
  }
}

TEST_CASE("hf config: no value of any field does worse than a refusal that names it") {
  const char* values[] = {"-1",         "0",      "1e300", "-1e300", "1.5",  "9223372036854775807",
                          "2147483648", "1e15",   "\"x\"", "true",   "null", "[]",
                          "{}",         "[1, 2]", "\"\""};
  int accepted = 0, refused = 0;
  for (const std::string& config : {kLlama2_13b, kDeepseekV3, kMixtral}) {
    const json::Value good = json::parse(config, "test");
    for (const json::Member& member : good.object()) {
      for (const char* value : values) {
        json::Value bad = good;
        bad[member.first] = json::parse(value, "test");
        INFO(member.first << " = " << value);
        try {
          const Model model = model_from_hf_config(bad, "config.json");
          const ParameterCount count = count_parameters(model);
          CHECK(std::isfinite(count.total));
          CHECK(count.active > 0.0);
          CHECK(count.active <= count.total);
          CHECK(kv_bytes_per_token(model, Precision::fp16).si() > 0.0);
          ++accepted;
        } catch (const InputError& error) {
          CHECK(std::string(error.what()).find("config.json: $.") != std::string::npos);
          ++refused;
        }
      }
    }
  }
  CHECK(accepted > 100);
  CHECK(refused > 100);
}

}  // namespace gpuplan

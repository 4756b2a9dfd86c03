// A decoder from a Hugging Face config.json. Sizes are read by the names the families use; what a family
// implies without saying (biases, norms, tied embeddings) comes from hf_families.cpp. Networks that mix in
// layers of another kind (state space, linear attention, sparse-attention indexers) are refused: their
// parameters and caches would be wrong.
#include <algorithm>
#include <array>
#include <utility>

#include "workloads/models/hf_families.h"
#include "workloads/models/hf_fields.h"
#include "workloads/models/model_entry.h"

namespace gpuplan {

namespace models {
namespace {

constexpr json::Range kWidth{.min = 1, .max = 1 << 20};
constexpr json::Range kWidthOrNone{.min = 0, .max = 1 << 20};
constexpr json::Range kFew{.min = 1, .max = 1 << 14};
constexpr json::Range kFewOrNone{.min = 0, .max = 1 << 14};
constexpr json::Range kTokens{.min = 0, .max = 1 << 30};
constexpr json::Range kVocab{.min = 1, .max = 1 << 26};

constexpr std::array<std::string_view, 10> kForeign = {
    "mamba_d_state",          "ssm_state_size",    "layers_block_type", "hybrid_override_pattern",
    "linear_num_value_heads", "attn_layer_period", "index_topk",        "linear_attn_config",
    "rwkv_version",           "state_size"};

// Reads one config into one model; every step appends its problems.
class Import {
 public:
  Import(HfFields& fields, const HfFamily& family, Model& model) : f_(fields), family_(family), m_(model) {}

  void run() {
    refuse_foreign_layers();
    sizes();
    feed_forward();
    latent_attention();
    experts();
    biases_and_norms();
    positions_and_windows();
  }

 private:
  bool is(std::string_view type) const { return family_.model_type == type; }
  static int small(std::int64_t value) { return static_cast<int>(value); }

  void refuse_foreign_layers() {
    for (const std::string_view name : kForeign) {
      if (f_.has(name)) {
        f_.problem(name, json::excerpt(*f_.find({name})), "a network of attention and MLP layers alone");
      }
    }
    if (f_.flag("is_encoder_decoder", false)) {
      f_.problem("is_encoder_decoder", "true", "a decoder-only network");
    }
  }

  std::int64_t size_or_default(Names names, json::Range range, int preset) {
    return preset > 0 ? f_.integer_or(names, range, preset) : f_.required(names, range);
  }

  void sizes() {
    m_.layers = small(f_.required({"num_hidden_layers", "n_layer", "n_layers", "num_layers"}, kFew));
    m_.hidden = small(f_.required({"hidden_size", "n_embd", "d_model", "n_embed"}, kWidth));
    m_.heads = small(
        size_or_default({"num_attention_heads", "n_head", "n_heads", "num_heads"}, kFew, family_.heads));
    m_.vocab = size_or_default({"vocab_size", "padded_vocab_size"}, kVocab, family_.vocab);
    key_value_heads();
    const auto head_dim = f_.integer({"head_dim", "attention_head_dim", "kv_channels"}, kWidth);
    if (head_dim) {
      m_.head_dim = small(*head_dim);
    } else if (family_.head_dim > 0) {
      m_.head_dim = family_.head_dim;
    } else if (m_.heads > 0 && m_.hidden % m_.heads == 0) {
      m_.head_dim = m_.hidden / m_.heads;
    } else if (m_.heads > 0 && m_.hidden > 0) {
      f_.problem("head_dim", "nothing",
                 "a whole number >= 1, for " + std::to_string(m_.heads) +
                     " heads do not divide the width of " + std::to_string(m_.hidden));
    }
  }

  void key_value_heads() {
    const Names names = {"num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"};
    if (is("falcon") && !f_.flag("new_decoder_architecture", false)) {
      // Before the new architecture all heads or one: num_kv_heads is not looked at.
      m_.kv_heads = f_.flag("multi_query", true) ? 1 : m_.heads;
    } else if (family_.kv_heads > 0) {
      m_.kv_heads = small(f_.integer_or(names, kFew, family_.kv_heads));
    } else {
      m_.kv_heads = small(f_.integer_or(names, kFew, f_.flag("multi_query", false) ? 1 : m_.heads));
    }
    if (m_.heads > 0 && (m_.kv_heads > m_.heads || m_.heads % std::max(1, m_.kv_heads) != 0)) {
      f_.problem("num_key_value_heads", std::to_string(m_.kv_heads),
                 "a divisor of the " + std::to_string(m_.heads) + " query heads");
    }
  }

  void feed_forward() {
    const bool four_times = is("gpt2") || is("gptj") || is("bloom") || is("falcon");
    const Names names = {"intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"};
    if (is("llama4_text")) {
      m_.ffn = small(f_.integer_or({"intermediate_size_mlp"}, kWidth, 0));
    } else if (four_times) {
      m_.ffn = small(f_.integer_or(names, kWidth, 4 * static_cast<std::int64_t>(m_.hidden)));
    } else {
      m_.ffn = small(f_.required(names, kWidth));
    }
  }

  void latent_attention() {
    if (!f_.has("kv_lora_rank")) {
      if (is("deepseek_v2") || is("deepseek_v3") || is("kimi_k2")) {
        f_.required({"kv_lora_rank"}, kWidth);
      }
      return;
    }
    LatentAttention mla;
    mla.q_lora_rank = small(f_.integer_or({"q_lora_rank"}, kWidthOrNone, 0));
    mla.kv_lora_rank = small(f_.required({"kv_lora_rank"}, kWidth));
    mla.qk_nope_head_dim = small(f_.required({"qk_nope_head_dim"}, kWidth));
    mla.qk_rope_head_dim = small(f_.required({"qk_rope_head_dim"}, kWidthOrNone));
    mla.v_head_dim = small(f_.required({"v_head_dim"}, kWidth));
    m_.head_dim = mla.qk_nope_head_dim + mla.qk_rope_head_dim;
    m_.mla = mla;
  }

  void experts() {
    const auto count = f_.integer({"n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts"},
                                  json::Range{0, 1 << 14});
    if (!count || *count <= 1) {
      if (family_.experts_in_ffn_width && !count) {
        f_.required({"num_local_experts", "num_experts", "n_routed_experts"}, kFew);
      }
      return;
    }
    Experts moe;
    moe.experts = small(*count);
    moe.top_k = small(f_.required(
        {"num_experts_per_tok", "experts_per_token", "num_experts_per_token", "moe_topk", "moe_top_k"},
        kFew));
    if (moe.top_k > moe.experts) {
      f_.problem("num_experts_per_tok", std::to_string(moe.top_k),
                 "at most the " + std::to_string(moe.experts) + " experts");
    }
    // Granite and Phi-MoE, read as unknown types, have no width of experts of their own either.
    const Names width = {"moe_intermediate_size", "moe_ffn_hidden_size", "intermediate_size"};
    moe.expert_ffn = small(family_.experts_in_ffn_width ? f_.required({"intermediate_size"}, kWidth)
                                                        : f_.required(width, kWidth));
    moe.shared_experts =
        small(f_.integer_or({"n_shared_experts", "num_shared_experts"}, kFewOrNone, family_.shared_experts));
    moe.shared_ffn_each = moe.shared_experts > 0 ? moe.expert_ffn : 0;
    const auto shared =
        f_.integer({"shared_expert_intermediate_size", "shared_intermediate_size"}, kWidthOrNone);
    if (shared && *shared > 0) {
      moe.shared_experts = 1;
      moe.shared_ffn_each = small(*shared);
    }
    moe.first_dense_layers = dense_layers(moe);
    if (moe.first_dense_layers == 0) {
      m_.ffn = 0;
    } else if (m_.ffn == 0) {
      f_.required({is("llama4_text") ? "intermediate_size_mlp" : "intermediate_size"}, kWidth);
    }
    moe.router_bias = family_.router_bias || f_.text("topk_method") == "noaux_tc";
    moe.expert_bias = family_.expert_bias;
    moe.shared_gate = family_.shared_gate && moe.shared_experts > 0;
    m_.moe = moe;
  }

  int dense_layers(Experts& moe) {
    std::int64_t dense = f_.integer_or({"first_k_dense_replace", "moe_layer_start_index"}, kFewOrNone, 0);
    const std::int64_t step = f_.integer_or({"decoder_sparse_step", "interleave_moe_layer_step"}, kFew, 1);
    if (step > 1) {
      moe.interleaved = true;
      dense = m_.layers - m_.layers / step;
    }
    if (const json::Value* listed = f_.find({"mlp_only_layers"}); listed != nullptr && listed->is_array()) {
      dense += static_cast<std::int64_t>(listed->array().size());
    }
    if (const json::Value* frequency = f_.find({"moe_layer_freq"})) {
      if (frequency->is_array()) {
        dense = std::count_if(frequency->array().begin(), frequency->array().end(),
                              [](const json::Value& v) { return v.is_number() && v.number() == 0.0; });
      } else if (const auto every = f_.integer({"moe_layer_freq"}, kFew); every && *every != 1) {
        f_.problem("moe_layer_freq", std::to_string(*every), "1, or a list of 0 and 1");
      }
    }
    if (dense > m_.layers) {
      f_.problem("first_k_dense_replace", std::to_string(dense),
                 "at most the " + std::to_string(m_.layers) + " layers");
      dense = 0;
    }
    return small(dense);
  }

  void biases_and_norms() {
    m_.mlp = family_.mlp;
    m_.norm = family_.norm;
    m_.tied_embeddings = f_.flag("tie_word_embeddings", family_.tied_embeddings);
    m_.qkv_bias = family_.qkv_bias;
    m_.output_bias = family_.output_bias;
    m_.mlp_bias = f_.flag("mlp_bias", family_.mlp_bias);
    m_.norm_weights = family_.norm_weights;
    m_.norm_bias = family_.norm_bias;
    m_.norms_per_layer = family_.norms_per_layer;
    m_.embedding_norm = family_.embedding_norm;
    m_.lm_head_bias = family_.lm_head_bias;
    m_.attention_sinks = family_.attention_sinks;
    m_.qk_norm = family_.qk_norm;
    m_.qk_norm_per_head = family_.qk_norm_per_head;
    if (const json::Value* given = f_.find({"attention_bias"}); given != nullptr && !is("qwen2")) {
      m_.qkv_bias = m_.output_bias = f_.flag("attention_bias", false);
    }
    if (f_.has("use_qkv_bias") || f_.has("qkv_bias")) {
      m_.qkv_bias = f_.flag(f_.has("qkv_bias") ? "qkv_bias" : "use_qkv_bias", m_.qkv_bias);
    }
    if (is("starcoder2") || is("opt") || is("falcon")) {
      const char* name = is("starcoder2") ? "use_bias" : is("opt") ? "enable_bias" : "bias";
      m_.qkv_bias = m_.output_bias = m_.mlp_bias = f_.flag(name, !is("falcon"));
    }
    if (is("falcon")) {
      const bool parallel = f_.flag("parallel_attn", true);
      const bool fresh = f_.flag("new_decoder_architecture", false);
      const std::int64_t norms = f_.integer_or({"num_ln_in_parallel_attn"}, json::Range{1, 2}, fresh ? 2 : 1);
      m_.norms_per_layer = parallel || fresh ? small(norms) : 2;
    }
    if (is("cohere") || is("minimax_m2")) {
      m_.qk_norm = f_.flag("use_qk_norm", family_.qk_norm);
    }
    if (is("phi") && f_.flag("qk_layernorm", false)) {
      m_.qk_norm = true;
    }
    if (is("opt")) {
      const std::int64_t width = f_.integer_or({"word_embed_proj_dim"}, kWidth, m_.hidden);
      if (width != m_.hidden) {
        f_.problem(
            "word_embed_proj_dim", std::to_string(width),
            "the hidden size " + std::to_string(m_.hidden) + " (projected embeddings are not modelled)");
      }
    }
  }

  void positions_and_windows() {
    m_.learned_positions = family_.learned_positions;
    m_.extra_positions = family_.extra_positions;
    const Names positions = {"max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"};
    m_.max_seq = m_.learned_positions ? f_.required(positions, json::Range{1, 1 << 30})
                                      : f_.integer_or(positions, kTokens, 0);
    if (!f_.flag("use_sliding_window", true)) {
      return;
    }
    m_.sliding_window = small(f_.integer_or({"sliding_window", "attention_chunk_size"}, kTokens, 0));
    if (m_.sliding_window == 0) {
      return;
    }
    m_.full_attention_every =
        small(f_.integer_or({"sliding_window_pattern"}, kFew, family_.full_attention_every));
    if (const json::Value* types = f_.find({"layer_types"})) {
      spread_window(*types);
    }
  }

  void spread_window(const json::Value& types) {
    if (!types.is_array() || std::cmp_not_equal(types.array().size(), m_.layers)) {
      f_.problem("layer_types", json::excerpt(types), "an array with one entry a layer");
      return;
    }
    int full = 0;
    for (const json::Value& type : types.array()) {
      const std::string name = type.is_string() ? type.string() : "";
      if (name == "full_attention") {
        ++full;
      } else if (name != "sliding_attention" && name != "chunked_attention") {
        f_.problem("layer_types", json::excerpt(type),
                   "full_attention, sliding_attention or chunked_attention");
        return;
      }
    }
    if (full == m_.layers) {
      m_.sliding_window = m_.full_attention_every = 0;
      return;
    }
    m_.full_attention_every = 0;
    for (int every = m_.layers; full > 0 && every > 1; --every) {
      if (m_.layers / every == full) {
        m_.full_attention_every = every;
      }
    }
    if (full > 0 && m_.full_attention_every == 0) {
      f_.problem("layer_types", std::to_string(full) + " full layers of " + std::to_string(m_.layers),
                 "full layers at regular distances");
    }
  }

  HfFields& f_;
  const HfFamily& family_;
  Model& m_;
};

// The conventions of most recent decoders, told from the fields themselves.
HfFamily unknown_family(const HfFields& f, std::string_view model_type) {
  HfFamily family{.model_type = model_type};
  const bool layernorm = f.find({"rms_norm_eps", "rms_norm_epsilon"}) == nullptr &&
                         f.find({"layer_norm_eps", "layer_norm_epsilon", "layernorm_epsilon"}) != nullptr;
  family.norm = layernorm ? Norm::layernorm : Norm::rmsnorm;
  const json::Value* act = f.find({"hidden_act", "hidden_activation", "activation_function"});
  const std::string name = act != nullptr && act->is_string() ? act->string() : "silu";
  family.mlp =
      name == "silu" || name == "swish" || name == "swiglu" || name == "geglu" ? Mlp::gated : Mlp::plain;
  return family;
}

std::string model_name(const json::Value& config, const std::string& model_type) {
  const json::Value* path = config.find("_name_or_path");
  std::string name = path != nullptr && path->is_string() ? path->string() : "";
  while (name.ends_with('/')) {
    name.pop_back();
  }
  name = name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1).substr(0, 100);
  return name.empty() || name == "." ? model_type : name;
}

}  // namespace
}  // namespace models

Model model_from_hf_config(const json::Value& config, const std::string& origin) {
  std::vector<Problem> problems;
  if (!config.is_object()) {
    throw InputError(Problem{origin + ": $", json::excerpt(config), "a config.json, which is an object", ""});
  }
  const json::Value* nested = config.find("text_config");
  const bool multimodal = nested != nullptr && nested->is_object();
  const json::Value& text = multimodal ? *nested : config;
  models::HfFields fields(text, origin + (multimodal ? ": $.text_config" : ": $"), problems);
  std::string type = fields.text("model_type");
  if (type.empty() && multimodal) {
    type = models::HfFields(config, origin + ": $", problems).text("model_type");
  }
  if (const std::string_view reason = models::not_a_decoder(type); !reason.empty()) {
    fields.problem("model_type", "\"" + type + "\", " + std::string(reason), "a decoder-only language model");
    throw InputError(std::move(problems));
  }
  const models::HfFamily* known = models::hf_family(type);
  const models::HfFamily family = known != nullptr ? *known : models::unknown_family(fields, type);
  Model model;
  model.kind = ModelKind::decoder;
  model.family = type.empty() ? "decoder" : type;
  model.name = models::model_name(config, model.family);
  model.source =
      known != nullptr ? origin : origin + ", of an unknown model_type: read by its field names alone";
  models::Import(fields, family, model).run();
  if (const json::Value* tied = config.find("tie_word_embeddings");
      multimodal && !fields.has("tie_word_embeddings") && tied != nullptr && tied->is_bool()) {
    model.tied_embeddings = tied->boolean();
  }
  if (problems.empty()) {
    models::check_shapes(model, origin + ": $", problems);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  model.raw = models::to_entry(model);
  return model;
}

}  // namespace gpuplan

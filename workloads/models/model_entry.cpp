// The fields of a model file, their bounds, and the shapes that must fit each other.
#include "workloads/models/model_entry.h"

#include <array>

#include "hwmodels/json/describe.h"
#include "workloads/models/shape.h"

namespace gpuplan {

std::span<const std::string_view> enum_names(ModelKind /*tag*/) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "decoder", "encoder",  "encoder_decoder", "vision_transformer",
      "cnn",     "detector", "diffusion",       "policy"};
  return kNames;
}

std::span<const std::string_view> enum_names(Mlp /*tag*/) {
  static constexpr std::array<std::string_view, 2> kNames = {"gated", "plain"};
  return kNames;
}

std::span<const std::string_view> enum_names(Norm /*tag*/) {
  static constexpr std::array<std::string_view, 2> kNames = {"rmsnorm", "layernorm"};
  return kNames;
}

// Bounds keep every product of shapes below 2^63 and far inside a double.
namespace {
constexpr json::Range kWidth{.min = 1, .max = 1 << 24};
constexpr json::Range kWidthOrNone{.min = 0, .max = 1 << 24};
constexpr json::Range kHeads{.min = 1, .max = 1 << 16};
constexpr json::Range kLayers{.min = 1, .max = 1 << 16};
constexpr json::Range kCount{.min = 0, .max = 1 << 16};
constexpr json::Range kTokens{.min = 0, .max = 1 << 30};
}  // namespace

template <class V>
void describe(V& v, LatentAttention& mla) {
  v.field("q_lora_rank", mla.q_lora_rank, "rank of the compressed query; 0: a full-rank query", kWidthOrNone);
  v.field("kv_lora_rank", mla.kv_lora_rank, "rank of the compressed key and value", kWidth, json::required);
  v.field("qk_nope_head_dim", mla.qk_nope_head_dim, "query/key width per head without position", kWidth,
          json::required);
  v.field("qk_rope_head_dim", mla.qk_rope_head_dim, "rotary query/key width per head", kWidthOrNone,
          json::required);
  v.field("v_head_dim", mla.v_head_dim, "value width per head", kWidth, json::required);
}

template <class V>
void describe(V& v, Experts& moe) {
  v.field("experts", moe.experts, "routed experts of a MoE layer", json::Range{1, 1 << 16}, json::required);
  v.field("top_k", moe.top_k, "experts a token runs through", json::Range{1, 1 << 16}, json::required);
  v.field("expert_ffn", moe.expert_ffn, "intermediate width of one expert", kWidth, json::required);
  v.field("shared_experts", moe.shared_experts, "experts every token runs through", kCount);
  v.field("shared_ffn_each", moe.shared_ffn_each, "intermediate width of one shared expert", kWidthOrNone);
  v.field("first_dense_layers", moe.first_dense_layers, "layers without experts", kCount);
  v.field("interleaved", moe.interleaved, "layers without experts alternate with the others");
  v.field("router_bias", moe.router_bias, "a bias or balance correction per expert");
  v.field("expert_bias", moe.expert_bias, "biases on the expert projections");
  v.field("shared_gate", moe.shared_gate, "a scalar gate on the shared experts");
}

template <class V>
void describe(V& v, PublishedCount& published) {
  v.field("parameters", published.parameters, "parameters as published", json::positive(), json::required);
  v.field("exact", published.exact, "false: rounded by its publisher", json::required);
  v.field("source", published.source, "where the count is published", json::required);
}

namespace {

// The fields of a decoder's shape; the other kinds have theirs in "shape".
template <class V>
void describe_decoder(V& v, Model& m) {
  const auto needed = m.kind == ModelKind::decoder ? json::Presence::required : json::Presence::optional;
  const auto low = m.kind == ModelKind::decoder ? 1.0 : 0.0;
  v.field("layers", m.layers, "transformer layers", json::Range{low, kLayers.max}, needed);
  v.field("hidden", m.hidden, "width of the residual stream", json::Range{low, kWidth.max}, needed);
  v.field("ffn", m.ffn, "intermediate width of a dense MLP; 0: every layer has experts", kWidthOrNone);
  v.field("heads", m.heads, "query heads", json::Range{low, kHeads.max}, needed);
  v.field("kv_heads", m.kv_heads, "key/value heads", json::Range{low, kHeads.max}, needed);
  v.field("head_dim", m.head_dim, "width of one head", json::Range{low, kWidth.max}, needed);
  v.field("vocab", m.vocab, "rows of the embedding", json::Range{low, 1 << 28}, needed);
  v.field("mlp", m.mlp, "gated: gate, up, down; plain: up, down");
  v.field("norm", m.norm, "kind of norm");
  v.field("tied_embeddings", m.tied_embeddings, "the embedding is the lm_head");
  v.field("qkv_bias", m.qkv_bias, "biases on the query, key and value projections");
  v.field("output_bias", m.output_bias, "a bias on the attention's output projection");
  v.field("mlp_bias", m.mlp_bias, "biases in the dense MLP");
  v.field("qk_norm", m.qk_norm, "norms on queries and keys");
  v.field("qk_norm_per_head", m.qk_norm_per_head, "with qk_norm: each head has weights of its own");
  v.field("learned_positions", m.learned_positions, "a learned position table");
  v.field("extra_positions", m.extra_positions, "rows of that table beyond max_seq", kCount);
  v.field("max_seq", m.max_seq, "tokens of context", kTokens);
  v.field("sliding_window", m.sliding_window, "tokens; 0: full attention", kTokens);
  v.field("full_attention_every", m.full_attention_every, "with a window: every n-th layer attends fully",
          kCount);
  v.field("norm_weights", m.norm_weights, "false: norms without parameters");
  v.field("norm_bias", m.norm_bias, "LayerNorm with biases");
  v.field("norms_per_layer", m.norms_per_layer, "norms on the residual stream in a layer", json::Range{0, 8});
  v.field("embedding_norm", m.embedding_norm, "a norm after the embedding");
  v.field("lm_head_bias", m.lm_head_bias, "a bias on the lm_head");
  v.field("attention_sinks", m.attention_sinks, "one learned logit per head");
  v.field("mla", m.mla, "multi-head latent attention");
  v.field("moe", m.moe, "mixture of experts");
}

}  // namespace

template <class V>
void describe(V& v, Model& m) {
  json::Value shape, note;  // for the validation; they stay in `raw`
  v.field("name", m.name, "catalogue name; also the name of the file", json::required);
  v.field("aliases", m.aliases, "other names; case and punctuation do not matter");
  v.field("family", m.family, "models that share a shape grammar");
  v.field("kind", m.kind, "what sort of network", json::required);
  describe_decoder(v, m);
  v.field("shape", shape, "the shapes of a network that is no decoder");
  v.field("published", m.published, "the publisher's count, to test ours against");
  v.field("published_active", m.published_active, "parameters per token as published", json::positive());
  v.field("source", m.source, "where the shapes were read", json::required);
  v.field("note", note, "what a reader should know");
}

namespace models {

namespace {

struct DecoderPart {
  Model& model;
  std::int64_t tokens = 0;
};

template <class V>
void describe(V& v, DecoderPart& part) {
  describe_decoder(v, part.model);
  v.field("tokens", part.tokens, "tokens of one input", kTokens);
}

}  // namespace

bool read_decoder_part(const json::Value& shape, const std::string& path, Model& model, std::int64_t& tokens,
                       std::vector<Problem>& problems) {
  model.kind = ModelKind::policy;  // no field is required; what a stack needs is checked below
  DecoderPart part{model};
  if (!read_shape(shape, path, part, problems)) {
    return false;
  }
  tokens = part.tokens;
  const std::pair<const char*, int> needed[] = {{"layers", model.layers},     {"hidden", model.hidden},
                                                {"ffn", model.ffn},           {"heads", model.heads},
                                                {"kv_heads", model.kv_heads}, {"head_dim", model.head_dim}};
  const std::size_t before = problems.size();
  for (const auto& [name, value] : needed) {
    if (value <= 0) {
      problems.push_back({path + "." + name, std::to_string(value), "a whole number >= 1", ""});
    }
  }
  if (model.mla || model.moe) {
    problems.push_back({path + (model.mla ? ".mla" : ".moe"), "a part of its own", "a dense decoder", ""});
  }
  return problems.size() == before;
}

void read_entry(const json::Value& root, const std::string& path, Model& model,
                std::vector<Problem>& problems) {
  // The kind decides which fields must be there.
  if (const json::Value* kind = root.find("kind"); kind != nullptr && kind->is_string()) {
    const auto names = enum_names(ModelKind{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == kind->string()) {
        model.kind = static_cast<ModelKind>(i);
      }
    }
  }
  json::read(root, path, model, problems);
}

json::Value to_entry(const Model& model) { return json::write(model); }

void check_shapes(const Model& m, const std::string& path, std::vector<Problem>& problems) {
  if (m.kind != ModelKind::decoder) {
    if (m.raw.is_null()) {
      return;
    }
    std::vector<NetworkLayer> layers;
    const json::Value* shape = m.raw.find("shape");
    if (shape == nullptr || !shape->is_object()) {
      problems.push_back(
          {path + ".shape", shape == nullptr ? "nothing" : json::excerpt(*shape), "an object", ""});
    } else {
      Layers unrolled(layers);
      unroll_any(*shape, path + ".shape", unrolled, problems);
    }
    return;
  }
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  if (!m.mla && m.kv_heads > 0 && (m.kv_heads > m.heads || m.heads % m.kv_heads != 0)) {
    problems.push_back(
        {path + ".kv_heads", number(m.kv_heads), "a divisor of the " + number(m.heads) + " query heads", ""});
  }
  const int sparse_layers = moe_layers(m);
  if (m.moe) {
    if (m.moe->top_k > m.moe->experts) {
      problems.push_back({path + ".moe.top_k", number(m.moe->top_k),
                          "at most the " + number(m.moe->experts) + " experts", ""});
    }
    if (m.moe->first_dense_layers > m.layers) {
      problems.push_back({path + ".moe.first_dense_layers", number(m.moe->first_dense_layers),
                          "at most the " + number(m.layers) + " layers", ""});
    }
    if (m.moe->shared_experts > 0 && m.moe->shared_ffn_each <= 0) {
      problems.push_back({path + ".moe.shared_ffn_each", "0", "the width of a shared expert", ""});
    }
  }
  if (m.ffn <= 0 && sparse_layers < m.layers) {
    problems.push_back({path + ".ffn", number(m.ffn), "the width of the dense layers' MLP", ""});
  }
  if (m.learned_positions && m.max_seq <= 0) {
    problems.push_back({path + ".max_seq", number(m.max_seq), "the rows of the position table", ""});
  }
}

}  // namespace models

Model with_overrides(const Model& base, const json::Value& overrides, const std::string& path) {
  if (!overrides.is_object()) {
    throw InputError(Problem{path, json::excerpt(overrides), "an object of overridden fields", ""});
  }
  json::Value patch = overrides;
  std::erase_if(patch.object(), [](const json::Member& member) { return member.first == "base"; });
  Model model = base;
  if (!patch.object().empty()) {  // what was published is about the base
    model.published.reset();
    model.published_active.reset();
  }
  std::vector<Problem> problems;
  for (const json::Member& member : patch.object()) {
    if (!member.second.is_null()) {
      continue;
    }
    if (member.first == "mla") {
      model.mla.reset();
    } else if (member.first == "moe") {
      model.moe.reset();
    } else {
      problems.push_back(
          {path + "." + member.first, "null", "a value (only mla and moe can be taken away)", ""});
    }
  }
  std::erase_if(patch.object(), [](const json::Member& member) { return member.second.is_null(); });
  // The patch over the whole entry, so that required fields are there and nested objects merge.
  json::Value whole = models::to_entry(model);
  for (const char* unread : {"shape", "note"}) {
    if (const json::Value* kept = base.raw.find(unread)) {
      whole[unread] = *kept;
    }
  }
  json::merge(whole, patch);
  models::read_entry(whole, path, model, problems);
  model.raw = std::move(whole);
  if (problems.empty()) {
    models::check_shapes(model, path, problems);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return model;
}

}  // namespace gpuplan

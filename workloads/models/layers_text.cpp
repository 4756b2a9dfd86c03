// BERT, Whisper, and a decoder as a part of a larger network.
#include "workloads/models/model_entry.h"
#include "workloads/models/shape.h"

namespace gpuplan::models {

using Role = NetworkLayer::Role;

namespace {

struct Bert {
  std::int64_t hidden = 0, layers = 0, heads = 0, ffn = 0, vocab = 0, positions = 512, types = 2;
  std::int64_t tokens = 512;
  bool pooler = true;
};

template <class V>
void describe(V& v, Bert& s) {
  v.field("hidden", s.hidden, "width", kChannels, json::required);
  v.field("layers", s.layers, "blocks", kRepeats, json::required);
  v.field("heads", s.heads, "attention heads", kChannels, json::required);
  v.field("ffn", s.ffn, "width of the MLP", kChannels, json::required);
  v.field("vocab", s.vocab, "rows of the embedding", json::Range{1, 1 << 24}, json::required);
  v.field("positions", s.positions, "rows of the position table", kChannels);
  v.field("types", s.types, "token types", kSome);
  v.field("tokens", s.tokens, "tokens of one input", kChannels);
  v.field("pooler", s.pooler, "a dense layer on the first token");
}

struct Whisper {
  std::int64_t hidden = 0, ffn = 0, heads = 0, encoder_layers = 0, decoder_layers = 0;
  std::int64_t mels = 80, audio_positions = 1500, text_positions = 448, vocab = 0, text_tokens = 1;
};

template <class V>
void describe(V& v, Whisper& s) {
  v.field("hidden", s.hidden, "width of both stacks", kChannels, json::required);
  v.field("ffn", s.ffn, "width of the MLPs", kChannels, json::required);
  v.field("heads", s.heads, "attention heads", kChannels, json::required);
  v.field("encoder_layers", s.encoder_layers, "blocks of the encoder", kRepeats, json::required);
  v.field("decoder_layers", s.decoder_layers, "blocks of the decoder", kRepeats, json::required);
  v.field("mels", s.mels, "mel bins", kChannels);
  v.field("audio_positions", s.audio_positions, "frames after the strided convolution", kChannels);
  v.field("text_positions", s.text_positions, "tokens the decoder can hold", kChannels);
  v.field("vocab", s.vocab, "rows of the embedding, tied with the output", json::Range{1, 1 << 24},
          json::required);
  v.field("text_tokens", s.text_tokens, "tokens decoded, for the arithmetic of one input", kChannels);
}

}  // namespace

void unroll_bert(const json::Value& shape, const std::string& path, Layers& layers,
                 std::vector<Problem>& problems) {
  Bert s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  const double tokens = static_cast<double>(s.tokens);
  layers.embedding("words", s.vocab, s.hidden);
  layers.embedding("positions", s.positions, s.hidden);
  layers.embedding("types", s.types, s.hidden);
  layers.norm("embedding_norm", s.hidden);
  {
    const Part part(layers, "block", static_cast<double>(s.layers));
    encoder_block(layers, {.hidden = s.hidden, .ffn = s.ffn, .tokens = tokens, .keys = tokens});
  }
  if (s.pooler) {
    layers.linear("pooler", s.hidden, s.hidden, 1.0);
  }
}

void unroll_whisper(const json::Value& shape, const std::string& path, Layers& layers,
                    std::vector<Problem>& problems) {
  Whisper s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  const double frames = static_cast<double>(s.audio_positions);
  const double tokens = static_cast<double>(s.text_tokens);
  {
    const Part part(layers, "encoder");
    layers.convolution("conv1", s.mels, s.hidden, 3, 2.0 * frames, true).kernel_h = 1;
    layers.convolution("conv2", s.hidden, s.hidden, 3, frames, true).kernel_h = 1;
    layers.embedding("positions", s.audio_positions, s.hidden);
    {
      const Part block(layers, "block", static_cast<double>(s.encoder_layers));
      encoder_block(layers,
                    {.hidden = s.hidden, .ffn = s.ffn, .tokens = frames, .keys = frames, .key_bias = false});
    }
    layers.norm("norm", s.hidden);
  }
  const Part part(layers, "decoder");
  layers.embedding("words", s.vocab, s.hidden);
  layers.embedding("positions", s.text_positions, s.hidden);
  {
    const Part block(layers, "block", static_cast<double>(s.decoder_layers));
    encoder_block(layers, {.hidden = s.hidden,
                           .ffn = s.ffn,
                           .tokens = tokens,
                           .keys = tokens,
                           .key_bias = false,
                           .cross_width = s.hidden,
                           .cross_tokens = frames});
  }
  layers.norm("norm", s.hidden);
}

// Dense decoders with grouped attention; "tokens" is the length of one input. Without a vocabulary it is a
// bare stack (an action expert).
void unroll_decoder(const json::Value& shape, const std::string& path, Layers& layers,
                    std::vector<Problem>& problems) {
  Model m;
  std::int64_t length = 0;
  if (!read_decoder_part(shape, path, m, length, problems)) {
    return;
  }
  const double tokens = static_cast<double>(length);
  const std::int64_t query_width = static_cast<std::int64_t>(m.heads) * m.head_dim;
  const std::int64_t kv_width = static_cast<std::int64_t>(m.kv_heads) * m.head_dim;
  const bool offsets = m.norm == Norm::layernorm && m.norm_bias;
  if (m.vocab > 0) {
    layers.embedding("words", m.vocab, m.hidden);
  }
  {
    const Part block(layers, "block", m.layers);
    layers.norm("attention_norm", m.hidden, offsets);
    layers.linear("query", m.hidden, query_width, tokens, m.qkv_bias).role = Role::attention;
    layers.linear("key", m.hidden, kv_width, tokens, m.qkv_bias).role = Role::attention;
    layers.linear("value", m.hidden, kv_width, tokens, m.qkv_bias).role = Role::attention;
    layers.attention("attention", query_width, tokens, tokens);
    layers.linear("out", query_width, m.hidden, tokens, m.output_bias).role = Role::attention;
    layers.norm("mlp_norm", m.hidden, offsets);
    layers.linear("up", m.hidden, m.ffn, tokens, m.mlp_bias).role = Role::mlp;
    if (m.mlp == Mlp::gated) {
      layers.linear("gate", m.hidden, m.ffn, tokens, m.mlp_bias).role = Role::mlp;
    }
    layers.linear("down", m.ffn, m.hidden, tokens, m.mlp_bias).role = Role::mlp;
  }
  layers.norm("norm", m.hidden, offsets);
  if (m.vocab > 0 && !m.tied_embeddings) {
    layers.linear("lm_head", m.hidden, m.vocab, 1.0, false).role = Role::embedding;
  }
}

}  // namespace gpuplan::models

// Parameters of a decoder-only transformer from its shapes: exact, for they are counts of matrix elements.
// Each layer has attention (query, key, value and output projections, or the low-rank pairs of latent
// attention), an MLP or a router with experts, and its norms; around the layers stand the embedding, a final
// norm and the lm_head. Buffers that are no parameters (rotary tables, masks, quantisation scales) and
// multi-token-prediction heads are left out.
#include "workloads/models/parameters.h"

namespace gpuplan {

int moe_layers(const Model& model) { return model.moe ? model.layers - model.moe->first_dense_layers : 0; }

namespace {

double matrices_of_mlp(const Model& m) { return m.mlp == Mlp::gated ? 3.0 : 2.0; }

// Elements of one norm over `width`.
double norm(const Model& m, double width) {
  if (!m.norm_weights) {
    return 0.0;
  }
  return m.norm == Norm::layernorm && m.norm_bias ? 2.0 * width : width;
}

// One layer's attention and the norms inside it.
struct Attention {
  double matrices = 0.0;
  double norms = 0.0;
};

Attention latent_attention(const Model& m, const LatentAttention& mla) {
  const double hidden = m.hidden;
  const double heads = m.heads;
  const double query_width = heads * (static_cast<double>(mla.qk_nope_head_dim) + mla.qk_rope_head_dim);
  Attention out;
  if (mla.q_lora_rank > 0) {
    out.matrices += hidden * mla.q_lora_rank + mla.q_lora_rank * query_width;
    out.norms += mla.q_lora_rank;
  } else {
    out.matrices += hidden * query_width;
  }
  out.matrices += hidden * (static_cast<double>(mla.kv_lora_rank) + mla.qk_rope_head_dim);
  out.norms += mla.kv_lora_rank;
  out.matrices += mla.kv_lora_rank * heads * (static_cast<double>(mla.qk_nope_head_dim) + mla.v_head_dim);
  out.matrices += heads * mla.v_head_dim * hidden;
  if (m.qkv_bias) {  // on the two down-projections
    out.matrices += static_cast<double>(mla.q_lora_rank) + mla.kv_lora_rank + mla.qk_rope_head_dim;
  }
  if (m.output_bias) {
    out.matrices += hidden;
  }
  return out;
}

Attention grouped_attention(const Model& m) {
  const double hidden = m.hidden;
  const double query_width = static_cast<double>(m.heads) * m.head_dim;
  const double kv_width = static_cast<double>(m.kv_heads) * m.head_dim;
  Attention out;
  out.matrices = hidden * (query_width + 2.0 * kv_width) + query_width * hidden;
  if (m.qkv_bias) {
    out.matrices += query_width + 2.0 * kv_width;
  }
  if (m.output_bias) {
    out.matrices += hidden;
  }
  if (m.attention_sinks) {
    out.matrices += m.heads;
  }
  if (m.qk_norm) {
    out.norms += m.qk_norm_per_head ? norm(m, query_width) + norm(m, kv_width) : 2.0 * norm(m, m.head_dim);
  }
  return out;
}

}  // namespace

ParameterCount count_decoder(const Model& m) {
  const double hidden = m.hidden;
  const double layers = m.layers;
  const double sparse = moe_layers(m);
  const double matrices = matrices_of_mlp(m);
  ParameterCount count;

  count.embedding = static_cast<double>(m.vocab) * hidden;
  if (m.learned_positions) {
    count.embedding += (static_cast<double>(m.max_seq) + m.extra_positions) * hidden;
  }
  count.lm_head = (m.tied_embeddings ? 0.0 : static_cast<double>(m.vocab) * hidden) +
                  (m.lm_head_bias ? static_cast<double>(m.vocab) : 0.0);

  const Attention attention = m.mla ? latent_attention(m, *m.mla) : grouped_attention(m);
  count.attention = layers * attention.matrices;
  count.norms = layers * (attention.norms + m.norms_per_layer * norm(m, hidden)) + norm(m, hidden) +
                (m.embedding_norm ? norm(m, hidden) : 0.0);

  const double dense_bias = m.mlp_bias ? (matrices - 1.0) * m.ffn + hidden : 0.0;
  count.mlp = (layers - sparse) * (matrices * hidden * m.ffn + dense_bias);

  double chosen = 0.0;
  if (m.moe) {
    const Experts& moe = *m.moe;
    const double bias = moe.expert_bias ? (matrices - 1.0) * moe.expert_ffn + hidden : 0.0;
    const double one_expert = matrices * hidden * moe.expert_ffn + bias;
    count.experts = sparse * moe.experts * one_expert;
    chosen = sparse * moe.top_k * one_expert;
    double beside = hidden * moe.experts;  // the router
    beside += moe.router_bias ? moe.experts : 0.0;
    beside += moe.shared_experts * matrices * hidden * moe.shared_ffn_each;
    beside += moe.shared_gate ? hidden : 0.0;
    count.mlp += sparse * beside;
  }
  count.total = count.embedding + count.lm_head + count.attention + count.mlp + count.experts + count.norms;
  count.active = count.total - count.experts + chosen;
  return count;
}

Bytes kv_bytes_per_token(const Model& m, Precision kv) {
  const double per_layer = m.mla ? static_cast<double>(m.mla->kv_lora_rank) + m.mla->qk_rope_head_dim
                                 : 2.0 * static_cast<double>(m.kv_heads) * m.head_dim;
  return Bytes(m.layers * per_layer * bytes_per_element(kv));
}

}  // namespace gpuplan

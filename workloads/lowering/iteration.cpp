#include "workloads/lowering/iteration.h"

#include <algorithm>
#include <array>

namespace gpuplan {

namespace {

constexpr std::array<std::string_view, kStepParts> kStepPartNames = {
    "gemm",      "attention_prefill", "attention_decode", "experts", "norm_activation", "embedding_sampling",
    "all_reduce"};

using kernels::Elementwise;
using kernels::Gemm;

// 16-bit unless the scenario computes in more: residual stream, norms and lm_head stay unquantised.
Precision residual_precision(const Deployment& deployment) {
  switch (deployment.activations) {
    case Precision::fp64:
    case Precision::fp32:
    case Precision::tf32:
    case Precision::bf16:
    case Precision::fp16:
      return deployment.activations;
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::int8:
    case Precision::int4:
    case Precision::nvfp4:
    case Precision::mxfp4:
      return Precision::bf16;
  }
  return Precision::bf16;
}

LoweredOperation pass(std::string_view name, Elementwise::Kind kind, double elements, double read_elements,
                      double bytes_each, double count) {
  return {name, StepPart::norm_activation,
          Elementwise{.kind = kind,
                      .elements = elements,
                      .read = Bytes(read_elements * bytes_each),
                      .written = Bytes(elements * bytes_each)},
          count};
}

}  // namespace

std::span<const std::string_view> enum_names(StepPart /*tag*/) { return kStepPartNames; }

IterationLowering::IterationLowering(const Model& model, const Deployment& deployment)
    : model_(model), deployment_(deployment) {}

std::vector<IterationLowering::LayerGroup> IterationLowering::attention_groups() const {
  const double layers = model_.layers;
  if (model_.sliding_window <= 0) {
    return {{layers, 0}};
  }
  const int full = model_.full_attention_every > 0 ? model_.layers / model_.full_attention_every : 0;
  std::vector<LayerGroup> groups = {{layers - full, model_.sliding_window}};
  if (full > 0) {
    groups.push_back({static_cast<double>(full), 0});
  }
  return groups;
}

void IterationLowering::body(std::int64_t tokens, std::vector<LoweredOperation>& out) const {
  const Model& m = model_;
  const int tp = deployment_.tensor_parallel;
  const Precision act = deployment_.activations;
  const Precision wgt = deployment_.weights;
  const Precision res = residual_precision(deployment_);
  const double bytes = bytes_per_element(res);
  const double layers = m.layers;
  const double t = static_cast<double>(tokens);
  const auto gemm = [&](std::string_view name, std::int64_t n, std::int64_t k, double count) {
    out.push_back(
        {name, StepPart::gemm, Gemm{.m = tokens, .n = n, .k = k, .activations = act, .weights = wgt}, count});
  };

  out.push_back({"embedding", StepPart::embedding_sampling,
                 kernels::Embedding{.tokens = tokens, .hidden = m.hidden, .precision = res}, 1.0});

  // Attention block. The residual add is fused with the norm: reads x and residual, writes both.
  out.push_back(
      pass("input_norm", Elementwise::Kind::norm, 2.0 * t * m.hidden, 2.0 * t * m.hidden, bytes, layers));
  std::int64_t attention_width = 0;  // columns that o_proj reads on this rank
  double qk_elements = 0.0;
  if (m.mla) {
    const LatentAttention& mla = *m.mla;
    const std::int64_t heads = m.heads / tp;
    const std::int64_t q_width = heads * (mla.qk_nope_head_dim + mla.qk_rope_head_dim);
    const std::int64_t latent = mla.kv_lora_rank + mla.qk_rope_head_dim;
    if (mla.q_lora_rank > 0) {
      gemm("qkv_down_proj", mla.q_lora_rank + latent, m.hidden, layers);
      gemm("q_up_proj", q_width, mla.q_lora_rank, layers);
    } else {
      gemm("q_proj", q_width, m.hidden, layers);
      gemm("kv_down_proj", latent, m.hidden, layers);
    }
    gemm("kv_up_proj", heads * (mla.qk_nope_head_dim + mla.v_head_dim), mla.kv_lora_rank, layers);
    attention_width = heads * mla.v_head_dim;
    qk_elements = t * static_cast<double>(heads * mla.qk_rope_head_dim + latent);
  } else {
    const std::int64_t q_width = static_cast<std::int64_t>(m.heads / tp) * m.head_dim;
    const std::int64_t kv_width = static_cast<std::int64_t>(kv_heads_per_rank(m, tp)) * m.head_dim;
    gemm("qkv_proj", q_width + 2 * kv_width, m.hidden, layers);
    attention_width = q_width;
    qk_elements = t * static_cast<double>(q_width + 2 * kv_width);
  }
  if (m.qk_norm) {
    out.push_back(pass("qk_norm", Elementwise::Kind::norm, qk_elements, qk_elements, bytes, layers));
  }
  gemm("o_proj", m.hidden, attention_width, layers);

  // Feed-forward block.
  out.push_back(pass("post_attention_norm", Elementwise::Kind::norm, 2.0 * t * m.hidden, 2.0 * t * m.hidden,
                     bytes, layers));
  const double moe_layers = m.moe ? layers - m.moe->first_dense_layers : 0.0;
  const double dense_layers = layers - moe_layers;
  const double up_factor = m.mlp == Mlp::gated ? 2.0 : 1.0;
  const auto feed_forward = [&](std::string_view up, std::string_view down, std::int64_t ffn, double count) {
    gemm(up, static_cast<std::int64_t>(up_factor) * ffn, m.hidden, count);
    const double width = t * static_cast<double>(ffn);
    out.push_back(pass("activation", Elementwise::Kind::activation, width, up_factor * width, bytes, count));
    gemm(down, m.hidden, ffn, count);
  };
  if (dense_layers > 0) {
    feed_forward("gate_up_proj", "down_proj", m.ffn / tp, dense_layers);
  }
  if (moe_layers > 0) {
    const Experts& moe = *m.moe;
    out.push_back({"router", StepPart::gemm,
                   Gemm{.m = tokens, .n = moe.experts, .k = m.hidden, .activations = res, .weights = res},
                   moe_layers});
    out.push_back({"experts", StepPart::experts,
                   kernels::GroupedExperts{.tokens = tokens,
                                           .hidden = m.hidden,
                                           .expert_ffn = moe.expert_ffn / tp,
                                           .experts = moe.experts,
                                           .local_experts = moe.experts,
                                           .top_k = moe.top_k,
                                           .activations = act,
                                           .weights = wgt,
                                           .imbalance = 1.0},
                   moe_layers});
    if (moe.shared_experts > 0) {
      feed_forward(
          "shared_gate_up_proj", "shared_down_proj",
          std::max<std::int64_t>(1, static_cast<std::int64_t>(moe.shared_experts) * moe.shared_ffn_each / tp),
          moe_layers);
    }
  }
  if (tp > 1) {
    // One all-reduce after o_proj, one after the feed-forward block.
    out.push_back({"all_reduce", StepPart::all_reduce,
                   kernels::AllReduce{.bytes = Bytes(t * m.hidden * bytes), .gpus = tp}, 2.0 * layers});
  }
}

void IterationLowering::head(std::int64_t sequences, std::vector<LoweredOperation>& out) const {
  const Model& m = model_;
  const Precision res = residual_precision(deployment_);
  const double n = static_cast<double>(sequences);
  out.push_back(
      pass("final_norm", Elementwise::Kind::norm, n * m.hidden, n * m.hidden, bytes_per_element(res), 1.0));
  const std::int64_t columns = (m.vocab + deployment_.tensor_parallel - 1) / deployment_.tensor_parallel;
  out.push_back({"lm_head", StepPart::gemm,
                 Gemm{.m = sequences, .n = columns, .k = m.hidden, .activations = res, .weights = res}, 1.0});
  out.push_back({"sampler", StepPart::embedding_sampling,
                 kernels::Sampling{.sequences = sequences, .vocab = m.vocab}, 1.0});
}

void IterationLowering::decode_attention(std::int64_t batch, double context,
                                         std::vector<LoweredOperation>& out) const {
  const Model& m = model_;
  const int tp = deployment_.tensor_parallel;
  for (const LayerGroup& group : attention_groups()) {
    kernels::AttentionDecode op{.batch = batch,
                                .context = context,
                                .heads = m.heads / tp,
                                .kv_heads = kv_heads_per_rank(m, tp),
                                .head_dim = m.head_dim,
                                .value_dim = m.head_dim,
                                .window = group.window,
                                .compute = residual_precision(deployment_),
                                .kv = deployment_.kv,
                                .tensorrt_llm = deployment_.tensorrt_llm};
    if (m.mla) {
      op.latent_dim = m.mla->kv_lora_rank + m.mla->qk_rope_head_dim;
      op.kv_heads = 1;
      op.head_dim = op.latent_dim;
      op.value_dim = m.mla->kv_lora_rank;
    }
    out.push_back({"decode_attention", StepPart::attention_decode, op, group.layers});
  }
}

void IterationLowering::prefill_attention(std::int64_t queries, std::int64_t context,
                                          std::vector<LoweredOperation>& out) const {
  const Model& m = model_;
  const int tp = deployment_.tensor_parallel;
  for (const LayerGroup& group : attention_groups()) {
    kernels::AttentionPrefill op{.batch = 1,
                                 .queries = queries,
                                 .context = context,
                                 .heads = m.heads / tp,
                                 .kv_heads = kv_heads_per_rank(m, tp),
                                 .head_dim = m.head_dim,
                                 .value_dim = m.head_dim,
                                 .window = group.window,
                                 .compute = residual_precision(deployment_),
                                 .kv = deployment_.kv};
    if (m.mla) {  // prompts are expanded to full heads
      op.kv_heads = op.heads;
      op.head_dim = m.mla->qk_nope_head_dim + m.mla->qk_rope_head_dim;
      op.value_dim = m.mla->v_head_dim;
    }
    out.push_back({"prefill_attention", StepPart::attention_prefill, op, group.layers});
  }
}

double IterationLowering::kernels_per_iteration() const {
  std::vector<LoweredOperation> all;
  body(1, all);
  head(1, all);
  decode_attention(1, 1.0, all);
  double kernels = 0.0;
  for (const LoweredOperation& op : all) {
    kernels += op.count;
  }
  return kernels;
}

}  // namespace gpuplan

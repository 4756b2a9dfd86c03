#include "workloads/memory/activation.h"

#include <algorithm>

namespace gpuplan {

namespace {

// Bytes a token takes in one layer; `between` lies outside the matrices, where only sequence parallelism
// shares it, `inside` is cut by tensor parallelism, `scores` is what grows with the sequence.
struct PerToken {
  double between = 0.0, inside = 0.0, scores = 0.0;
};

// What a matrix product keeps of its input for the weight gradient: in eight bits where Transformer Engine
// multiplies in fewer than 16.
double input_bytes(const TrainingJob& job) {
  return job.software.framework == Framework::megatron && bytes_per_element(job.precision.compute) < 2.0
             ? 1.0
             : job.activation_bytes();
}

PerToken attention_part(const TrainingJob& job) {
  const Model& m = job.model;
  const double e = job.activation_bytes(), h = m.hidden, mask = *job.software.dropout ? 1.0 : 0.0;
  const double a = m.heads, t = job.parallelism.tensor, in = input_bytes(job);
  const double kv = std::max<double>(m.kv_heads, t);  // replicated beyond their number
  PerToken out;
  out.between = e * h                       // input of the norm
                + in * h                    // input of the query, key, value matrix
                + mask * h;                 // dropout behind the projection
  out.inside = e * a * m.head_dim           // queries
               + 2.0 * e * kv * m.head_dim  // keys and values
               + in * a * m.head_dim;       // input of the projection
  if (m.mla) {
    const LatentAttention& l = *m.mla;
    const double key = l.qk_nope_head_dim + l.qk_rope_head_dim;
    out.between += e * (l.q_lora_rank + l.kv_lora_rank + l.qk_rope_head_dim) * 2.0;
    out.inside = e * a * (2.0 * key + 2.0 * l.v_head_dim);
  }
  const double s = static_cast<double>(job.batch.seq_len);
  if (*job.software.attention == AttentionKernel::standard) {
    out.scores = a * s * (e + (mask > 0.0 ? mask + e : 0.0));  // softmax, its mask, what the mask leaves
  } else {
    out.inside += 4.0 * a;  // one fp32 a row of FlashAttention
  }
  return out;
}

PerToken mlp_part(const TrainingJob& job, bool experts) {
  const Model& m = job.model;
  const double e = job.activation_bytes(), h = m.hidden, mask = *job.software.dropout ? 1.0 : 0.0;
  const double matrices_in = m.mlp == Mlp::gated ? 2.0 : 1.0;
  PerToken out;
  out.between = (m.norms_per_layer > 1 ? e * h : 0.0)  // input of the norm
                + input_bytes(job) * h                 // input of the first matrix
                + mask * h;
  if (!experts) {
    out.inside =
        m.ffn * (e * matrices_in + input_bytes(job));  // input of the activation, and of the second matrix
    return out;
  }
  // A token is copied for each of its experts: permuted input, both matrices' inputs, output before the sum.
  const Experts& x = *m.moe;
  const double cut = job.parallelism.expert > 1 ? job.parallelism.tensor : 1.0;  // experts are not cut then
  out.inside = cut * job.expert_load() * x.top_k * (2.0 * e * h + e * x.expert_ffn * (matrices_in + 1.0)) /
                   (job.parallelism.expert > 1 ? job.parallelism.tensor : 1.0) +
               e * x.shared_experts * x.shared_ffn_each * (matrices_in + 1.0) + 4.0 * x.experts;
  return out;
}

}  // namespace

LayerActivations layer_activations(const TrainingJob& job, bool experts, Recompute recompute) {
  const double tokens = static_cast<double>(job.local_tokens());
  const double t = job.parallelism.tensor, shared = job.sequence_parallel() ? t : 1.0;
  const PerToken attention = attention_part(job), mlp = mlp_part(job, experts);
  const double between = tokens * (attention.between + mlp.between) / shared;
  const double inside = tokens * (attention.inside + mlp.inside) / t;
  const double scores = tokens * attention.scores / t;
  switch (recompute) {
    case Recompute::none:
      return {Bytes(between + inside + scores), Bytes(0.0)};
    case Recompute::selective:
      return {Bytes(between + inside), Bytes(scores)};
    case Recompute::operations: {
      // Kept: the layer's input, attention's operands and result, every other product's output.
      const double e = job.activation_bytes() * tokens;
      const Model& m = job.model;
      const double width = static_cast<double>(m.heads + 2 * m.kv_heads) * m.head_dim;
      const double products = width + m.hidden + (m.mlp == Mlp::gated ? 2.0 : 1.0) * m.ffn + m.hidden;
      const double kept = e * m.hidden / shared + tokens * attention.inside / t + 0.5 * e * products / t;
      return {Bytes(std::min(kept, between + inside + scores)), Bytes(between + inside)};
    }
    case Recompute::full:
      return {Bytes(tokens * job.activation_bytes() * job.model.hidden / shared),
              Bytes(between + inside + scores)};
  }
  return {};
}

Bytes head_activations(const TrainingJob& job) {
  const double tokens = static_cast<double>(job.local_tokens()), t = job.parallelism.tensor;
  const double shared = job.sequence_parallel() ? t : 1.0, e = job.activation_bytes();
  const double logit = *job.software.fused_loss ? e : 4.0;
  const double classes = job.vit() != nullptr ? static_cast<double>(job.vit()->classes) : 0.0;
  return Bytes(tokens *
                   (2.0 * e * job.model.hidden / shared + logit * static_cast<double>(job.model.vocab) / t) +
               (e + 4.0) * job.batch.micro_batch * classes);
}

Bytes embedding_activations(const TrainingJob& job) {
  const double shared = job.sequence_parallel() ? job.parallelism.tensor : 1.0;
  const double mask = *job.software.dropout ? 1.0 : 0.0;
  double images = 0.0;  // as they came, and cut into patches: the patch convolution's input
  if (const models::Vit* vit = job.vit()) {
    const double pixels = static_cast<double>(vit->channels) * static_cast<double>(vit->image * vit->image);
    images = job.batch.micro_batch * pixels * (4.0 + job.activation_bytes());
  }
  return Bytes(static_cast<double>(job.local_tokens()) * mask * job.model.hidden / shared + images);
}

double micro_batches_in_flight(const TrainingJob& job, int stage) {
  const double p = job.parallelism.pipeline, v = job.parallelism.virtual_stages, m = job.micro_batches();
  switch (job.schedule()) {
    case PipelineSchedule::gpipe:
      return m;
    case PipelineSchedule::one_forward_one_backward:
    case PipelineSchedule::zero_bubble:
      return std::min(m, p - stage);
    case PipelineSchedule::interleaved:  // Megatron: 2 (p - i - 1) + (v - 1) p warm-up chunks, and one
      return v > 1.0 ? std::min(m, (2.0 * (p - stage - 1) + (v - 1.0) * p + 1.0) / v)
                     : std::min(m, p - stage);
    case PipelineSchedule::dualpipe:
      return std::min(m, p + 1.0);
  }
  return 1.0;
}

}  // namespace gpuplan

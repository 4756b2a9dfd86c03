// A transformer layer: norm, query/key/value, attention, projection, residual, norm, MLP or experts,
// residual. Backward passes of memory-bound kernels move 1.5 times what their forward pass does (one more
// gradient is read); that of attention is the library's. Dropout costs a mask a token and a random number,
// hidden in the pass it is fused with.
#include <algorithm>
#include <iterator>

#include "workloads/training/passes.h"

namespace gpuplan {

namespace {

using collectives::Collective;
using Kind = kernels::Elementwise::Kind;

// A pass forward, and its backward with one more tensor read.
void add_pass(LayerWork& work, std::string_view name, Kind kind, double tokens, double read, double written,
              double more, double launches = 1.0) {
  work.forward.kernels.push_back(
      pass(name, TrainingPart::elementwise, kind, tokens, read, written, launches));
  work.backward.kernels.push_back(
      pass(name, TrainingPart::elementwise, kind, tokens, written + more, read, launches));
}

TrainingOperation attention_kernel(const TrainingJob& job, bool backward) {
  const Model& m = job.model;
  const TrainingParallelism& p = job.parallelism;
  const bool ulysses = p.context_exchange == ContextExchange::ulysses;
  const int cut = p.tensor * (ulysses ? p.context : 1);
  const std::int64_t queries = ulysses ? job.batch.seq_len : job.batch.seq_len / p.context;
  const int heads = std::max(1, m.heads / cut), kv_heads = std::max(1, m.kv_heads / cut);
  const bool ring = p.context > 1 && !ulysses;
  const bool masked = !ring && job.vit() == nullptr;  // an image sees both ways
  const int dim = m.mla ? m.mla->qk_nope_head_dim + m.mla->qk_rope_head_dim : m.head_dim;
  const Precision wide = job.weight_bytes() > 2.0                   ? Precision::fp32
                         : job.precision.compute == Precision::fp16 ? Precision::fp16
                                                                    : Precision::bf16;
  // A ring deals the causal triangle out evenly: each rank sees half of all keys on average, unmasked.
  const std::int64_t context = ring ? std::max<std::int64_t>(1, job.batch.seq_len / 2) : queries;
  if (*job.software.attention == AttentionKernel::standard) {
    kernels::StandardAttention op;
    op.batch = job.batch.micro_batch;
    op.queries = queries;
    op.context = context;
    op.heads = heads;
    op.kv_heads = kv_heads;
    op.head_dim = dim;
    op.precision = wide;
    op.causal = masked;
    op.backward = backward;
    return op;
  }
  kernels::FlashAttention op;
  op.batch = job.batch.micro_batch;
  op.queries = queries;
  op.context = context;
  op.heads = heads;
  op.kv_heads = kv_heads;
  op.head_dim = dim;
  op.precision = wide;
  op.causal = masked;
  op.backward = backward;
  // PyTorch and llm-foundry call FlashAttention 2; Megatron on Hopper cuDNN's, of FA3's speed.
  op.version = job.software.framework == Framework::megatron ? kernels::FlashAttention::Version::native
                                                             : kernels::FlashAttention::Version::fa2;
  return op;
}

// Time over that of the priced kernel. FlashAttention 2 is "around 2x faster" than 1 (Dao 2023). Products
// over rows that are no multiple of 8 elements leave the tensor cores' wide loads: 2.8 brings BLOOM's trials
// of heads of 108 and 150 elements level with those of 128 and 144 (fitted to those 13 rows). Scores in
// memory have rows as long as the sequence: the 197 or 257 tokens of an image are as bad.
double attention_slowdown(const TrainingJob& job) {
  constexpr double version_1 = 2.0, misaligned = 2.8;
  if (*job.software.attention == AttentionKernel::standard) {
    return job.model.head_dim % 8 == 0 && job.batch.seq_len % 8 == 0 ? 1.0 : misaligned;
  }
  return *job.software.attention == AttentionKernel::flash_1 ? version_1 : 1.0;
}

void add_context_exchange(const TrainingJob& job, LayerWork& work) {
  const TrainingParallelism& p = job.parallelism;
  if (p.context == 1) {
    return;
  }
  const Model& m = job.model;
  const double tokens = static_cast<double>(job.local_tokens()), e = job.activation_bytes();
  const double heads = static_cast<double>(m.heads) / p.tensor;
  const double kv = std::max(1.0, static_cast<double>(m.kv_heads) / p.tensor);
  if (p.context_exchange == ContextExchange::ring) {
    const Bytes step(2.0 * tokens * kv * m.head_dim * e);
    const TrainingCollective ring{"pass keys and values", Collective::send_recv, Group::context, step,
                                  p.context - 1.0,        Overlap::matrices};
    work.forward.collectives.push_back(ring);
    work.backward.collectives.push_back(ring);
    work.backward.collectives.push_back(ring);  // their gradients
    return;
  }
  for (TrainingPhase* phase : {&work.forward, &work.backward}) {
    phase->collectives.push_back({"heads for sequence", Collective::all_to_all, Group::context,
                                  Bytes(tokens * m.head_dim * (heads + 2.0 * kv) * e), 1.0, Overlap::none});
    phase->collectives.push_back({"sequence for heads", Collective::all_to_all, Group::context,
                                  Bytes(tokens * m.head_dim * heads * e), 1.0, Overlap::none});
  }
}

void add_attention(const TrainingJob& job, LayerWork& work) {
  const Model& m = job.model;
  const std::int64_t tokens = job.local_tokens(), t = job.parallelism.tensor;
  const double e = job.activation_bytes();
  const std::int64_t kv = std::max<std::int64_t>(1, m.kv_heads / t), heads = m.heads / t;
  std::int64_t width = heads * m.head_dim;
  if (m.mla) {
    const LatentAttention& l = *m.mla;
    const std::int64_t key = l.qk_nope_head_dim + l.qk_rope_head_dim;
    if (l.q_lora_rank > 0) {
      add_matrix(job, work, "query down", TrainingPart::gemm, tokens, l.q_lora_rank, m.hidden);
    }
    add_matrix(job, work, "query up", TrainingPart::gemm, tokens, heads * key,
               l.q_lora_rank > 0 ? l.q_lora_rank : m.hidden);
    add_matrix(job, work, "key-value down", TrainingPart::gemm, tokens, l.kv_lora_rank + l.qk_rope_head_dim,
               m.hidden);
    add_matrix(job, work, "key-value up", TrainingPart::gemm, tokens,
               heads * (l.qk_nope_head_dim + l.v_head_dim), l.kv_lora_rank);
    width = heads * l.v_head_dim;
  } else {
    add_matrix(job, work, "qkv", TrainingPart::gemm, tokens, (heads + 2 * kv) * m.head_dim, m.hidden);
  }
  if (!m.learned_positions) {
    const double rotated = static_cast<double>(heads + kv) * m.head_dim * e;
    add_pass(work, "rotary", Kind::rotary, static_cast<double>(tokens), rotated, rotated, 0.0);
  }
  add_context_exchange(job, work);
  const double launches = *job.software.attention == AttentionKernel::standard ? 4.0 : 1.0;
  const double slower = attention_slowdown(job);
  work.forward.kernels.push_back(
      {"attention", TrainingPart::attention, attention_kernel(job, false), slower, false, launches / slower});
  work.backward.kernels.push_back({"attention", TrainingPart::attention, attention_kernel(job, true), slower,
                                   true, 2.0 * launches / slower});
  const double s = static_cast<double>(job.batch.seq_len);
  work.flops += 12.0 * static_cast<double>(tokens) * s * static_cast<double>(width);
  add_matrix(job, work, "projection", TrainingPart::gemm, tokens, m.hidden, width);
}

void add_mlp(const TrainingJob& job, LayerWork& work) {
  const Model& m = job.model;
  const std::int64_t tokens = job.local_tokens(), f = m.ffn / job.parallelism.tensor;
  const std::int64_t in = m.mlp == Mlp::gated ? 2 : 1;
  const double e = job.activation_bytes();
  add_matrix(job, work, "mlp up", TrainingPart::gemm, tokens, in * f, m.hidden);
  add_pass(work, "activation", Kind::activation, static_cast<double>(tokens), static_cast<double>(in * f) * e,
           static_cast<double>(f) * e, static_cast<double>(in * f) * e);
  add_matrix(job, work, "mlp down", TrainingPart::gemm, tokens, m.hidden, f);
}

// What eager PyTorch moves besides, a token: both inputs of a residual get a gradient and are added, queries,
// keys and values are split and joined, a norm's backward pass takes two kernels and reads twice: some 50
// bytes an element by count. 60 are taken; a fit to two thirds of MosaicML's rows says 108 +- 28.
void add_eager(const TrainingJob& job, LayerWork& work) {
  constexpr double forward = 20.0, backward = 40.0;
  if (job.software.framework != Framework::fsdp) {
    return;
  }
  const double h = job.model.hidden, tokens = static_cast<double>(job.local_tokens());
  work.forward.kernels.push_back(pass("eager", TrainingPart::elementwise, Kind::copy, tokens,
                                      0.5 * forward * h, 0.5 * forward * h, 6.0));
  work.backward.kernels.push_back(pass("eager", TrainingPart::elementwise, Kind::copy, tokens,
                                       0.6 * backward * h, 0.4 * backward * h, 8.0));
}

// What PyTorch's FSDP moves of each gathered weight, a micro-batch. FSDP1's flat parameters: weights are
// cast, gradients of their views joined, cast and divided, 36 bytes by count with autocast and 8 in pure 16
// bits; 40 are taken, a fit to two thirds of MosaicML's rows says 32 +- 6. FSDP2 copies gathered weights out
// of one buffer twice and gradients into one: 14 bytes by count.
void add_gathered_copies(const TrainingJob& job, LayerWork& work) {
  const Framework f = job.software.framework;
  const double bytes = f == Framework::fsdp ? 40.0 : f == Framework::compiled ? 14.0 : 0.0;
  if (!job.shards_weights() || job.gathers_once() || job.fine_tune.method != FineTune::full || bytes == 0.0) {
    return;
  }
  double elements = 0.0;
  for (const TrainingKernel& kernel : work.weights.kernels) {
    if (const auto* gemm = std::get_if<kernels::Gemm>(&kernel.operation)) {
      elements += kernel.count * static_cast<double>(gemm->m) * static_cast<double>(gemm->n);
    }
  }
  work.weights.kernels.push_back(pass("gathered copies", TrainingPart::elementwise, Kind::copy, elements,
                                      0.6 * bytes, 0.4 * bytes, 10.0));
}

// The recomputed part of the forward pass.
void add_recompute(const TrainingJob& job, LayerWork& work) {
  if (job.recompute == Recompute::full) {
    work.recompute = work.forward;
  } else if (job.recompute == Recompute::selective && *job.software.attention == AttentionKernel::standard) {
    for (const TrainingKernel& kernel : work.forward.kernels) {
      if (kernel.part == TrainingPart::attention) {
        work.recompute.kernels.push_back(kernel);
      }
    }
  } else if (job.recompute == Recompute::operations) {
    // torchtitan keeps what attention, reduce-scatters and every other 16-bit product return; scaled products
    // and all-gathers are not on its list.
    const double again = bytes_per_element(job.precision.compute) < 2.0 ? 1.0 : 0.5;
    for (TrainingKernel kernel : work.forward.kernels) {
      if (kernel.part != TrainingPart::attention) {
        kernel.count *= kernel.part == TrainingPart::gemm ? again : 1.0;
        work.recompute.kernels.push_back(kernel);
      }
    }
    std::copy_if(work.forward.collectives.begin(), work.forward.collectives.end(),
                 std::back_inserter(work.recompute.collectives),
                 [](const TrainingCollective& one) { return one.kind == Collective::all_gather; });
  }
}

}  // namespace

LayerWork lower_layer(const TrainingJob& job, bool experts) {
  LayerWork work;
  if (job.convnet() != nullptr) {
    return work;  // lower_chain has its layers
  }
  const Model& m = job.model;
  const double between = tokens_between(job), wide = job.activation_bytes() * m.hidden;
  const double mask = *job.software.dropout ? m.hidden : 0.0;
  // Under autocast with fp32 weights the residual stream is fp32, and is cast in front of every norm.
  const bool autocast = *job.precision.gather == Precision::fp32 && job.weight_bytes() < 4.0;
  const double stream = autocast ? 2.0 * wide : wide, cast = autocast ? 3.0 * wide : 0.0;
  // Eager RMSNorm runs as power, mean, product and casts in fp32, a kernel each: 26 bytes an element where a
  // fused kernel moves 4 (torch.nn.functional before 2.5).
  const double eager = job.software.framework == Framework::fsdp && m.norm == Norm::rmsnorm ? 6.5 : 1.0;
  const auto norm = [&] {
    add_pass(work, "norm", Kind::norm, between, eager * (wide + cast), eager * wide, wide,
             eager > 1.0 ? 6.0 : 1.0);
  };
  const auto residual = [&] {
    if (job.vit() != nullptr && job.vit()->layer_scale) {
      add_pass(work, "layer scale", Kind::residual, between, wide, wide, wide);
    }
    add_pass(work, "residual", Kind::residual, between, wide + stream, stream + mask, mask);
  };
  norm();
  enter_tensor(job, work);
  add_attention(job, work);
  leave_tensor(job, work);
  residual();
  if (m.norms_per_layer > 1) {
    norm();
    enter_tensor(job, work);
  }
  experts ? lower_experts(job, work) : add_mlp(job, work);
  leave_tensor(job, work);
  residual();
  add_eager(job, work);
  add_gathered_copies(job, work);
  add_recompute(job, work);
  add_sharded_layer(job, experts, work);
  return work;
}

}  // namespace gpuplan

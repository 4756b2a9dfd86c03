// Standard attention: scores in memory.
//
//   T    = kernels x floor + layout + GEMM(S) + mask + softmax + GEMM(O)     (backward: 4 GEMMs, softmax')
//   GEMM = overlap{ (s + q, k or v, o) bytes / (BW e),  2 b h q c d / (P e_matrix) }
//   mask = 2 s / (BW e_mask),  softmax = 2 s / (BW e),  softmax' = 3 s / (BW e e_backward),  s = b h q c
//   bytes
//
// Forward moves 4 s (6 s with a mask) where FlashAttention moves Q, K, V and O once, so it is limited by
// memory at any length; the mask saves no work. Layout is the copying of Q, K, V and O between [tokens,
// heads, d] and [heads, tokens, d]: seen in the measurements only at 512 tokens. Constants from
// FlashAttention's published charts (PyTorch bars), half of the bars each: held-out median error 1 % on H100,
// 3 % on A100. Known to fail: a soft-max that keeps a short row of scores on chip across kernels (L2), and
// dropout.
#include "hwmodels/kernels/standard_attention.h"

#include <fmt/format.h>

#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

struct Shape {
  double sequences, heads, kv_heads, queries, context, head_dim, bytes;
};
Shape shape_of(const StandardAttention& op) {
  return {static_cast<double>(op.batch),   static_cast<double>(op.heads),   static_cast<double>(op.kv_heads),
          static_cast<double>(op.queries), static_cast<double>(op.context), static_cast<double>(op.head_dim),
          bytes_per_element(op.precision)};
}

double query_bytes(const Shape& s) { return s.sequences * s.heads * s.queries * s.head_dim * s.bytes; }
double key_bytes(const Shape& s) { return s.sequences * s.kv_heads * s.context * s.head_dim * s.bytes; }

}  // namespace

Bytes score_bytes(const StandardAttention& op) {
  const Shape s = shape_of(op);
  return Bytes(s.sequences * s.heads * s.queries * s.context * s.bytes);
}

Bytes working_memory(const StandardAttention& op) {
  const Shape s = shape_of(op);
  const Bytes tensors((2.0 * query_bytes(s) + 2.0 * key_bytes(s)) * (op.backward ? 2.0 : 1.0));
  return tensors + score_bytes(op) * (op.backward ? 3.0 : 2.0);
}

std::int64_t longest_context(StandardAttention op, Bytes memory) {
  std::int64_t fits = 0, fails = std::int64_t{1} << 32;
  while (fails - fits > 1) {
    const std::int64_t middle = fits + (fails - fits) / 2;
    op.queries = op.context = middle;
    (working_memory(op) <= memory ? fits : fails) = middle;
  }
  return fits;
}

Price KernelModel::price(const StandardAttention& op, Explanation* why) const {
  const StandardAttentionConstants& c = operations_.standard_attention;
  const Shape s = shape_of(op);
  const double scores = score_bytes(op).si();
  const double queries = query_bytes(s), keys = key_bytes(s);
  const double bandwidth = gpu_.memory_bandwidth.si();
  const double peak = matrix_peak(compute_precision(op.precision));
  const double stream = 1.0 / (bandwidth * c.score_share);
  const double leak = gemm_constants(compute_precision(op.precision), op.precision).leak;

  const double gemms = op.backward ? 6.0 : 2.0;
  const double gemm_flops = 2.0 * s.sequences * s.heads * s.queries * s.context * s.head_dim;
  const double gemm_compute = gemm_flops / (peak * c.matrix_share);
  const double gemm_bytes = scores + queries + keys;
  const double gemm = overlapped(gemm_compute, gemm_bytes * stream, 0.0, leak);
  const double mask_bytes = op.causal ? 2.0 * scores : 0.0;
  const double layout_bytes = 2.0 * (2.0 * queries + 2.0 * keys) * (op.backward ? 2.0 : 1.0);
  const double softmax = 2.0 * scores * stream, softmax_backward = op.backward ? 3.0 * scores * stream : 0.0;
  const double mask = mask_bytes / (bandwidth * c.mask_share);
  const double layout = layout_bytes / (bandwidth * c.layout_share);
  const double kernels = 7.0 + (op.causal ? 1.0 : 0.0) + (op.backward ? 9.0 : 0.0);
  const double fixed = kernels * profile_.passes.floor * 1e-6;
  const double passes = softmax + softmax_backward / c.backward_share + mask + layout;

  Price price;
  price.time = Seconds(fixed + gemms * gemm + passes);
  price.compute = Seconds(gemms * gemm_compute);
  price.hbm = Seconds(gemms * gemm_bytes * stream + passes);
  price.fixed = Seconds(fixed);
  price.flops = Flops(gemms * gemm_flops);
  price.hbm_bytes =
      Bytes(gemms * gemm_bytes + (op.backward ? 5.0 : 2.0) * scores + mask_bytes + layout_bytes);
  set_limiter(price, FlopsPerSecond(peak), gpu_.memory_bandwidth);
  stand_on(price, c, gpu_, op.context < 512 || op.context > 8192 || op.head_dim < 64 || op.head_dim > 128);
  if (why != nullptr) {
    why->add(
        fmt::format("standard attention b={} h={} q={} c={} d={}: a score matrix b h q c x {:.0f} B = {:.4g} "
                    "B, {:.0f} of "
                    "them moved",
                    op.batch, op.heads, op.queries, op.context, op.head_dim, s.bytes, scores,
                    gemms + (op.backward ? 5.0 : 2.0) + (op.causal ? 2.0 : 0.0)));
    why->add(
        fmt::format("a GEMM = overlap(compute {:.2f}, {:.4g} B / ({:.3g} B/s x {:.2f})) = {:.2f} us, {:.0f} "
                    "of them",
                    gemm_compute * 1e6, gemm_bytes, bandwidth, c.score_share, gemm * 1e6, gemms));
    why->add(fmt::format("soft-max {:.2f}, mask {:.2f}, layout copies {:.2f}, {:.0f} kernels {:.2f} us",
                         (softmax + softmax_backward / c.backward_share) * 1e6, mask * 1e6, layout * 1e6,
                         kernels, fixed * 1e6));
    why->add(fmt::format("T = {:.2f} us; FlashAttention would move {:.4g} B", price.time.si() * 1e6,
                         2.0 * queries + 2.0 * keys));
    explain_evidence(price, c, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

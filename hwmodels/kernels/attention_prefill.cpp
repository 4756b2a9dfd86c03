// Prefill attention as FlashAttention tiles: rows of 128 queries, blocks of 128 keys.
//
//   T = t0 + max(unit x max(blocks / SMs, longest row), bytes / (BW e))
//   unit = 2 x 2 x 128 x 128 x d / (P_SM e) + t_tile   one 128 x 128 block: QK^T and PV
//   blocks = sum over rows of the key blocks that the causal mask (and the window) leaves
//
// A long row cannot be split, so few heads and a long prompt leave SMs idle. Known to fail: head sizes other
// than 64 and 128 (other tiles), and fp8 attention on GPUs whose library keeps it in 16 bit.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {
constexpr double kTile = 128.0;
}

Price KernelModel::price(const AttentionPrefill& op, Explanation* why) const {
  const PrefillConstants& c = profile_.prefill;
  const double q = static_cast<double>(op.queries), context = static_cast<double>(op.context);
  const double sequences = static_cast<double>(op.batch), heads = op.heads,
               d = 0.5 * (op.head_dim + op.value_dim);
  const double sms = std::max(1, gpu_.sm_count);
  const double peak = gpu_.peak(op.compute).value_or(gpu_.vector_fp32_peak).si();
  const double bandwidth = gpu_.memory_bandwidth.si();

  // Keys that one query sees on average, causal: from context - q + 1 to context.
  const double window = op.window > 0 ? static_cast<double>(op.window) : context;
  const double first = op.causal ? context - q + 1.0 : context;
  double keys = 0.5 * (std::min(first, window) + std::min(context, window));
  if (first < window && context > window) {  // the ramp ends inside the chunk
    keys = ((window - first) * 0.5 * (first + window) + (context - window) * window) / q;
  }
  const double pairs = sequences * heads * q * keys;
  const double flops = 4.0 * pairs * d;

  const double rows = std::ceil(q / kTile);
  const double row_blocks = keys / kTile + 0.5;  // the diagonal block is half empty
  const double longest = std::ceil(std::min(context, window) / kTile);
  const double blocks = sequences * heads * rows * row_blocks;
  const double unit = 4.0 * kTile * kTile * d / (peak / sms * c.efficiency) + c.tile_overhead * 1e-6;
  const double compute = unit * std::max(blocks / sms, longest);
  const double kv_bytes =
      sequences * op.kv_heads * std::min(context, window + q) * 2.0 * d * bytes_per_element(op.kv);
  const double bytes = kv_bytes + sequences * heads * q * 2.0 * d * 2.0;
  const double hbm = bytes / (bandwidth * c.hbm_efficiency);
  const double fixed = c.t0 * 1e-6;

  Price price;
  price.time = Seconds(fixed + std::max(compute, hbm));
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm);
  price.fixed = Seconds(fixed);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(bytes);
  const double time = price.time.si();
  price.limiter = fixed > 0.5 * time ? Limiter::latency
                  : compute >= hbm   ? Limiter::compute
                                     : Limiter::hbm_bandwidth;
  price.fraction_of_peak =
      price.limiter == Limiter::hbm_bandwidth ? bytes / bandwidth / time : flops / peak / time;
  price.provenance = standing(c.error);
  price.outside_measured_range = op.context > 262144;
  price.relative_error = expected_error(c.error) * (price.outside_measured_range ? 2.0 : 1.0);
  if (why != nullptr) {
    why->add(fmt::format(
        "{} queries of {} heads on {:.0f} keys each on average: FLOP = 4 x {:.4g} pairs x {:.0f} = {:.4g}",
        op.queries, op.heads, keys, pairs, d, flops));
    why->add(
        fmt::format("T = t0 {:.2f} + max(block {:.3f} us x max({:.0f} blocks / {:.0f} SMs, longest row "
                    "{:.0f}) = {:.2f}, HBM {:.2f}) = {:.2f} us",
                    fixed * 1e6, unit * 1e6, blocks, sms, longest, compute * 1e6, hbm * 1e6, time * 1e6));
  }
  return price;
}

}  // namespace gpuplan::kernels

// Decode attention: one query per sequence reads its whole KV cache. Bytes over bandwidth, and what it costs
// to start and to split.
//
//   groups = sequences x KV heads
//   splits = tokens / 128 (XQA: beyond 8 the root of eight times as many), until there are `target_waves`
//            waves of CTAs; none where the groups alone are more than `split_below` waves
//   A = waves (t_wave [+ t_split]), t_wave longer for groups of more than 8 query heads
//   B = bytes / (BW e min(1, ramp CTAs / SMs))
//   T = t0 + max(A, B, L2, compute) + leak min(A, B) + [split] reduction
//
// The measured operation contains the rotary embedding and the KV write of the new token, so the price does
// too. Bytes: context x KV heads x (key + value size); MLA reads one latent vector a token. The A100 table
// shows up to 1.6 times the HBM bandwidth for grouped heads: its collector keeps K and V in the same blocks,
// so half of the reads hit L2 (`repeat_share`). That part is applied only to operations marked as such
// measurements (warm_l2).
//
// Which kernel runs is the library's choice, not the best: TensorRT-LLM before Blackwell (`tensorrt_llm`, as
// in the measured tables) gives groups with a 16-bit cache to XQA only where there are blocks of tokens
// enough, and else runs each query head by itself, up to twice as long; so there a longer context or a larger
// batch can be faster, as measured. Elsewhere time never falls. Known to fail: the block sizes of that other
// kernel (staircases of up to 30 % at small batch).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {
// Per SM and clock: what gpu-benches measures on A100 to H200 lies between 36 and 41 B.
constexpr double kL2BytesPerClock = 38.0;

// Splitting costs all it costs from so many splits on; below, a share of it, so that T has no step there.
constexpr double kWholeSplit = 1.125;

// TensorRT-LLM before Blackwell: the grouped kernel (XQA) runs where its blocks of so many tokens, before
// they are merged, number a quarter of the SMs; beyond eight of a sequence it takes the root of eight times
// as many.
constexpr double kBlockTokens = 128.0, kLeastBlocks = 0.25, kPlainSplits = 8.0;

// What a number of sequences costs.
struct Walk {
  double kv_bytes = 0.0, bytes = 0.0, from_l2 = 0.0;  // from_l2: of them, not from HBM
  double groups = 0.0, splits = 1.0, waves = 1.0;
  double rate = 0.0;  // of HBM (B/s)
  double walk = 0.0, hbm = 0.0, l2 = 0.0, compute = 0.0, fixed = 0.0, time = 0.0;
};

// The rules for a 16-bit cache; kernels for fp8 show none of them.
bool by_xqa(const KernelProfile& profile, const AttentionDecode& op) {
  return profile.xqa && bytes_per_element(op.kv) >= 2.0;
}
}  // namespace

bool decodes_grouped(const KernelProfile& profile, int sm_count, const AttentionDecode& op) {
  if (op.latent_dim > 0) {
    return true;
  }
  if (op.heads <= op.kv_heads || op.heads > profile.widest_group * op.kv_heads) {
    return false;
  }
  if (!op.tensorrt_llm || !by_xqa(profile, op)) {
    return true;
  }
  const double blocks =
      static_cast<double>(op.batch) * op.kv_heads * std::max(1.0, std::floor(op.context / kBlockTokens));
  return blocks >= kLeastBlocks * sm_count;
}

Price KernelModel::price(const AttentionDecode& op, Explanation* why, TileChoice* choice) const {
  const Precision unit = compute_precision(op.compute);
  const bool latent = op.latent_dim > 0;
  const double group = static_cast<double>(op.heads) / std::max(1, op.kv_heads);
  // Wider groups than the grouped kernel takes run one head at a time and read K and V through L2 again.
  const bool grouped = decodes_grouped(profile_, gpu_.sm_count, op);
  const std::string_view format = attention_format(unit, op.kv);
  const DecodeConstants& c = decode_constants(format, grouped);
  const double per_sequence = latent ? std::ceil(op.heads / 64.0) : grouped ? op.kv_heads : op.heads;
  const double context =
      std::max(1.0, op.window > 0 ? std::min(op.context, static_cast<double>(op.window)) : op.context);
  const double sms = std::max(1, gpu_.sm_count);
  const double bandwidth = gpu_.memory_bandwidth.si();
  const double peak = matrix_peak(unit);
  const double per_token =
      latent ? op.latent_dim : static_cast<double>(op.kv_heads) * (op.head_dim + op.value_dim);
  const double wide =
      grouped ? 1.0 + c.group_cost * std::max(0.0, (latent ? op.heads : group) / 8.0 - 1.0) : 1.0;
  // Rows of a query group are padded to 16 for the matrix units; half of their peak (assumed).
  const double rows = std::max(16.0, latent ? static_cast<double>(op.heads) : group);

  // A window shortens what a split of XQA reads, not the number of splits.
  const bool xqa = by_xqa(profile_, op);
  const double even_splits = (xqa ? op.context : context) / c.split_tokens;
  const double most_splits =
      xqa && grouped && even_splits > kPlainSplits ? std::sqrt(kPlainSplits * even_splits) : even_splits;

  const auto walk_over = [&](double batch, bool may_split) {
    Walk w;
    w.kv_bytes = batch * context * per_token * bytes_per_element(op.kv);
    w.bytes = w.kv_bytes + batch * op.heads * (op.head_dim + op.value_dim) * 2.0;
    w.groups = batch * per_sequence;
    const double wanted = may_split ? most_splits : 1.0;
    w.splits = std::max(1.0, std::min(wanted, c.target_waves * sms / w.groups));
    const double ctas = w.groups * w.splits;
    const double even = std::max(1.0, ctas / sms);
    w.waves = even + (1.0 - c.wave_smoothing) * (std::max(even, std::ceil(even - 1e-9)) - even);
    const double split = std::clamp((w.splits - 1.0) / (kWholeSplit - 1.0), 0.0, 1.0);
    w.walk = w.waves * (c.wave * wide + split * c.split_wave) * 1e-6;
    w.rate = bandwidth * c.hbm_efficiency * std::min(1.0, c.sm_ramp * ctas / sms);
    w.from_l2 = op.warm_l2 ? c.repeat_share * w.kv_bytes : 0.0;
    const double again = grouped || latent ? 1.0 : group;
    w.l2 = again * w.kv_bytes / (kL2BytesPerClock * clock_hz() * sms);
    w.hbm = (w.bytes - w.from_l2) / w.rate;
    w.compute = 2.0 * batch * (latent ? 1.0 : op.kv_heads) * rows * context * (op.head_dim + op.value_dim) /
                (0.5 * peak);
    w.fixed = (c.t0 + c.split_overhead * split) * 1e-6;
    w.time = w.fixed + std::max({w.walk, w.hbm, w.l2, w.compute}) +
             c.leak * std::min(w.walk, std::max(w.hbm, w.l2));
    return w;
  };
  const double batch = static_cast<double>(op.batch);
  const double split_batch = c.split_below * sms / per_sequence;  // above it nothing is split
  const Walk w = walk_over(batch, batch <= split_batch);
  // Where splitting ends, or fades out, a few sequences more would cost less than those that were split.
  // Measured batches are powers of two and do not show it; the time stays where it was instead.
  const double parts = std::clamp(most_splits, 1.0, kWholeSplit);
  const double last_split = std::min(split_batch, c.target_waves * sms / (parts * per_sequence));
  const double held = batch > last_split ? walk_over(last_split, true).time : 0.0;
  const double flops = 2.0 * batch * op.heads * context * (op.head_dim + op.value_dim);

  Price price;
  price.time = Seconds(std::max(w.time, held));
  price.compute = Seconds(w.compute);
  price.hbm = Seconds(w.hbm);
  price.l2 = Seconds(w.l2);
  price.fixed = Seconds(w.fixed + w.walk);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(w.bytes);
  set_standing(price, c.error, c.format == format && c.grouped == grouped,
               latent || op.batch > 2048 || op.context > 131072.0,
               latent ? nullptr : &decode_curves_[static_cast<std::size_t>(&c - profile_.decode.data())],
               features(op));
  const double time = price.time.si();
  price.limiter = w.fixed + w.walk > std::max({w.hbm, w.l2, w.compute}) ? Limiter::latency
                  : w.compute > std::max(w.hbm, w.l2)                   ? Limiter::compute
                  : w.hbm >= w.l2                                       ? Limiter::hbm_bandwidth
                                                                        : Limiter::l2_bandwidth;
  price.fraction_of_peak =
      price.limiter == Limiter::compute ? flops / peak / time : w.bytes / bandwidth / time;
  if (choice != nullptr) {
    *choice = {1.0, c.split_tokens, w.groups * w.splits};
  }
  if (why != nullptr) {
    why->add(fmt::format("{} sequences x {:.0f} tokens x {:.0f} elements x {:.2g} B = {:.4g} B of KV cache",
                         op.batch, context, per_token, bytes_per_element(op.kv), w.kv_bytes));
    why->add(
        fmt::format("{:.0f} groups x {:.1f} splits = {:.0f} CTAs, {:.2f} waves of {:.2f} us on {:.0f} SMs",
                    w.groups, w.splits, w.groups * w.splits, w.waves, c.wave, sms));
    why->add(fmt::format("HBM = {:.4g} B / ({:.3g} B/s x {:.3f}) = {:.2f} us", w.bytes - w.from_l2, bandwidth,
                         w.rate / bandwidth, w.hbm * 1e6));
    why->add(fmt::format(
        "T = fixed {:.2f} + max(waves {:.2f}, HBM {:.2f}, L2 {:.2f}, compute {:.2f}) + {:.2f} x "
        "the shorter = {:.2f} us",
        w.fixed * 1e6, w.walk * 1e6, w.hbm * 1e6, w.l2 * 1e6, w.compute * 1e6, c.leak, w.time * 1e6));
    if (held > w.time) {
      why->add(fmt::format("no less than {:.1f} sequences, split: T = {:.2f} us", last_split, held * 1e6));
    }
    explain_standing(price, c.error, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

// Prefill attention as FlashAttention tiles: tiles of queries, each walking blocks of 128 keys.
//
//   T    = t0 + pass + max(compute, HBM)
//   pass = bytes of Q, K, V that rotary embedding and KV write move / (BW share), K and V weighed by kv_pass
//   compute = (1 + droop) ((tiles t_tile + blocks t_block) / SMs + imbalance x longest tile)
//             + lack of power x FLOP / P
//   t_block = 4 rows 128 d / (P_SM e) + soft-max overhead;  blocks = what the causal mask and the window
//   leave
//
// The measured operation contains the rotary embedding and the write of K and V, so these are in the price.
// A tile cannot be split, so few heads and a long prompt leave SMs idle. A chunk that continues a prompt
// (queries < context) is the same arithmetic with a longer row, but was not measured. Known to fail: head
// sizes other than 64 and 128 (other tiles), windows that the library does not skip blocks for.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

constexpr double kKeys = 128.0;      // keys a block
constexpr double kDroopSlope = 2.5;  // of the clock droop per decade of FLOP, as GEMMs show it

// Mean number of keys that one of `q` queries sees, the last of which sits at `context`.
double mean_keys(double q, double context, double window, bool causal) {
  if (!causal) {
    return std::min(context, window);
  }
  const double first = context - q + 1.0;
  if (window <= first) {
    return window;
  }
  if (window >= context) {
    return 0.5 * (first + context);
  }
  const double ramp = window - first;  // queries that the window does not cut yet
  return (ramp * 0.5 * (first + window) + (q - ramp) * window) / q;
}

}  // namespace

Price KernelModel::price(const AttentionPrefill& op, Explanation* why, TileChoice* choice) const {
  const Precision unit = compute_precision(op.compute);
  const std::string_view format = attention_format(unit, op.kv);
  const PrefillConstants& c = prefill_constants(format);
  const double q = static_cast<double>(op.queries), context = static_cast<double>(op.context);
  const double sequences = static_cast<double>(op.batch), heads = op.heads;
  const double d = 0.5 * (op.head_dim + op.value_dim);
  const double sms = std::max(1, gpu_.sm_count);
  const double peak = matrix_peak(unit);
  const double bandwidth = gpu_.memory_bandwidth.si();

  const double window = op.window > 0 ? static_cast<double>(op.window) : context;
  const double keys = mean_keys(q, context, window, op.causal);
  const double pairs = sequences * heads * q * keys;
  const double flops = 4.0 * pairs * d;

  // Short prompts run in half a tile, of queries and of keys.
  const double rows = std::min(c.tile_rows, std::max(64.0, std::ceil(q / 64.0) * 64.0));
  const double row_tiles = std::ceil(q / rows);
  const double tiles = sequences * heads * row_tiles;
  // A row of tiles is as long as its last query needs; partly masked blocks count whole.
  const double last = std::min(context, window + std::min(rows, q));
  const double longest = std::ceil(last / (0.5 * kKeys)) * 0.5;
  const double tile_q = q / row_tiles;
  const double tile_keys =
      keys + 0.5 * (op.causal ? std::min(tile_q, kKeys) : 0.0) + (window < context ? 0.5 * tile_q : 0.0);
  // A sliding window is masked at both ends of a row, which costs further blocks where it cuts the row short.
  const double window_blocks = window < context ? c.window_blocks : 0.0;
  const double blocks = tiles * (std::clamp(tile_keys / kKeys, 0.5, longest) + window_blocks);
  const double efficiency = c.efficiency * (d > 128.0 ? c.large_head : 1.0);
  const double block_time = 4.0 * rows * kKeys * d / (peak / sms * efficiency) + c.block_overhead * 1e-6;
  // Loading Q and storing O: partly a matter of how full the tile is.
  const double tile_time = c.tile_overhead * 1e-6 * (0.4 + 0.6 * std::min(1.0, q / c.tile_rows));
  const double droop =
      power_.droop(c.droop) /
      (1.0 + std::exp(-kDroopSlope * (std::log10(std::max(1.0, flops)) - c.droop_log10_flops)));
  const double compute =
      (1.0 + droop) * ((tiles * tile_time + blocks * block_time) / sms +
                       c.imbalance * (tile_time + (longest + window_blocks) * block_time)) +
      power_.lack() * flops / peak;

  const double kv_width = op.kv_heads * 2.0 * d;
  const double kv_bytes = sequences * kv_width * std::min(context, window + q) * bytes_per_element(op.kv);
  const double bytes = kv_bytes + sequences * q * heads * 2.0 * d * 2.0;
  const double hbm = bytes / (bandwidth * c.hbm_efficiency);
  const double pass_bytes =
      sequences * q *
      (heads * d * (2.0 + bytes_per_element(unit)) + c.kv_pass * kv_width * (2.0 + bytes_per_element(op.kv)));
  const double pass = pass_bytes / (bandwidth * c.pass_share);
  const double fixed = c.t0 * 1e-6;

  Price price;
  price.time = Seconds(fixed + pass + std::max(compute, hbm));
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm + pass);
  price.fixed = Seconds(fixed);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(bytes + pass_bytes);
  const double physics = price.time.si();
  const bool chunk = op.queries != op.context || !op.causal || op.head_dim != op.value_dim;
  set_standing(price, c.error, c.format == format, chunk || op.context > 16384 || op.batch > 256,
               &prefill_curves_[static_cast<std::size_t>(&c - profile_.prefill.data())], features(op));
  const double time = price.time.si();
  price.limiter = fixed > 0.5 * time               ? Limiter::latency
                  : compute >= std::max(hbm, pass) ? Limiter::compute
                                                   : Limiter::hbm_bandwidth;
  price.fraction_of_peak =
      price.limiter == Limiter::compute ? flops / peak / time : price.hbm_bytes.si() / bandwidth / time;
  if (choice != nullptr) {
    *choice = {rows, kKeys, tiles};
  }
  if (why != nullptr) {
    why->add(
        fmt::format("{} sequences, {} queries of {} heads on {:.0f} keys each on average: 4 x {:.4g} pairs x "
                    "{:.0f} = {:.4g} FLOP",
                    op.batch, op.queries, op.heads, keys, pairs, d, flops));
    why->add(
        fmt::format("{:.0f} tiles of {:.0f} queries, {:.0f} blocks of 128 keys at {:.3f} us, longest row "
                    "{:.0f} blocks, {:.0f} SMs: compute {:.2f} us",
                    tiles, rows, blocks, block_time * 1e6, longest, sms, compute * 1e6));
    why->add(fmt::format("rotary and KV write: {:.4g} B / ({:.3g} B/s x {:.2f}) = {:.2f} us", pass_bytes,
                         bandwidth, c.pass_share, pass * 1e6));
    why->add(fmt::format("T = t0 {:.2f} + pass {:.2f} + max(compute {:.2f}, HBM {:.2f}) = {:.2f} us",
                         fixed * 1e6, pass * 1e6, compute * 1e6, hbm * 1e6, physics * 1e6));
    explain_standing(price, c.error, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

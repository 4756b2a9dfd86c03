// FlashAttention tiles: scores stay on chip. Tiles of queries, each walking blocks of keys.
//
//   T       = t0 + max((tiles t_tile + blocks t_block) / SMs, HBM)
//   t_block = 4 Br Bc d / (P_SM e) + Br Bc / (16 clock) c        (products, and one exponential a score)
//   tiles   = b h ceil(q / Br); blocks: those that a mask leaves, whole
//   HBM     = Q, K, V, O once and 4 B a row (backward: with dO, dQ, dK, dV, and dQ's sums in fp32 out and in)
//   backward = t0 + 2.5 forward / e_b  (five products for two)
//
// Br x Bc are the library's: FA2 128 x 128 to heads of 64, else 128 x 64; FA3 192 x 128, 128 x 176 (128 x 128
// with a mask) to 128, 128 x 112 to 192, 128 x 80. The exponentials cost what the special function units
// need: c comes out at 0.7 to 0.95. Published charts (values on the bars), every other bar fitted; median and
// p90 error on the others: FA3 on H100 1.5 and 5 %, FA2 on H100 2.2 and 4 %, on A100 1.4 and 4 %. KV is read
// again for every tile, from L2. Known to fail: few tiles for the SMs (single short prompts: measured by
// nobody here), FA3 in fp8, heads beyond 256.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

using Version = FlashAttention::Version;

constexpr double kExponentialsPerClock = 16.0;  // of an SM's special function units
constexpr double kStart = 3.0e-6;               // of a kernel, assumed
constexpr double kBackwardProducts = 2.5;

struct Tile {
  std::int64_t rows, keys;
};
Tile tile_of(Version version, int head_dim, bool causal) {
  if (version != Version::fa3) {
    return {128, head_dim <= 64 ? 128 : 64};
  }
  return head_dim <= 64    ? Tile{192, 128}
         : head_dim <= 128 ? Tile{128, causal ? 128 : 176}
         : head_dim <= 192 ? Tile{128, 112}
                           : Tile{128, 80};
}

// Blocks of keys that all tiles of one head walk.
double blocks_of(std::int64_t queries, std::int64_t context, Tile tile, bool causal) {
  const std::int64_t tiles = (queries + tile.rows - 1) / tile.rows;
  const std::int64_t all = (context + tile.keys - 1) / tile.keys;
  if (!causal) {
    return static_cast<double>(tiles * all);
  }
  std::int64_t blocks = 0;
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t last = std::min(context, context - queries + (i + 1) * tile.rows);
    blocks += (last + tile.keys - 1) / tile.keys;
  }
  return static_cast<double>(blocks);
}

const FlashAttentionConstants& of_version(const std::vector<FlashAttentionConstants>& all, Version version) {
  for (const FlashAttentionConstants& one : all) {
    if (one.version == version) {
      return one;
    }
  }
  return all.front();
}

}  // namespace

Price KernelModel::price(const FlashAttention& op, Explanation* why) const {
  const Version version = op.version != Version::native             ? op.version
                          : gpu_.architecture.starts_with("Hopper") ? Version::fa3
                                                                    : Version::fa2;
  const FlashAttentionConstants& c = of_version(operations_.flash_attention, version);
  const Precision unit = compute_precision(op.precision);
  const Tile tile = tile_of(version, op.head_dim, op.causal);
  const double element = bytes_per_element(unit), d = op.head_dim;
  const double sequences = static_cast<double>(op.batch), heads = sequences * op.heads;
  const double rows = static_cast<double>(tile.rows), keys = static_cast<double>(tile.keys);
  const double sms = std::max(1, gpu_.sm_count), clock = clock_hz(), peak = matrix_peak(unit);

  const double tiles = heads * std::ceil(static_cast<double>(op.queries) / rows);
  const double blocks = heads * blocks_of(op.queries, op.context, tile, op.causal);
  const double share = c.matrix_share * (op.head_dim > 128 ? c.wide_share : 1.0);
  const double multiply = 4.0 * rows * keys * d / (peak / sms * share);
  const double exponentials = c.softmax_cost * rows * keys / (kExponentialsPerClock * clock);
  const double a_tile = (c.tile * rows * d / (128.0 * 128.0) + (op.causal ? c.mask : 0.0)) * 1e-6;
  const double forward = (tiles * a_tile + blocks * (multiply + exponentials)) / sms;
  const double compute = forward * (op.backward ? 1.0 + kBackwardProducts / c.backward_share : 1.0);

  const double q = heads * static_cast<double>(op.queries) * d;  // elements of Q, O, dO, dQ
  const double kv = sequences * op.kv_heads * static_cast<double>(op.context) * d;  // of K, V, dK, dV
  const double sums = 4.0 * heads * static_cast<double>(op.queries);                // bytes, one fp32 a row
  double bytes = element * (2.0 * q + 2.0 * kv) + sums;
  double pairs = heads * static_cast<double>(op.queries) * static_cast<double>(op.context);
  if (op.causal) {  // the mask leaves each query the keys before it
    pairs -= heads * 0.5 * static_cast<double>(op.queries) * static_cast<double>(op.queries);
  }
  if (op.backward) {
    bytes += element * (4.0 * q + 4.0 * kv) + 2.0 * 4.0 * q + 2.0 * sums;
  }

  Price price;
  price.flops = Flops(4.0 * pairs * d * (op.backward ? 1.0 + kBackwardProducts : 1.0));
  price.compute = Seconds(compute);
  price.hbm = Bytes(bytes) / achievable_bandwidth();
  price.l2 = Seconds(blocks * 2.0 * keys * d * element /
                     (sms * operations_.memory.l2_bytes_per_clock * gpu_.boost_clock.si()));
  price.fixed = Seconds(kStart * (op.backward ? 2.0 : 1.0));
  price.hbm_bytes = Bytes(bytes);
  price.time = price.fixed + max(price.compute, price.hbm);
  set_limiter(price, FlopsPerSecond(peak), gpu_.memory_bandwidth);
  // Charts keep b x s at 16 k tokens: tiles for every SM many times over.
  stand_on(price, c, gpu_, tiles < 4.0 * sms || op.context > 16384 || op.head_dim < 64 || op.head_dim > 256);
  const bool unmeasured = c.version != version || element != 2.0 || (op.backward && version == Version::fa3);
  if (unmeasured) {
    assume(price, 0.2);
  }
  if (why != nullptr) {
    why->add(fmt::format("FlashAttention ({}) b={} h={} q={} c={} d={}{}{}: {:.4g} FLOP that count",
                         json::name_of(version), op.batch, op.heads, op.queries, op.context, op.head_dim,
                         op.causal ? ", causal" : "", op.backward ? ", forward and backward" : "",
                         price.flops.si()));
    why->add(fmt::format("tiles of {} queries: {:.0f}; blocks of {} keys: {:.0f} that the mask leaves",
                         tile.rows, tiles, tile.keys, blocks));
    why->add(
        fmt::format("a block = products {:.3f} us (peak x {:.2f} / SMs) + exponentials {:.3f} us; a tile "
                    "{:.2f} us besides",
                    multiply * 1e6, share, exponentials * 1e6, a_tile * 1e6));
    why->add(fmt::format("compute = ({:.0f} x {:.2f} + {:.0f} x {:.3f}) / {:.0f} SMs{} = {:.2f} us", tiles,
                         a_tile * 1e6, blocks, (multiply + exponentials) * 1e6, sms,
                         op.backward ? fmt::format(" x (1 + 2.5 / {:.2f})", c.backward_share) : std::string(),
                         compute * 1e6));
    why->add(fmt::format("HBM = Q, K, V, O{} = {:.4g} B, {:.2f} us; T = {:.2f} + max = {:.2f} us",
                         op.backward ? " and their gradients" : " once", bytes, price.hbm.si() * 1e6,
                         price.fixed.si() * 1e6, price.time.si() * 1e6));
    explain_evidence(price, c, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

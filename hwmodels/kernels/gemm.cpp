// Dense GEMM: the best of a few tile shapes and K splits.
//
//   T = t0 + q(A) + (1 + droop) max(compute, HBM, L2) [+ split-K reduction]
//   compute = waves (2 bm bn k' / (P_SM e_tile) + t_wave),  waves = ceil(tiles splits / SMs)
//   HBM     = (A + B + C bytes) / (BW e min(1, ramp x busy SMs / SMs))
//   L2      = tiles (bm + bn) k bytes / BW_L2
//
// Small m (decode) is the HBM term: streaming the weights. The droop is the clock that a GPU loses under long
// full load. q(A) is the pass that quantises activations to fp8 or fp4 (read 2 bytes, write 1, and a fixed
// part). Known to fail: shapes whose library heuristic picks another kernel than the best (up to 2x at m of
// 64 to 256), and alignment (n or k not divisible by 8).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

struct Tile {
  double m, n;
  double size;  // 0 (smallest) .. 1 (largest): interpolates the tile's efficiency
};
constexpr std::array<Tile, 6> kTiles = {
    {{64, 32, 0.0}, {64, 64, 0.15}, {64, 128, 0.4}, {128, 128, 0.7}, {128, 256, 1.0}, {256, 128, 1.0}}};
constexpr std::array<double, 6> kSplits = {1, 2, 3, 4, 6, 8};

bool quantises(Precision activations) {
  return activations == Precision::fp8 || activations == Precision::fp8_block ||
         activations == Precision::nvfp4 || activations == Precision::int8;
}

}  // namespace

Price KernelModel::price(const Gemm& op, Explanation* why) const {
  const GemmConstants& c = gemm_constants(op.weights);
  const double m = static_cast<double>(op.m), n = static_cast<double>(op.n), k = static_cast<double>(op.k);
  const double sms = std::max(1, gpu_.sm_count);
  const double peak = gpu_.peak(op.activations).value_or(gpu_.vector_fp32_peak).si();
  const double bandwidth = gpu_.memory_bandwidth.si();
  const double a_bytes = bytes_per_element(op.activations), b_bytes = bytes_per_element(op.weights);
  const double flops = 2.0 * m * n * k;
  const double traffic = m * k * a_bytes + n * k * b_bytes + m * n * 2.0;

  double best = 1e300, compute = 0.0, hbm = 0.0, l2 = 0.0, split_time = 0.0, waves = 0.0, splits = 1.0;
  const Tile* chosen = nullptr;
  for (const Tile& tile : kTiles) {
    const double tiles = std::ceil(m / tile.m) * std::ceil(n / tile.n);
    const double rate = peak / sms * c.tile_efficiency * (c.small_tile + (1.0 - c.small_tile) * tile.size);
    const double l2_time = tiles * (tile.m * a_bytes + tile.n * b_bytes) * k / (bandwidth * c.l2_share);
    for (const double s : kSplits) {
      if (s > 1.0 && (k / s < 256.0 || tiles >= sms)) {
        break;
      }
      const double blocks = tiles * s;
      const double w = std::ceil(blocks / sms);
      const double depth = std::ceil(k / s / 64.0) * 64.0;
      const double compute_time = w * (2.0 * tile.m * tile.n * depth / rate + c.tile_overhead * 1e-6);
      const double ramp = std::min(1.0, c.sm_ramp * std::min(blocks, sms) / sms);
      const double hbm_time = traffic / (bandwidth * c.hbm_efficiency * ramp);
      const double reduction =
          s > 1.0 ? c.split_overhead * 1e-6 + 4.0 * m * n * s / (bandwidth * c.l2_share) : 0.0;
      const double time = std::max({compute_time, hbm_time, l2_time}) + reduction;
      if (time < best) {
        best = time;
        compute = compute_time;
        hbm = hbm_time;
        l2 = l2_time;
        split_time = reduction;
        waves = w;
        splits = s;
        chosen = &tile;
      }
    }
  }
  const double droop =
      c.droop / (1.0 + std::exp(-2.5 * (std::log10(std::max(1.0, flops)) - c.droop_log10_flops)));
  const double quantise = quantises(op.activations)
                              ? c.quantise * 1e-6 + m * k * (2.0 + a_bytes) / (bandwidth * c.hbm_efficiency)
                              : 0.0;
  const double fixed = c.t0 * 1e-6;
  const double bound = std::max({compute, hbm, l2});

  Price price;
  price.time = Seconds(fixed + quantise + (1.0 + droop) * bound + split_time);
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm + quantise);
  price.l2 = Seconds(l2);
  price.fixed = Seconds(fixed + split_time);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(traffic + (quantise > 0.0 ? m * k * (2.0 + a_bytes) : 0.0));
  const bool latency = fixed + split_time > 0.5 * price.time.si();
  price.limiter = latency                           ? Limiter::latency
                  : compute >= hbm && compute >= l2 ? Limiter::compute
                  : hbm >= l2                       ? Limiter::hbm_bandwidth
                                                    : Limiter::l2_bandwidth;
  const double time = price.time.si();
  price.fraction_of_peak =
      price.limiter == Limiter::compute ? flops / peak / time : traffic / bandwidth / time;
  price.provenance = standing(c.error);
  price.outside_measured_range = op.m > 65536 || op.n > 262144 || op.k > 262144;
  price.relative_error = expected_error(c.error) * (price.outside_measured_range ? 2.0 : 1.0);
  if (why != nullptr) {
    why->add(fmt::format("m={} n={} k={}, {} weights: {:.4g} FLOP, {:.4g} B", op.m, op.n, op.k,
                         kPrecisionNames[static_cast<std::size_t>(op.weights)], flops, traffic));
    why->add(fmt::format("tile {:.0f}x{:.0f}, split K {:.0f}, {:.0f} wave(s) over {:.0f} SMs", chosen->m,
                         chosen->n, splits, waves, sms));
    why->add(
        fmt::format("T = t0 {:.2f} + quantise {:.2f} + {:.3f} x max(compute {:.2f}, HBM {:.2f}, L2 {:.2f}) + "
                    "split {:.2f} = {:.2f} us",
                    fixed * 1e6, quantise * 1e6, 1.0 + droop, compute * 1e6, hbm * 1e6, l2 * 1e6,
                    split_time * 1e6, time * 1e6));
    why->add(
        fmt::format("HBM = {:.4g} B / ({:.3g} B/s x {:.3f}) [profile {}, held-out median error {:.1f} %]",
                    traffic, bandwidth, c.hbm_efficiency, profile_.name, 100.0 * c.error.median));
  }
  return price;
}

}  // namespace gpuplan::kernels

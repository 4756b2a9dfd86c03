// Dense GEMM D[m,n] = A[m,k] B[k,n]: the best of a few tile shapes and K splits.
//
//   T       = t0 + q(A) + overlap{compute, HBM, L2} + split-K reduction
//   overlap = longest + leak x (squares of the others) / longest
//   compute = W (steps t_step + t_wave) (1 + droop) + lack of power x 2 m n k / P,  W between tiles splits /
//   SMs
//             and its ceiling (wave quantisation)
//   t_step  = max(2 bm bn 64 / (P_SM e) + c 64 (bm + bn) bytes / (128 B/clk), shortest step)
//   HBM     = s + ramp s / (s + ramp), s = (A + B + D bytes) / (BW e min(1, sm_ramp busy SMs / SMs))
//   L2      = (tiles (bm A + bn B) + c_edge A rows of tiles beyond m) k bytes / (SMs x B/clk x clock)
//
// Small m (decode) is the HBM term: streaming the weights. The droop is the clock that a GPU loses under long
// full load; where it has less power for its peak than the GPU of the profile, it loses more (Power). q(A) is
// the pass that quantises activations to fp8, int8 or fp4; t0 of such a GEMM is that of 16 bit. A candidate
// grows with m, n and k but where one more row of tiles lets more SMs stream (a few per cent at small m and
// n), hence so does their minimum. Constants are fitted per GPU and format (calibrate/fit); the held-out
// errors stand in the profile.
//
// Block-scaled fp8 on Hopper is DeepGEMM's, which takes the tile with the fewest waves, not the fastest, and
// pays for rows beyond m several times what real rows cost (fetched out of bounds; fitted, 3 to 5 times):
// there 129 rows can take longer than 256, as measured. Known to fail: shapes whose library heuristic picks
// another kernel than the best (up to 2x, mostly m of 64 to 256), and sizes that are not multiples of 8.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

struct Tile {
  double m = 0.0, n = 0.0, sms = 1.0;  // sms: that share it, each computing as many of its rows
};
constexpr std::array<Tile, 14> kTiles = {{{16, 64},
                                          {16, 128},
                                          {32, 64},
                                          {32, 128},
                                          {64, 64},
                                          {64, 128},
                                          {64, 256},
                                          {128, 128},
                                          {128, 256},
                                          {256, 128},
                                          {256, 64, 2},
                                          {256, 128, 2},
                                          {256, 192, 2},
                                          {256, 256, 2}}};
constexpr std::size_t kPairTiles = 4;  // the last, Blackwell's
constexpr std::array<double, 6> kSplits = {1, 2, 3, 4, 8, 16};
constexpr double kStepDepth = 64.0;

// A split walks no less of k than this.
constexpr double kShortestSplit = 256.0;

// DeepGEMM takes over from a kernel with A and B swapped at this many rows.
constexpr std::int64_t kDeepGemmRows = 32;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The tile that DeepGEMM (as TensorRT-LLM 1.x carries it) gives a block-scaled GEMM on Hopper, best or not:
// 64 or 128 rows; of 16, 24 .. 128 columns those with the fewest waves, then with the fullest last wave, then
// the fewest.
Tile deep_gemm_tile(std::int64_t m, std::int64_t n, std::int64_t sms) {
  const std::int64_t rows = m <= 64 ? 64 : 128;
  std::int64_t least_waves = 0, fullest = 0, best = 0;
  for (std::int64_t columns = 16; columns <= 128; columns += 8) {
    const std::int64_t tiles = ceil_div(m, rows) * ceil_div(n, columns);
    const std::int64_t waves = ceil_div(tiles, sms), last = tiles - (waves - 1) * sms;
    if (best == 0 || waves < least_waves || (waves == least_waves && last > fullest)) {
      least_waves = waves;
      fullest = last;
      best = columns;
    }
  }
  return {static_cast<double>(rows), static_cast<double>(best)};
}

struct Candidate {
  double compute = 0.0, hbm = 0.0, l2 = 0.0, reduction = 0.0, time = 1e300;
  double waves = 0.0, splits = 1.0;
  Tile tile{};
};

bool quantises(Precision activations) {
  switch (activations) {
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::nvfp4:
    case Precision::mxfp4:
    case Precision::int8:
    case Precision::int4:
      return true;
    case Precision::fp64:
    case Precision::fp32:
    case Precision::tf32:
    case Precision::bf16:
    case Precision::fp16:
      return false;
  }
  return false;
}

}  // namespace

Price KernelModel::price(const Gemm& op, Explanation* why, TileChoice* choice) const {
  const Precision unit = compute_precision(op.activations);
  const GemmConstants& c = gemm_constants(unit, op.weights);
  const double m = static_cast<double>(op.m), n = static_cast<double>(op.n), k = static_cast<double>(op.k);
  const double sms = std::max(1, gpu_.sm_count);
  const double clock = clock_hz();
  const double peak = matrix_peak(unit);
  const double bandwidth = gpu_.memory_bandwidth.si();
  const double a_bytes = bytes_per_element(unit), b_bytes = bytes_per_element(op.weights);
  // In the unit's registers weight-only formats are expanded to the activations' format.
  const double smem_b = std::max(a_bytes, b_bytes);
  const double flops = 2.0 * m * n * k;
  const double result_bytes = unit == Precision::fp64 ? 8.0 : 2.0;  // narrower ones leave in 16 bits
  const double traffic = m * k * a_bytes + n * k * b_bytes + m * n * result_bytes;
  const double droop =
      power_.droop(c.droop) /
      (1.0 + std::exp(-c.droop_slope * (std::log10(std::max(1.0, flops)) - c.droop_log10_flops)));
  const double lacking = power_.lack() * flops / peak;

  const double mma_rate = peak / sms * c.mma_efficiency;
  const double full_stream = traffic / (bandwidth * c.hbm_efficiency), ramp = c.stream_ramp * 1e-6;
  const double most_splits = std::max(1.0, k / kShortestSplit);
  const double l2_rate = 1.0 / (c.l2_bytes_per_clock * clock * sms);
  const double shortest_step = c.step * 1e-6, wave_overhead = c.wave_overhead * 1e-6;

  const bool chosen = c.deep_gemm && op.m >= kDeepGemmRows;
  const Tile given = chosen ? deep_gemm_tile(op.m, op.n, gpu_.sm_count) : Tile{};
  const std::span<const Tile> candidates =
      chosen ? std::span(&given, 1)
             : std::span(kTiles).first(kTiles.size() - (c.pair_tiles ? 0 : kPairTiles));
  Candidate best;
  for (const Tile& tile : candidates) {
    const double tiles = std::ceil(m / tile.m) * std::ceil(n / tile.n);
    const double operands =
        c.operand_cost * kStepDepth * (tile.m * a_bytes + tile.n * smem_b) / (128.0 * clock * tile.sms);
    const double step =
        std::max(2.0 * tile.m * tile.n * kStepDepth / (mma_rate * tile.sms) + operands, shortest_step);
    const double beyond = (std::ceil(m / tile.m) * tile.m - m) * std::ceil(n / tile.n);
    const double l2 =
        (tiles * (tile.m * a_bytes + tile.n * b_bytes) + c.edge_cost * beyond * a_bytes) * k * l2_rate;
    for (const double wanted : kSplits) {
      if (wanted > 1.0 && (chosen || tiles * tile.sms >= sms)) {
        break;
      }
      const double splits = std::min(wanted, most_splits);  // not whole at the limit, so that T has no step
      const double blocks = tiles * tile.sms * splits;
      const double even = std::max(1.0, blocks / sms);
      const double waves = even + (1.0 - c.wave_smoothing) * (std::ceil(even) - even);
      const double steps = std::ceil(k / (splits * kStepDepth) - 1e-9);
      const double compute = waves * (steps * step + wave_overhead) * (1.0 + droop) + lacking;
      const double busy = std::min(1.0, c.sm_ramp * std::min(blocks, sms) / sms);
      const double stream = full_stream / busy;
      const double hbm = stream + ramp * stream / (stream + ramp + 1e-12);
      const double reduction =
          splits > 1.0 ? c.split_overhead * 1e-6 + 4.0 * m * n * (splits + 1.0) * l2_rate : 0.0;
      const double longest = std::max({compute, hbm, l2});
      const double squares = compute * compute + hbm * hbm + l2 * l2 - longest * longest;
      const double time = longest + c.leak * squares / longest + reduction;
      if (time < best.time) {
        best = {compute, hbm, l2, reduction, time, waves, splits, tile};
      }
      if (wanted >= most_splits) {
        break;
      }
    }
  }
  const double quantise_bytes = quantises(unit) && !op.quantised ? m * k * (2.0 + a_bytes) : 0.0;
  const double quantise =
      quantise_bytes > 0.0 ? c.quantise * 1e-6 + quantise_bytes / (bandwidth * c.quantise_share) : 0.0;
  const double fixed = c.t0 * 1e-6;

  Price price;
  price.time = Seconds(fixed + quantise + best.time);
  price.compute = Seconds(best.compute);
  price.hbm = Seconds(best.hbm + quantise);
  price.l2 = Seconds(best.l2);
  price.fixed = Seconds(fixed + best.reduction);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(traffic + quantise_bytes);
  const double physics = price.time.si();
  // The quantise pass was measured with the GEMM, never alone: without it the price is inferred.
  const bool own_constants = c.format == format_name(unit, op.weights) && !(op.quantised && quantises(unit));
  set_standing(price, c.error, own_constants, op.m > 32768 || op.n > 65536 || op.k > 65536,
               &gemm_curves_[static_cast<std::size_t>(&c - profile_.gemm.data())], features(op));
  const double time = price.time.si();
  const double longest = std::max({best.compute, best.hbm, best.l2});
  price.limiter = fixed + best.reduction > longest ? Limiter::latency
                  : best.compute == longest        ? Limiter::compute
                  : best.hbm == longest            ? Limiter::hbm_bandwidth
                                                   : Limiter::l2_bandwidth;
  price.fraction_of_peak =
      price.limiter == Limiter::compute ? flops / peak / time : price.hbm_bytes.si() / bandwidth / time;
  if (choice != nullptr) {
    const double tiles = std::ceil(m / best.tile.m) * std::ceil(n / best.tile.n);
    *choice = {best.tile.m, best.tile.n, tiles * best.splits};
  }
  if (why != nullptr) {
    why->add(fmt::format("GEMM m={} n={} k={}, activations {}, weights {}: 2 m n k = {:.4g} FLOP, {:.4g} B",
                         op.m, op.n, op.k, json::name_of(op.activations), json::name_of(op.weights), flops,
                         traffic));
    why->add(fmt::format("tile {:.0f} x {:.0f}, K split {:.3g}, {:.2f} waves over {:.0f} SMs", best.tile.m,
                         best.tile.n, best.splits, best.waves, sms));
    why->add(fmt::format("compute = {:.2f} us with {:.3g} FLOP/s x {:.3f} and a clock droop of {:.1f} %",
                         best.compute * 1e6, peak, c.mma_efficiency, 100.0 * droop));
    why->add(
        fmt::format("HBM = {:.4g} B / ({:.3g} B/s x {:.3f}) = {:.2f} us (busy SMs included), L2 = {:.2f} us",
                    traffic, bandwidth, c.hbm_efficiency, best.hbm * 1e6, best.l2 * 1e6));
    why->add(
        fmt::format("T = t0 {:.2f} + quantise {:.2f} + max {:.2f} + leak {:.2f} + split {:.2f} = {:.2f} us",
                    fixed * 1e6, quantise * 1e6, longest * 1e6, (best.time - best.reduction - longest) * 1e6,
                    best.reduction * 1e6, physics * 1e6));
    explain_standing(price, c.error, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

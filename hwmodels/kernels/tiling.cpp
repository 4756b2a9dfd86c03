#include "hwmodels/kernels/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/standing.h"

namespace gpuplan::kernels {

namespace {

constexpr double kWarpRows = 64.0;       // of accumulators that a warp, or a warp group, computes at once
constexpr int kOtherRegisters = 40;      // addresses, operands in flight: assumed
constexpr double kSharedPerClock = 128;  // bytes an SM reads from shared memory in a clock
constexpr double kError = 0.25;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Columns that one matrix instruction covers: 64 for a warp's, 256 for a warp group's (Hopper on).
double widest(const SmLimits& sm) { return std::stod(sm.capability) >= 9.0 ? 256.0 : 64.0; }

}  // namespace

Tiling tiling(const KernelModel& model, const SmLimits& sm, const TiledGemm& op) {
  const Gpu& gpu = model.gpu();
  const double element = bytes_per_element(op.precision);
  const double bm = op.tile_m, bn = op.tile_n, k = static_cast<double>(op.k);
  const double m = static_cast<double>(op.m), n = static_cast<double>(op.n);
  const std::int64_t rows = ceil_div(op.m, op.tile_m), columns = ceil_div(op.n, op.tile_n);

  Tiling t;
  t.shared_per_block = Bytes(op.stages * (bm + bn) * op.tile_k * element);
  t.registers_per_thread =
      kOtherRegisters + static_cast<int>(ceil_div(std::int64_t{op.tile_m} * op.tile_n, op.threads));
  t.occupancy = occupancy(sm, {.threads_per_block = op.threads,
                               .registers_per_thread = t.registers_per_thread,
                               .shared_per_block = t.shared_per_block});
  const int blocks_per_sm = std::max(1, t.occupancy.blocks);
  t.waves = waves(rows * columns, blocks_per_sm, std::max(1, gpu.sm_count));

  const double tiles = static_cast<double>(rows * columns);
  t.from_l2 = Bytes(tiles * (bm + bn) * k * element);
  t.shared_read = Seconds(tiles * bm * bn * k * element * (1.0 / kWarpRows + 1.0 / std::min(bn, widest(sm))) /
                          (std::max(1, gpu.sm_count) * kSharedPerClock * gpu.boost_clock.si()));

  // Memory: strips of `strip` rows of tiles, walked column by column.
  const double l2 = gpu.l2.si() * model.operations().memory.l2_full;
  const double a = m * k * element, b = n * k * element, d = m * n * 2.0;
  const std::int64_t strip = std::min<std::int64_t>(op.strip > 0 ? op.strip : 1, rows);
  double read = a + b;
  if (a + b > l2) {
    // A wave covers `strip` rows and wave / strip columns, or several rows where a row is shorter.
    const double wave = std::min(tiles, static_cast<double>(blocks_per_sm * std::max(1, gpu.sm_count)));
    const double height = op.strip > 0 ? static_cast<double>(strip)
                                       : std::max(1.0, std::floor(wave / static_cast<double>(columns)));
    const double width = std::min(static_cast<double>(columns), wave / height);
    const double a_panel = height * bm * k * element;
    const double per_strip = std::max(1.0, static_cast<double>(columns) / width);  // waves of a strip
    const double strips = std::max(1.0, static_cast<double>(rows) / height);
    const double a_read = strips * a_panel * (a_panel <= l2 ? 1.0 : per_strip);
    const double b_read = b <= l2 ? b : strips * b;
    read = std::max(a + b, a_read + b_read);
  }
  t.from_hbm = Bytes(read + d);
  return t;
}

std::optional<Price> price_tiled(const KernelModel& model, const SmLimits& sm, const TiledGemm& op,
                                 Explanation* why) {
  const Tiling t = tiling(model, sm, op);
  if (t.occupancy.blocks == 0) {
    return std::nullopt;
  }
  const Gpu& gpu = model.gpu();
  // What the library's kernel reaches of each rate, on the same device.
  const GemmConstants* library = model.profile().gemm.data();
  const double sms = std::max(1, gpu.sm_count), clock = gpu.boost_clock.si();
  const double peak = gpu.peak(op.precision).value_or(gpu.vector_fp32_peak).si();
  const double k = static_cast<double>(op.k);
  const std::int64_t tiles = ceil_div(op.m, op.tile_m) * ceil_div(op.n, op.tile_n);
  // Tiles of an SM share its units, so what counts is how many tiles the busiest SM computes.
  const double rounds = static_cast<double>(ceil_div(tiles, std::int64_t{static_cast<int>(sms)}));
  const double tile_flops = 2.0 * op.tile_m * op.tile_n * std::ceil(k / op.tile_k) * op.tile_k;

  Price price;
  price.flops = Flops(2.0 * static_cast<double>(op.m) * static_cast<double>(op.n) * k);
  price.compute = Seconds(std::max(rounds * tile_flops / (peak / sms), t.shared_read.si()));
  price.l2 = t.from_l2 / BytesPerSecond(sms * model.operations().memory.l2_bytes_per_clock * clock);
  price.hbm = t.from_hbm / model.achievable_bandwidth();
  price.hbm_bytes = t.from_hbm;
  const double latency = model.operations().memory.dram_latency * 1e-9;
  // A wave begins by filling its stages; later waves of an SM with several blocks hide it.
  const double fill = latency * (t.occupancy.blocks > 1 ? 1.0 : static_cast<double>(t.waves.whole));
  price.fixed = Seconds(library->t0 * 1e-6 + fill);
  price.time =
      price.fixed + Seconds(overlapped(price.compute.si(), price.hbm.si(), price.l2.si(), library->leak));
  set_limiter(price, FlopsPerSecond(peak), gpu.memory_bandwidth);
  price.provenance = Provenance::physics;
  price.relative_error = kError;
  price.spread80 = 2.0 * kError;
  if (why != nullptr) {
    why->add(fmt::format(
        "tiles {} x {} x {}, {} stages: {:.0f} B of shared memory, {} registers a thread: {} "
        "blocks an SM ({:.0f} % occupancy, {})",
        op.tile_m, op.tile_n, op.tile_k, op.stages, t.shared_per_block.si(), t.registers_per_thread,
        t.occupancy.blocks, 100.0 * t.occupancy.fraction, json::name_of(t.occupancy.limit)));
    why->add(fmt::format("{} tiles, {:.2f} waves (whole: {}); {:.0f} rounds of the busiest SM", tiles,
                         t.waves.exact, t.waves.whole, rounds));
    why->add(fmt::format("L2 to SMs: tiles x ({} + {}) x k x {:.2g} B = {:.4g} B, {:.2f} us", op.tile_m,
                         op.tile_n, bytes_per_element(op.precision), t.from_l2.si(), price.l2.si() * 1e6));
    why->add(fmt::format(
        "HBM: {:.4g} B with what L2 gives twice, {:.2f} us; {:.1f} FLOP a byte of HBM, {:.1f} of L2",
        t.from_hbm.si(), price.hbm.si() * 1e6, price.flops.si() / t.from_hbm.si(),
        price.flops.si() / t.from_l2.si()));
    why->add(fmt::format("compute {:.2f} us, of which shared memory alone would take {:.2f} us",
                         price.compute.si() * 1e6, t.shared_read.si() * 1e6));
    why->add(
        fmt::format("T = fixed {:.2f} + overlap = {:.2f} us [physics; schedule assumed; expected {:.0f} %]",
                    price.fixed.si() * 1e6, price.time.si() * 1e6, 100.0 * kError));
  }
  return price;
}

}  // namespace gpuplan::kernels

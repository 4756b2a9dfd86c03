// Grouped expert GEMMs of one mixture-of-experts layer on one rank, with routing, permutation and activation.
//
//   touched  = local experts that get a token: local (1 - (1 - top_k / experts)^tokens) for random routing
//   compute  = 2 padded rows x weights / (peak e t/(t + t_half)) + waves t_wave, best of tiles t = 16 .. 128
//              rows, + lack of power x FLOP / peak
//   HBM      = touched x weights / (BW e);  passes = routed rows x (hidden, ffn) / (BW share)
//   T        = t0 + passes + max(compute, HBM) + leak min(compute, HBM)
//
// The tiles of all experts spread over the SMs, so uneven experts cost padding and little else on one rank
// (`skew_cost`); an uneven rank is `rank_load`. Known to fail: few tokens on many ranks, where the number of
// touched experts is a matter of chance; measured series for which the library picked a kernel 3 to 12 times
// slower (12 % of Hopper's 16-bit rows); nvfp4 on B200, where the table holds two kernels under one key (the
// same shape measured twice differs by a factor of 1.7 in the median).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {
constexpr std::array<double, 4> kTileRows = {16, 32, 64, 128};
constexpr double kTileColumns = 128.0;
}  // namespace

Price KernelModel::price(const GroupedExperts& op, Explanation* why, TileChoice* choice) const {
  const Precision unit = compute_precision(op.activations);
  const std::string_view format = format_name(unit, op.weights);
  const ExpertConstants& c = expert_constants(format);
  const double tokens = static_cast<double>(op.tokens), hidden = static_cast<double>(op.hidden);
  const double ffn = static_cast<double>(op.expert_ffn);
  const double sms = std::max(1, gpu_.sm_count);
  const double peak = matrix_peak(unit), bandwidth = gpu_.memory_bandwidth.si();
  const double weights = 3.0 * hidden * ffn;  // gate, up and down of one expert
  const double share = std::min(1.0, static_cast<double>(op.top_k) / std::max(1, op.experts));
  const double routed = tokens * share * op.local_experts * op.rank_load;  // token-expert pairs on this rank
  const double touched = std::max(
      1e-9,
      std::min({op.touched > 0.0 ? op.touched : op.local_experts * (1.0 - std::pow(1.0 - share, tokens)),
                static_cast<double>(op.local_experts), std::max(routed, 1e-9)}));

  double compute = 1e300, tile = 0.0;
  for (const double rows : kTileRows) {
    const double row_tiles = touched * std::max(1.0, std::ceil(routed / touched / rows - 1e-9));
    const double rate = peak * c.tile_efficiency * rows / (rows + c.half_tile);
    const double waves =
        row_tiles * (std::ceil(2.0 * ffn / kTileColumns) + std::ceil(hidden / kTileColumns)) / sms;
    const double time = 2.0 * row_tiles * rows * weights / rate + waves * c.wave * 1e-6;
    if (time < compute) {
      compute = time;
      tile = rows;
    }
  }
  const double flops = 2.0 * routed * weights;
  compute *= 1.0 + c.skew_cost * std::log2(std::max(1.0, op.imbalance));
  compute += power_.lack() * flops / peak;
  const double weight_bytes = touched * weights * bytes_per_element(op.weights);
  const double hbm = weight_bytes / (bandwidth * c.hbm_efficiency);
  // Permute in and out and the sum (16 bit), gate and up results in, activation out.
  const double pass_bytes = routed * (4.0 * 2.0 * hidden + 3.0 * 2.0 * ffn) + tokens * 2.0 * 2.0 * hidden;
  const double passes = pass_bytes / (bandwidth * c.pass_share);

  Price price;
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm + passes);
  price.fixed = Seconds(c.t0 * 1e-6);
  price.time = Seconds(c.t0 * 1e-6 + passes + std::max(compute, hbm) + c.leak * std::min(compute, hbm));
  const double physics = price.time.si();
  set_standing(price, c.error, c.format == format, op.tokens > 65536,
               &expert_curves_[static_cast<std::size_t>(&c - profile_.experts.data())], features(op));
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(weight_bytes + pass_bytes);
  price.limiter = price.fixed > max(price.compute, price.hbm) ? Limiter::latency
                  : price.compute > price.hbm                 ? Limiter::compute
                                                              : Limiter::hbm_bandwidth;
  price.fraction_of_peak = price.limiter == Limiter::compute
                               ? flops / peak / price.time.si()
                               : price.hbm_bytes.si() / bandwidth / price.time.si();
  if (choice != nullptr) {  // gate and up; the down projection follows in a grid of its own
    const double row_tiles = touched * std::max(1.0, std::ceil(routed / touched / tile - 1e-9));
    *choice = {tile, kTileColumns, row_tiles * std::ceil(2.0 * ffn / kTileColumns)};
  }
  if (why != nullptr) {
    why->add(
        fmt::format("{:.1f} of {} experts touched by {} tokens, {:.0f} rows on this rank: {:.4g} B of "
                    "weights, {:.4g} FLOP",
                    touched, op.local_experts, op.tokens, routed, weight_bytes, flops));
    why->add(
        fmt::format("T = t0 {:.2f} + passes {:.2f} + max(HBM {:.2f}, compute {:.2f} in tiles of {:.0f} rows) "
                    "+ {:.2f} x the shorter = {:.2f} us",
                    c.t0, passes * 1e6, hbm * 1e6, compute * 1e6, tile, c.leak, physics * 1e6));
    explain_standing(price, c.error, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

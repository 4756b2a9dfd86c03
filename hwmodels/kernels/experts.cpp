// Grouped expert GEMMs of one mixture-of-experts layer on one rank.
//
//   touched experts = local (1 - (1 - top_k / experts)^tokens)      random routing
//   T = t0 + max(touched x weights / (BW e), padded FLOPs / (peak e))
//
// Each touched expert's rows are padded to tiles of 64; `imbalance` stretches the compute term.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

Price KernelModel::price(const GroupedExperts& op, Explanation* why) const {
  const ExpertConstants& c = profile_.experts;
  const double tokens = static_cast<double>(op.tokens);
  const double matrices = 3.0 * static_cast<double>(op.hidden) * static_cast<double>(op.expert_ffn);
  const double share = static_cast<double>(op.top_k) / std::max(1, op.experts);
  const double touched = op.local_experts * (1.0 - std::pow(1.0 - std::min(1.0, share), tokens));
  const double routed = tokens * share * op.local_experts;  // token-expert pairs on this rank
  const double bytes =
      touched * matrices * bytes_per_element(op.weights) + routed * static_cast<double>(op.hidden) * 4.0;
  const double rows = touched > 0.0 ? touched * std::ceil(routed / touched / 64.0) * 64.0 : 0.0;
  const double flops = 2.0 * routed * matrices;
  const double peak = gpu_.peak(op.activations).value_or(gpu_.vector_fp32_peak).si();
  const double bandwidth = gpu_.memory_bandwidth.si();

  Price price;
  price.compute = Seconds(2.0 * rows * matrices * op.imbalance / (peak * c.tile_efficiency));
  price.hbm = Seconds(bytes / (bandwidth * c.hbm_efficiency));
  price.fixed = Seconds(c.t0 * 1e-6);
  price.time = price.fixed + max(price.compute, price.hbm);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(bytes);
  price.limiter = price.fixed > max(price.compute, price.hbm) ? Limiter::latency
                  : price.compute > price.hbm                 ? Limiter::compute
                                                              : Limiter::hbm_bandwidth;
  price.fraction_of_peak = price.limiter == Limiter::compute ? flops / peak / price.time.si()
                                                             : bytes / bandwidth / price.time.si();
  price.provenance = standing(c.error);
  price.relative_error = expected_error(c.error);
  if (why != nullptr) {
    why->add(fmt::format("{:.1f} of {} experts touched by {} tokens: {:.4g} B, {:.4g} FLOP", touched,
                         op.local_experts, op.tokens, bytes, flops));
    why->add(fmt::format("T = t0 {:.2f} + max(HBM {:.2f}, compute {:.2f}) = {:.2f} us", c.t0,
                         price.hbm.si() * 1e6, price.compute.si() * 1e6, price.time.si() * 1e6));
  }
  return price;
}

}  // namespace gpuplan::kernels

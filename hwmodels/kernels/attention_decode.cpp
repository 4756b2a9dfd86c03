// Decode attention: one query per sequence reads its whole KV cache. Bytes over bandwidth, plus what it costs
// to start and to walk.
//
//   CTAs = sequences x KV heads x splits; splits fill the SMs when there are few CTAs (split-KV)
//   T = t0 + wave (CTAs / SMs - 1)+ + max(bytes / (BW e ramp), key blocks per CTA x t_block)
//
// Bytes: 2 x context x KV heads x head size per sequence; MLA reads one latent vector per token. Known to
// fail: the library's split heuristic (staircases of up to 30 % at small batch).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

Price KernelModel::price(const AttentionDecode& op, Explanation* why) const {
  const DecodeConstants& c = profile_.decode;
  const double batch = static_cast<double>(op.batch);
  const double context =
      std::max(1.0, op.window > 0 ? std::min(op.context, static_cast<double>(op.window)) : op.context);
  const double sms = std::max(1, gpu_.sm_count);
  const double bandwidth = gpu_.memory_bandwidth.si();
  const double peak = gpu_.peak(op.compute).value_or(gpu_.vector_fp32_peak).si();
  const double per_token =
      op.latent_dim > 0 ? op.latent_dim : static_cast<double>(op.kv_heads) * (op.head_dim + op.value_dim);
  const double kv_bytes = batch * context * per_token * bytes_per_element(op.kv);
  const double bytes = kv_bytes + batch * op.heads * (op.head_dim + op.value_dim) * 2.0;
  const double flops = 2.0 * batch * op.heads * context * (op.head_dim + op.value_dim);

  const double groups = batch * (op.latent_dim > 0 ? std::ceil(op.heads / 64.0) : op.kv_heads);
  const double blocks = std::ceil(context / 128.0);
  const double splits = std::clamp(std::floor(sms / groups), 1.0, blocks);
  const double ctas = groups * splits;
  const double ramp = std::min(1.0, c.sm_ramp * std::min(ctas, sms) / sms);
  // Back-to-back measurements find part of a small cache in L2 (three times HBM's bandwidth, KERNEL_FACTS 2).
  const double in_l2 = op.warm_l2 ? std::min(1.0, c.l2_hit * gpu_.l2.si() / kv_bytes) : 0.0;
  const double hbm = bytes * (1.0 - in_l2 * 0.67) / (bandwidth * c.hbm_efficiency * ramp);
  const double walk = std::ceil(ctas / sms) * blocks / splits * c.per_block * 1e-6;
  // Rows of the query group are padded to 16 for the matrix units.
  const double rows = std::max(
      16.0, op.latent_dim > 0 ? static_cast<double>(op.heads) : static_cast<double>(op.heads) / op.kv_heads);
  const double compute = 2.0 * groups * rows * context * (op.head_dim + op.value_dim) / (0.5 * peak);
  const double fixed = c.t0 * 1e-6 + c.wave * 1e-6 * std::max(0.0, ctas / sms - 1.0);

  Price price;
  price.time = Seconds(fixed + std::max({hbm, walk, compute}));
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm);
  price.fixed = Seconds(fixed);
  price.flops = Flops(flops);
  price.hbm_bytes = Bytes(bytes);
  const double time = price.time.si();
  price.limiter = fixed > 0.5 * time || (walk > hbm && walk > compute) ? Limiter::latency
                  : compute > hbm                                      ? Limiter::compute
                                                                       : Limiter::hbm_bandwidth;
  price.fraction_of_peak = price.limiter == Limiter::compute ? flops / peak / time : bytes / bandwidth / time;
  price.provenance = standing(c.error);
  price.outside_measured_range = op.batch > 2048 || context > 262144;
  price.relative_error = expected_error(c.error) * (price.outside_measured_range ? 2.0 : 1.0);
  if (why != nullptr) {
    why->add(fmt::format("{} sequences x {:.0f} tokens x {:.0f} elements x {:.2g} B = {:.4g} B of KV cache",
                         op.batch, context, per_token, bytes_per_element(op.kv), kv_bytes));
    why->add(
        fmt::format("{:.0f} CTAs ({:.0f} splits) on {:.0f} SMs; T = fixed {:.2f} + max(HBM {:.2f}, walk "
                    "{:.2f}, compute {:.2f}) = {:.2f} us",
                    ctas, splits, sms, fixed * 1e6, hbm * 1e6, walk * 1e6, compute * 1e6, time * 1e6));
  }
  return price;
}

}  // namespace gpuplan::kernels

// Passes limited by memory: T = floor + bytes / (BW x share). Norm, activation, rotary embedding with KV
// write, residual, copy, quantise; the gather of embeddings; the sampler's passes over the logits.
//
// No table measures these in a CUDA graph, so their price is assumed: shares lie between what two A100
// sources show for torch's and an engine's kernels (profile.h), and the floor is that of a small kernel with
// the gap before it. Tensors of a decode step are small: there the floor is all that counts.
#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

double share_of(const PassConstants& c, Elementwise::Kind kind) {
  switch (kind) {
    case Elementwise::Kind::norm:
      return c.norm;
    case Elementwise::Kind::activation:
      return c.activation;
    case Elementwise::Kind::rotary:
      return c.rotary;
    case Elementwise::Kind::residual:
      return c.residual;
    case Elementwise::Kind::copy:
      return c.copy;
    case Elementwise::Kind::quantise:
      return c.quantise;
  }
  return c.copy;
}

// A pass of `bytes` at `share` of `bandwidth` after `floor_us`.
Price pass(double bytes, double bandwidth, double share, double floor_us, Explanation* why) {
  Price price;
  const double hbm = bytes / (bandwidth * share);
  price.fixed = Seconds(floor_us * 1e-6);
  price.hbm = Seconds(hbm);
  price.time = price.fixed + price.hbm;
  price.hbm_bytes = Bytes(bytes);
  price.limiter = price.fixed > price.hbm ? Limiter::latency : Limiter::hbm_bandwidth;
  price.fraction_of_peak = bytes / bandwidth / price.time.si();
  if (why != nullptr) {
    why->add(fmt::format("T = floor {:.2f} + {:.4g} B / ({:.3g} B/s x {:.2f}) = {:.2f} us", floor_us, bytes,
                         bandwidth, share, price.time.si() * 1e6));
  }
  return price;
}

}  // namespace

Price KernelModel::price(const Elementwise& op, Explanation* why) const {
  const PassConstants& c = profile_.passes;
  Price price =
      pass((op.read + op.written).si(), gpu_.memory_bandwidth.si(), share_of(c, op.kind), c.floor, why);
  price.flops = Flops(op.elements * 8.0);
  set_standing(price, c.error, true, false);
  if (why != nullptr) {
    explain_standing(price, c.error, *why);
  }
  return price;
}

Price KernelModel::price(const Embedding& op, Explanation* why) const {
  const PassConstants& c = profile_.passes;
  const double bytes =
      2.0 * static_cast<double>(op.tokens) * static_cast<double>(op.hidden) * bytes_per_element(op.precision);
  Price price = pass(bytes, gpu_.memory_bandwidth.si(), c.embedding, c.floor, why);
  set_standing(price, c.error, true, false);
  if (why != nullptr) {
    explain_standing(price, c.error, *why);
  }
  return price;
}

Price KernelModel::price(const Sampling& op, Explanation* why) const {
  const PassConstants& c = profile_.passes;
  // Logits arrive in 16 bit, are read once and written in fp32; soft-max and arg-max read fp32 twice. Top-k
  // or top-p sorts: about ten more passes.
  const double passes = op.greedy ? 2.0 + 4.0 + 8.0 : 2.0 + 4.0 + 48.0;
  const double bytes = passes * static_cast<double>(op.sequences) * static_cast<double>(op.vocab);
  Price price = pass(bytes, gpu_.memory_bandwidth.si(), c.sampling, c.sampling_floor, why);
  set_standing(price, c.error, false, false);
  price.provenance = Provenance::assumed;
  price.relative_error = 0.5;
  price.spread80 = std::max(1.0, price.spread80);
  if (why != nullptr) {
    explain_standing(price, c.error, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

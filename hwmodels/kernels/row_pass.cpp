// Row passes: soft-max, norm, activation, quantise, dequantise, residual add, each alone or fused in one
// kernel.
//
//   T(kernel) = floor + bytes / (BW x share of its slowest step)
//
// A kernel reads its input and writes its output once, whatever happens between: fusing saves a write and a
// read of the tensor at every seam. A residual add reads a second tensor and, where a step follows, writes
// the sum besides, for it goes on past the layer. Quantising writes one fp32 scale a row. A norm and a
// quantise keep the row on chip between their two looks at it; a row too long for that is read twice (torch's
// soft-max of 64 KiB rows shows one read). Shares of soft-max, norm and GELU on A100: torch kernels timed by
// LLMCompass's artifact, differences between large tensors, median error on the other sizes 7 %; shares of
// the other steps are the profile's. Known to fail: tensors that stay in L2 from one kernel to the next.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

using Step = RowPass::Step;

struct Tensor {
  double elements, rows, wide, narrow;  // the last two in bytes an element
};

// Bytes that one kernel of these steps reads and writes.
double bytes_of(std::span<const Step> steps, const Tensor& t, bool rereads) {
  const double wide = t.elements * t.wide, narrow = t.elements * t.narrow + 4.0 * t.rows;
  const double input = steps.front() == Step::dequantise ? narrow : wide;
  double bytes = input + (steps.back() == Step::quantise ? narrow : wide);
  bool keeps_row = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] == Step::residual) {
      bytes += wide + (i + 1 < steps.size() ? wide : 0.0);
    }
    keeps_row = keeps_row || steps[i] == Step::norm || steps[i] == Step::quantise;
  }
  return bytes + (keeps_row && rereads ? input : 0.0);
}

}  // namespace

Price KernelModel::price(const RowPass& op, Explanation* why) const {
  const RowPassConstants& c = operations_.row_pass;
  const PassConstants& passes = profile_.passes;
  const auto share = [&](Step step) {
    switch (step) {
      case Step::residual:
        return passes.residual;
      case Step::norm:
        return c.norm_share;
      case Step::softmax:
        return c.softmax_share;
      case Step::activation:
        return c.activation_share;
      case Step::quantise:
      case Step::dequantise:
        return passes.quantise;
    }
    return passes.copy;
  };
  const std::span<const Step> steps =
      std::span(op.steps).first(static_cast<std::size_t>(std::clamp(op.count, 1, 4)));
  const Tensor tensor{static_cast<double>(op.rows) * static_cast<double>(op.cols),
                      static_cast<double>(op.rows), bytes_per_element(op.wide), bytes_per_element(op.narrow)};
  const bool rereads = static_cast<double>(op.cols) * tensor.wide > c.row_on_chip;
  const double bandwidth = gpu_.memory_bandwidth.si();

  Price price;
  const std::size_t stride = op.fused ? steps.size() : 1;
  for (std::size_t i = 0; i < steps.size(); i += stride) {
    const std::span<const Step> kernel = steps.subspan(i, stride);
    double slowest = 1.0;
    for (const Step step : kernel) {
      slowest = std::min(slowest, share(step));
    }
    const double bytes = bytes_of(kernel, tensor, rereads);
    price.hbm_bytes += Bytes(bytes);
    price.hbm += Seconds(bytes / (bandwidth * slowest));
    price.fixed += Seconds(passes.floor * 1e-6);
    if (why != nullptr) {
      why->add(fmt::format(
          "kernel of {} step(s): {:.4g} B / ({:.3g} B/s x {:.2f}) = {:.2f} us + floor {:.2f} us",
          kernel.size(), bytes, bandwidth, slowest, bytes / (bandwidth * slowest) * 1e6, passes.floor));
    }
  }
  price.time = price.fixed + price.hbm;
  price.flops = Flops(8.0 * tensor.elements * static_cast<double>(steps.size()));
  set_limiter(price, gpu_.vector_fp32_peak, gpu_.memory_bandwidth);
  stand_on(price, c, gpu_);
  const bool measured_steps = std::all_of(steps.begin(), steps.end(), [](Step step) {
    return step == Step::norm || step == Step::softmax || step == Step::activation;
  });
  if (!measured_steps || (op.fused && steps.size() > 1)) {
    assume(price, passes.error.median);
  }
  if (why != nullptr) {
    why->add(fmt::format("T = {:.2f} us for {:.4g} B{}", price.time.si() * 1e6, price.hbm_bytes.si(),
                         rereads ? "; the row is too long to stay on chip" : ""));
    explain_evidence(price, c, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

// GEMM with int4 weights and 16-bit activations, expanded in registers: at small m a quarter of the bytes.
//
//   T     = t0 + overlap{ compute,  HBM x (bytes / 16-bit bytes) x cost },  compute = 2 m16 n k / (P e)
//   bytes = A + D + n k (1/2 + 2 / group), or n k (3/8 + 2 / group) when pruned 2:4 (half the values, 2 bits
//           for the place of each)
//
// against the 16-bit price of the shape: the kernel that hides the expansion (Marlin). m16 is m rounded up to
// 16, the rows of its tile; its thread blocks share the work evenly, so there are no waves. TensorRT-LLM's
// own weight-only kernel is a Gemm with int4 weights, whose constants the profiles hold. Compared with
// Marlin's published speed-ups over 16 bit on A10 and A100: see the test. Pruned weights also gain the sparse
// rate of the matrix units. Known to fail: Marlin at its locked base clock, and groups that are not multiples
// of 32.
#include <fmt/format.h>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

Price KernelModel::price(const Int4Gemm& op, Explanation* why) const {
  const Int4Constants& c = operations_.int4;
  const Precision unit = compute_precision(Precision::fp16);
  const Price wide = price(Gemm{.m = op.m, .n = op.n, .k = op.k, .activations = unit, .weights = unit});
  const double element = bytes_per_element(unit);
  const double weights = static_cast<double>(op.n) * static_cast<double>(op.k);
  const double stored = (op.sparse ? 0.375 : 0.5) + 2.0 / std::max(1, op.group);  // bytes a weight
  const double bytes = wide.hbm_bytes.si() - weights * (element - stored);
  const double gain = op.sparse && gpu_.sparse_factor > 1.0 ? operations_.sparse.front().compute_gain : 1.0;
  const std::int64_t tiles = (op.m + 15) / 16;
  const double rows = 16.0 * static_cast<double>(tiles);
  const double peak = matrix_peak(unit);
  const double compute = 2.0 * rows * weights / (peak * c.matrix_share * gain);
  const double hbm = wide.hbm.si() * bytes / wide.hbm_bytes.si() * c.stream_cost;
  const double fixed = wide.fixed.si() + c.t0 * 1e-6;
  const double overlap = overlapped(compute, hbm, 0.0, gemm_constants(unit, unit).leak);

  Price price;
  price.time = Seconds(fixed + overlap);
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm);
  price.fixed = Seconds(fixed);
  price.flops = wide.flops;
  price.hbm_bytes = Bytes(bytes);
  set_limiter(price, FlopsPerSecond(peak * (op.sparse ? std::max(1.0, gpu_.sparse_factor) : 1.0)),
              gpu_.memory_bandwidth);
  stand_on(price, c, gpu_, op.m > 256);
  if (why != nullptr) {
    why->add(fmt::format(
        "int4 weights m={} n={} k={}, group {}{}: {:.4f} B a weight, {:.4g} B in all (16 bit: "
        "{:.4g} B)",
        op.m, op.n, op.k, op.group, op.sparse ? ", 2:4" : "", stored, bytes, wide.hbm_bytes.si()));
    why->add(fmt::format(
        "compute = 2 x {:.0f} rows x n k / ({:.3g} FLOP/s x {:.2f} x {:.2f}) = {:.2f} us, HBM = {:.2f} us",
        rows, peak, c.matrix_share, gain, compute * 1e6, hbm * 1e6));
    why->add(fmt::format("T = t0 {:.2f} + overlap {:.2f} = {:.2f} us; 16 bit {:.2f} us, {:.2f} times faster",
                         fixed * 1e6, overlap * 1e6, price.time.si() * 1e6, wide.time.si() * 1e6,
                         wide.time / price.time));
    explain_evidence(price, c, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

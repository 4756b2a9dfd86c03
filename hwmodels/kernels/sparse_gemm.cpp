// 2:4 sparse GEMM: half of the weights, at most twice the rate.
//
//   T     = t0 + t_sparse + overlap{ compute / gain,  HBM x (bytes / dense bytes) x cost,  L2 x bytes share }
//   bytes = A + D + B (1/2 + 1 / (8 eb)),  eb = bytes of an element: 2 bits name the place of each kept value
//
// against the dense price of the same shape, of which it takes the compute, HBM and L2 times. The gain of the
// matrix units is 1.4 to 2.1 measured, where the datasheet says 2; below m of about 512 the kernel's longer
// start eats it. Fitted to every other measurement of cuSPARSELt's best algorithm (SlideSparse, 10 shapes of
// n and k, m of 64 to 65536): median error of the time on the others 4 to 8 % by GPU and format, p90 10 to
// 35 % (wide at small m, where algorithms differ). Known to fail: n and k below 1024.
#include <fmt/format.h>

#include <string_view>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

const SparseConstants& of_format(const std::vector<SparseConstants>& all, std::string_view format) {
  for (const SparseConstants& c : all) {
    if (c.format == format) {
      return c;
    }
  }
  return all.front();
}

}  // namespace

Price KernelModel::price(const SparseGemm& op, Explanation* why) const {
  const Precision unit = compute_precision(op.precision);
  const SparseConstants& c = of_format(operations_.sparse, format_name(unit, unit));
  const Price dense =
      price(Gemm{.m = op.m, .n = op.n, .k = op.k, .activations = unit, .weights = unit, .quantised = true});
  const double element = bytes_per_element(unit);
  const double weights = static_cast<double>(op.n) * static_cast<double>(op.k) * element;
  const double kept = 0.5 + 1.0 / (8.0 * element);  // bytes of the compressed weights over those of the dense
  const double bytes = dense.hbm_bytes.si() - weights * (1.0 - kept);
  // A GPU whose matrix units know no sparsity computes the dense product.
  const double gain = gpu_.sparse_factor > 1.0 ? c.compute_gain : 1.0;
  const double compute = dense.compute.si() / gain;
  const double hbm = dense.hbm.si() * bytes / dense.hbm_bytes.si() * c.stream_cost;
  const double l2 = dense.l2.si() * 0.5 * (1.0 + kept);
  const double fixed = dense.fixed.si() + c.t0 * 1e-6;
  const double overlap = overlapped(compute, hbm, l2, gemm_constants(unit, unit).leak);

  Price price;
  price.time = Seconds(fixed + overlap);
  price.compute = Seconds(compute);
  price.hbm = Seconds(hbm);
  price.l2 = Seconds(l2);
  price.fixed = Seconds(fixed);
  price.flops = dense.flops;  // of the dense product, as peaks "with sparsity" count
  price.hbm_bytes = Bytes(bytes);
  set_limiter(price, FlopsPerSecond(matrix_peak(unit) * std::max(1.0, gpu_.sparse_factor)),
              gpu_.memory_bandwidth);
  stand_on(price, c, gpu_, op.m < 64 || op.m > 65536 || op.n < 1024 || op.k < 1024);
  if (unit != op.precision || c.format != format_name(unit, unit)) {
    assume(price, 0.2);  // constants of another format
  }
  if (why != nullptr) {
    why->add(fmt::format("2:4 sparse GEMM m={} n={} k={} {}: dense {:.2f} us (compute {:.2f}, HBM {:.2f})",
                         op.m, op.n, op.k, json::name_of(op.precision), dense.time.si() * 1e6,
                         dense.compute.si() * 1e6, dense.hbm.si() * 1e6));
    why->add(fmt::format("weights {:.4g} B x {:.4f} (half the values, 2 bits each for their places)", weights,
                         kept));
    why->add(fmt::format("compute = {:.2f} / {:.2f} = {:.2f} us, HBM = {:.2f} us for {:.4g} B",
                         dense.compute.si() * 1e6, gain, compute * 1e6, hbm * 1e6, bytes));
    why->add(fmt::format("T = t0 {:.2f} + overlap {:.2f} = {:.2f} us, {:.2f} x dense", fixed * 1e6,
                         overlap * 1e6, price.time.si() * 1e6, dense.time / price.time));
    explain_evidence(price, c, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

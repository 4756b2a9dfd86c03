// A linear layer in int8, a scale for each token and each output channel:
//
//   T = quantise A (unless it arrives so) + int8 GEMM + rescale (nothing where the epilogue does it)
//   quantise: read m k 16-bit, write m k int8 and m scales;  rescale pass: read 4 m n B of int32 sums, write
//   2 m n B (or m n B of int8 for the next layer)
//
// The passes are those of row_pass.cpp, the product is gemm.cpp's. Rounding to the nearest of 255 steps
// between -s and s costs a relative error of about s / (127 sqrt(12) sigma) an operand.
#include "hwmodels/kernels/int8_linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

// SplitMix64 and Box-Muller: the standard library's distributions differ between implementations.
class Normal {
 public:
  explicit Normal(std::uint64_t seed) : state_(seed) {}
  double operator()() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  double uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30u)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27u)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31u)) >> 11u) * 0x1.0p-53;
  }
  std::uint64_t state_;
};

// Each row of `matrix` rounded to 255 levels up to its largest magnitude.
std::vector<double> rounded(const std::vector<double>& matrix, int columns) {
  std::vector<double> result(matrix.size());
  for (std::size_t row = 0; row < matrix.size(); row += static_cast<std::size_t>(columns)) {
    double largest = 0.0;
    for (std::size_t i = row; i < row + static_cast<std::size_t>(columns); ++i) {
      largest = std::max(largest, std::abs(matrix[i]));
    }
    const double step = largest > 0.0 ? largest / 127.0 : 1.0;
    for (std::size_t i = row; i < row + static_cast<std::size_t>(columns); ++i) {
      result[i] = std::nearbyint(matrix[i] / step) * step;
    }
  }
  return result;
}

}  // namespace

double int8_linear_error(int m, int n, int k, std::uint64_t seed, int outlier_every, double outlier) {
  Normal normal(seed);
  const auto depth = static_cast<std::size_t>(k);
  std::vector<double> a(static_cast<std::size_t>(m) * depth), b(static_cast<std::size_t>(n) * depth);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool large = outlier_every > 0 && i % depth % static_cast<std::size_t>(outlier_every) == 0;
    a[i] = normal() * (large ? outlier : 1.0);
  }
  std::generate(b.begin(), b.end(), normal);  // row j is column j of B
  const std::vector<double> a8 = rounded(a, k), b8 = rounded(b, k);
  double error = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); i += depth) {
    for (std::size_t j = 0; j < b.size(); j += depth) {
      double exact = 0.0, quantised = 0.0;
      for (std::size_t d = 0; d < depth; ++d) {
        exact += a[i + d] * b[j + d];
        quantised += a8[i + d] * b8[j + d];
      }
      error += (quantised - exact) * (quantised - exact);
      norm += exact * exact;
    }
  }
  return norm > 0.0 ? std::sqrt(error / norm) : 0.0;
}

Price KernelModel::price(const Int8Linear& op, Explanation* why) const {
  const Price product = price(Gemm{.m = op.m,
                                   .n = op.n,
                                   .k = op.k,
                                   .activations = Precision::int8,
                                   .weights = Precision::int8,
                                   .quantised = true});
  Price quantise, rescale;
  if (!op.quantised) {
    quantise = price(
        RowPass{.rows = op.m, .cols = op.k, .steps = {RowPass::Step::quantise}, .narrow = Precision::int8});
  }
  const double out = static_cast<double>(op.m) * static_cast<double>(op.n);
  const double out_bytes = op.requantise ? 1.0 : 2.0;
  if (!op.fused_rescale) {
    rescale = price(Elementwise{.kind = Elementwise::Kind::quantise,
                                .elements = out,
                                .read = Bytes(4.0 * out),
                                .written = Bytes(out_bytes * out)});
  }
  Price price = product;
  // The GEMM is priced with a 16-bit output; sums leave as int32, or as int8 where the epilogue requantises.
  const double written = op.fused_rescale ? out_bytes : 4.0;
  const Bytes output = Bytes((written - 2.0) * out);
  const Seconds output_time =
      output / (gpu_.memory_bandwidth * gemm_constants(Precision::int8, Precision::int8).hbm_efficiency);
  const Seconds hbm = max(Seconds(0.0), product.hbm + output_time);
  // Only what was limited by memory gets longer (or shorter) with the output.
  const Seconds longer =
      max(hbm, max(product.compute, product.l2)) - max(product.hbm, max(product.compute, product.l2));
  price.time = product.time + longer + quantise.time + rescale.time;
  price.hbm = hbm + quantise.hbm + rescale.hbm;
  price.fixed = product.fixed + quantise.fixed + rescale.fixed;
  price.hbm_bytes = product.hbm_bytes + output + quantise.hbm_bytes + rescale.hbm_bytes;
  set_limiter(price, FlopsPerSecond(matrix_peak(compute_precision(Precision::int8))), gpu_.memory_bandwidth);
  const double passes_share = (quantise.time + rescale.time) / price.time;
  price.provenance = passes_share > 0.1 ? Provenance::assumed : product.provenance;
  price.relative_error = (1.0 - passes_share) * product.relative_error +
                         passes_share * std::max(quantise.relative_error, rescale.relative_error);
  price.spread80 =
      (1.0 - passes_share) * product.spread80 + passes_share * std::max(quantise.spread80, rescale.spread80);
  if (why != nullptr) {
    why->add(fmt::format(
        "int8 linear m={} n={} k={}: quantise {:.2f} + int8 GEMM {:.2f} + rescale {:.2f} = {:.2f} "
        "us",
        op.m, op.n, op.k, quantise.time.si() * 1e6, (product.time + longer).si() * 1e6,
        rescale.time.si() * 1e6, price.time.si() * 1e6));
    why->add(
        fmt::format("bytes: {:.4g} quantise, {:.4g} GEMM, {:.4g} rescale; passes are {:.0f} % of the time",
                    quantise.hbm_bytes.si(), (product.hbm_bytes + output).si(), rescale.hbm_bytes.si(),
                    100.0 * passes_share));
    why->add(fmt::format("{}; expected here {:.0f} %", json::name_of(price.provenance),
                         100.0 * price.relative_error));
  }
  return price;
}

}  // namespace gpuplan::kernels

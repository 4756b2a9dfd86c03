// Convolution as an implicit GEMM: m = N Ho Wo rows, n = K / groups columns, k = R S C / groups deep.
//
//   T       = t0 + overlap{ compute (1 + gather), HBM, L2 } + transposes (NCHW)
//   compute = the Gemm price's, of N Ho Wo groups rows (each group's tiles are its own): wave and tile waste
//             included; channels a group rounded up to 4 (at most 4) or to a multiple of 8
//   HBM     = (input touched + weights + output (1 + epilogue reads)) bytes / (BW e): a window is read from
//             memory once, its overlaps come from cache; rows that a stride skips are not read
//   NCHW    = input and output pass through a transpose each: tensor cores want channels last
//   data gradient   = the product of output gradients and weights, N Ho Wo K R S x C; the input's gradient is
//             written whole. With a stride s each of the s^2 phases of the input sees its share of the
//             window.
//   weight gradient = K x C R S, N Ho Wo deep, which is cut until its tiles fill the SMs once; input and
//   output
//             gradient read once, partial sums in fp32 written and read
//   depthwise = max{ 2 N Ho Wo C R S / (P_fp32 e), bytes / (BW e) }, on the vector units, in either layout
//
// No measurement of single layers was at hand: gather and bandwidth share are read off ResNet-50's published
// inference times on A100 (AITemplate, whole network, half of the batch sizes; within 1, 10 and 2 % at the
// others). Grouped and depthwise constants are assumed, and that gradients reach what forward passes do.
// Known to fail: Winograd (3x3 in fp32) and FFT algorithms; TensorRT's int8 networks are 1.3 to 1.8 times
// faster (MLPerf ResNet-50), presumably because fused layers keep their activations in L2.
#include "hwmodels/kernels/convolution.h"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/json/describe.h"
#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

namespace {

std::int64_t padded_channels(std::int64_t channels) { return channels <= 4 ? 4 : (channels + 7) / 8 * 8; }

struct Sizes {
  double out_h, out_w, input, touched, weights, output;  // the last four in elements
};
Sizes sizes_of(const Convolution& op) {
  const double n = static_cast<double>(op.batch), c = static_cast<double>(op.in_channels);
  const std::int64_t out_h = op.out(op.height), out_w = op.out(op.width);
  const double rows = static_cast<double>(std::min(op.height, out_h * op.kernel));
  const double columns = static_cast<double>(std::min(op.width, out_w * op.kernel));
  return {static_cast<double>(out_h),
          static_cast<double>(out_w),
          n * c * static_cast<double>(op.height * op.width),
          n * c * rows * columns,
          static_cast<double>(op.out_channels * op.kernel * op.kernel) * c / static_cast<double>(op.groups),
          n * static_cast<double>(op.out_channels * out_h * out_w)};
}

// The matrix product that a pass is, and what it moves through HBM, in elements.
struct PassWork {
  Gemm product;
  double moved = 0.0;
};
PassWork work_of(const Convolution& op, const Sizes& sizes, int sms) {
  const std::int64_t group_in = op.in_channels / op.groups, group_out = op.out_channels / op.groups;
  const std::int64_t window = op.kernel * op.kernel;
  const auto pixels = static_cast<std::int64_t>(sizes.out_h * sizes.out_w);
  const double all = sizes.touched + sizes.weights + sizes.output;
  const auto shape = [](std::int64_t m, std::int64_t n, std::int64_t k) {
    Gemm gemm;
    gemm.m = m;
    gemm.n = n;
    gemm.k = k;
    gemm.quantised = true;
    return gemm;
  };
  switch (op.pass) {
    case Convolution::Pass::forward:
      return {shape(op.batch * pixels * op.groups, group_out, padded_channels(group_in) * window),
              all + sizes.output * op.epilogue_reads};
    case Convolution::Pass::data_gradient: {
      const std::int64_t phases = std::min(op.stride * op.stride, window);
      const std::int64_t deep = (padded_channels(group_out) * window + phases - 1) / phases;
      return {shape(op.batch * pixels * phases * op.groups, padded_channels(group_in), deep),
              all + sizes.input - sizes.touched};
    }
    case Convolution::Pass::weight_gradient: {
      constexpr std::int64_t tile = 128,
                             shortest = 256;  // no part walks less of the depth than a split-K does
      const std::int64_t columns = padded_channels(group_in) * window;
      const std::int64_t tiles = ((group_out + tile - 1) / tile) * ((columns + tile - 1) / tile) * op.groups;
      const std::int64_t deep = op.batch * pixels;
      const std::int64_t parts =
          std::clamp<std::int64_t>(sms / tiles, 1, std::max<std::int64_t>(1, deep / shortest));
      const double partial = parts > 1 ? static_cast<double>(parts) * sizes.weights : 0.0;
      const double wide = 4.0 / bytes_per_element(op.precision);
      return {shape(group_out * parts * op.groups, columns, (deep + parts - 1) / parts),
              all + 2.0 * wide * partial};
    }
  }
  return {};
}

}  // namespace

Elementwise batch_norm(double elements, Precision precision, bool training, double extra_reads) {
  const Bytes tensor(elements * bytes_per_element(precision));
  return {.kind = Elementwise::Kind::norm,
          .elements = elements,
          .read = tensor * ((training ? 2.0 : 1.0) + extra_reads),
          .written = tensor};
}

Elementwise pooling(double in, double out, Precision precision) {
  return {.kind = Elementwise::Kind::activation,
          .elements = out,
          .read = Bytes(in * bytes_per_element(precision)),
          .written = Bytes(out * bytes_per_element(precision))};
}

Price KernelModel::price(const Convolution& op, Explanation* why) const {
  const ConvolutionConstants& c = operations_.convolution;
  const Precision unit = compute_precision(op.precision);
  const Sizes sizes = sizes_of(op);
  const double element = bytes_per_element(unit), bandwidth = gpu_.memory_bandwidth.si();
  const bool depthwise = op.groups > 1 && op.groups == op.in_channels;
  const std::int64_t group_in = op.in_channels / op.groups;
  PassWork work = work_of(op, sizes, gpu_.sm_count);
  const double bytes = element * work.moved;

  Price price;
  price.flops = Flops(2.0 * sizes.output * static_cast<double>(group_in * op.kernel * op.kernel));
  double transposes = 0.0, leak = 0.0;
  FlopsPerSecond peak(matrix_peak(unit));
  if (depthwise) {
    peak = gpu_.vector_fp32_peak.si() > 0.0 ? gpu_.vector_fp32_peak : peak;
    price.compute = price.flops / (peak * c.depthwise_share);
    price.hbm = Seconds(bytes / (bandwidth * c.depthwise_stream));
    price.fixed = Seconds(profile_.passes.floor * 1e-6);
  } else {
    work.product.activations = work.product.weights = unit;
    const Price product = this->price(work.product);
    price.compute = product.compute * (op.kernel > 1 ? 1.0 + c.gather_cost : 1.0);
    price.hbm = Seconds(bytes / (bandwidth * c.stream_share));
    price.l2 = product.l2;
    price.fixed = product.fixed + Seconds(c.t0 * 1e-6);
    leak = gemm_constants(unit, unit).leak;
    if (op.layout == Convolution::Layout::nchw) {
      transposes = 2.0 * element * (sizes.input + sizes.output);
    }
  }
  const double transpose_time =
      transposes > 0.0 ? 2.0 * profile_.passes.floor * 1e-6 + transposes / (bandwidth * profile_.passes.copy)
                       : 0.0;
  const double overlap = overlapped(price.compute.si(), price.hbm.si(), price.l2.si(), leak);
  price.time = price.fixed + Seconds(overlap + transpose_time);
  price.hbm += Seconds(transpose_time);
  price.hbm_bytes = Bytes(bytes + transposes);
  set_limiter(price, peak, gpu_.memory_bandwidth);
  stand_on(price, c, gpu_);
  if (op.groups > 1 || element != 2.0 || op.pass != Convolution::Pass::forward) {
    assume(price, 0.4);  // nobody measured these
  } else {               // a single layer: the network's time, which was measured, averages over them
    price.relative_error = std::max(0.15, price.relative_error);
    price.spread80 = std::max(0.3, price.spread80);
  }
  if (why != nullptr) {
    why->add(fmt::format(
        "convolution {}x{}, {}, stride {} of [{}, {}, {}, {}] to {} channels of {:.0f} x {:.0f}, {} "
        "groups: {:.4g} FLOP",
        op.kernel, op.kernel, json::name_of(op.pass), op.stride, op.batch, op.height, op.width,
        op.in_channels, op.out_channels, sizes.out_h, sizes.out_w, op.groups, price.flops.si()));
    why->add(
        op.pass == Convolution::Pass::forward
            ? fmt::format(
                  "bytes = {:.0f} B x (input {:.4g} + weights {:.4g} + output {:.4g} x {:.0f}) = {:.4g} B",
                  element, sizes.touched, sizes.weights, sizes.output, 1.0 + op.epilogue_reads, bytes)
            : fmt::format("bytes = {:.0f} B x {:.4g} elements of input, weights, output and partial sums = "
                          "{:.4g} B; as {} x {} x {}",
                          element, work.moved, bytes, work.product.m, work.product.n, work.product.k));
    why->add(fmt::format("compute {:.2f} us, HBM {:.2f} us, L2 {:.2f} us, transposes {:.2f} us",
                         price.compute.si() * 1e6, (price.hbm.si() - transpose_time) * 1e6,
                         price.l2.si() * 1e6, transpose_time * 1e6));
    why->add(fmt::format("T = t0 {:.2f} + overlap {:.2f} + transposes = {:.2f} us; {:.1f} FLOP a byte",
                         price.fixed.si() * 1e6, overlap * 1e6, price.time.si() * 1e6,
                         price.flops.si() / price.hbm_bytes.si()));
    explain_evidence(price, c, *why);
  }
  return price;
}

}  // namespace gpuplan::kernels

// 2:4 sparsity and int4 weights, and which pays at what batch.
#include <cmath>

#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

Price dense(const KernelModel& model, std::int64_t m, std::int64_t n, std::int64_t k) {
  return model.price(
      Gemm{.m = m, .n = n, .k = k, .activations = Precision::fp16, .weights = Precision::fp16});
}

}  // namespace

TEST_CASE("Compressed 2:4 weights: half the values and 2 bits each for their places") {
  const KernelModel model = model_of("A100-80GB-PCIe");
  const Price sparse = model.price(SparseGemm{.m = 16, .n = 8192, .k = 8192, .precision = Precision::fp16});
  // 8192^2 x (2 / 2 + 2 / 16) B of weights, 16 x 8192 x 2 B in and out.
  CHECK(sparse.hbm_bytes.si() == Approx(8192.0 * 8192.0 * 1.125 + 2.0 * 16.0 * 8192.0 * 2.0));
  const Price int8 = model.price(SparseGemm{.m = 16, .n = 8192, .k = 8192, .precision = Precision::int8});
  CHECK(int8.hbm_bytes.si() == Approx(8192.0 * 8192.0 * 0.625 + 16.0 * 8192.0 * 3.0));
  CHECK(sparse.outside_measured_range);  // m below 64
}

TEST_CASE("2:4 sparsity pays more the larger the batch, and never twice") {
  for (const char* gpu : {"A100-80GB-PCIe", "H100-PCIe-80GB", "B200-SXM-180GB"}) {
    const KernelModel model = model_of(gpu);
    const auto gain = [&](std::int64_t m) {
      return dense(model, m, 8192, 8192).time /
             model.price(SparseGemm{.m = m, .n = 8192, .k = 8192, .precision = Precision::fp16}).time;
    };
    INFO(gpu << ": " << gain(64) << " at m = 64, " << gain(8192) << " at 8192");
    CHECK(gain(8192) > 1.3);  // measured 1.56 to 1.72
    CHECK(gain(8192) < 2.0);
    CHECK(gain(64) < 1.75);
    CHECK(model.price(SparseGemm{.m = 8192, .n = 8192, .k = 8192}).provenance == Provenance::measured);
  }
}

TEST_CASE("Sparse time never drops as m grows, and a GPU without the unit gains no compute") {
  const KernelModel model = model_of("A100-80GB-PCIe");
  double last = 0.0;
  for (std::int64_t m = 64; m <= 65536; m *= 2) {
    const double time = model.price(SparseGemm{.m = m, .n = 4096, .k = 4096}).time.si();
    CHECK(time >= 0.97 * last);
    last = time;
  }
  Gpu gpu = gpu_named("A100-80GB-PCIe");
  gpu.sparse_factor = 1.0;
  const KernelModel without = KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR);
  CHECK(without.price(SparseGemm{.m = 8192, .n = 8192, .k = 8192}).compute ==
        without.price(Gemm{.m = 8192, .n = 8192, .k = 8192}).compute);
}

TEST_CASE("Int4 weights: bytes, and Marlin's published speed-ups on A10") {
  const KernelModel model = model_of("A10");
  const Price price = model.price(Int4Gemm{.m = 16, .n = 72000, .k = 18000});
  // Half a byte and 2 / 128 B of scale a weight; 16 bit for the activations in and out.
  CHECK(price.hbm_bytes.si() ==
        Approx(72000.0 * 18000.0 * (0.5 + 2.0 / 128.0) + 16.0 * (72000.0 + 18000.0) * 2.0));
  struct Point {
    std::int64_t m;
    double speedup;
  };
  // IST-DASLab/marlin, peak.png (read off the chart, +-0.05).
  for (const Point& point : {Point{1, 3.87}, Point{2, 3.87}, Point{4, 3.87}, Point{16, 3.89}, Point{32, 3.82},
                             Point{64, 3.09}, Point{128, 1.56}}) {
    const double speedup = dense(model, point.m, 72000, 18000).time /
                           model.price(Int4Gemm{.m = point.m, .n = 72000, .k = 18000}).time;
    INFO("m " << point.m << ": " << speedup);
    CHECK(speedup == Approx(point.speedup).epsilon(0.11));
  }
}

TEST_CASE("Int4 weights: Marlin's published speed-ups on A100 at m = 16") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  struct Layer {
    std::int64_t k, n;
  };
  const auto speedup = [&](std::initializer_list<Layer> layers) {
    double wide = 0.0, narrow = 0.0;
    for (const Layer& layer : layers) {
      wide += dense(model, 16, layer.n, layer.k).time.si();
      narrow += model.price(Int4Gemm{.m = 16, .n = layer.n, .k = layer.k}).time.si();
    }
    return wide / narrow;
  };
  // IST-DASLab/marlin, models.png; its layers as bench.py fuses them.
  CHECK(speedup({{4096, 12288}, {4096, 4096}, {4096, 21504}, {10752, 4096}}) == Approx(2.22).epsilon(0.1));
  CHECK(speedup({{6656, 19968}, {6656, 6656}, {6656, 35328}, {17664, 6656}}) == Approx(3.05).epsilon(0.1));
  CHECK(speedup({{8192, 24576}, {8192, 8192}, {8192, 43520}, {21760, 8192}}) == Approx(3.20).epsilon(0.1));
  CHECK(speedup({{14848, 75264}, {74240, 14848}}) == Approx(3.64).epsilon(0.1));
}

TEST_CASE("Int4 with 2:4 besides: 3 bits and a scale a weight") {
  const KernelModel model = model_of("A10");
  const Price price = model.price(Int4Gemm{.m = 1, .n = 82000, .k = 20000, .sparse = true});
  CHECK(price.hbm_bytes.si() == Approx(82000.0 * 20000.0 * (0.375 + 2.0 / 128.0) + 102000.0 * 2.0));
  // Sparse-Marlin's chart (RTX 3090): 5.09 times at m = 1, 16 / 3.125 = 5.12 by bytes.
  CHECK(dense(model, 1, 82000, 20000).time / price.time == Approx(5.09).epsilon(0.05));
}

TEST_CASE("Int4 for few tokens, 2:4 for many") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const auto int4 = [&](std::int64_t m) {
    return model.price(Int4Gemm{.m = m, .n = 12288, .k = 12288}).time;
  };
  const auto sparse = [&](std::int64_t m) {
    return model.price(SparseGemm{.m = m, .n = 12288, .k = 12288, .precision = Precision::fp16}).time;
  };
  CHECK(int4(1) < sparse(1));
  CHECK(int4(16) < sparse(16));
  CHECK(sparse(4096) < int4(4096));
  CHECK(int4(4096) > 0.9 * dense(model, 4096, 12288, 12288).time);  // nothing left to gain
}

// Convolution, pooling, batch norm; ResNet-50 layer by layer.
#include <algorithm>

#include "hwmodels/kernels/convolution.h"
#include "hwmodels/kernels/launch_sequence.h"
#include "kernels_testing.h"
#include "resnet50.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

TEST_CASE("A 1x1 convolution is a GEMM") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const Convolution op{.batch = 64, .height = 28, .width = 28, .in_channels = 512, .out_channels = 128};
  const Price conv = model.price(op);
  const Price gemm = model.price(Gemm{
      .m = 64 * 28 * 28, .n = 128, .k = 512, .activations = Precision::fp16, .weights = Precision::fp16});
  CHECK(conv.flops.si() == Approx(gemm.flops.si()));
  CHECK(conv.hbm_bytes.si() == Approx(gemm.hbm_bytes.si()));
  CHECK(conv.compute == gemm.compute);
  CHECK(conv.time / gemm.time == Approx(1.0).margin(0.2));
}

TEST_CASE("A 3x3 convolution reads its input once, not nine times") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  Convolution op{.batch = 32,
                 .height = 56,
                 .width = 56,
                 .in_channels = 64,
                 .out_channels = 64,
                 .kernel = 3,
                 .padding = 1};
  // 32 x 56 x 56 x 64 elements in and out, 64 x 64 x 9 weights, 2 B each; 2 x 9 x 64 FLOP an output.
  const double tensor = 32.0 * 56.0 * 56.0 * 64.0;
  const Price price = model.price(op);
  CHECK(price.hbm_bytes.si() == Approx(2.0 * (2.0 * tensor + 64.0 * 64.0 * 9.0)));
  CHECK(price.flops.si() == Approx(2.0 * tensor * 9.0 * 64.0));
  op.epilogue_reads = 1.0;
  CHECK(model.price(op).hbm_bytes.si() - price.hbm_bytes.si() == Approx(2.0 * tensor));
  // Channels first: both tensors pass through a transpose (read and written).
  op.epilogue_reads = 0.0;
  op.layout = Convolution::Layout::nchw;
  const Price transposed = model.price(op);
  CHECK(transposed.hbm_bytes.si() - price.hbm_bytes.si() == Approx(2.0 * 2.0 * 2.0 * tensor));
  CHECK(transposed.time > price.time);
}

TEST_CASE("A stride that skips pixels does not read them") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const Convolution op{
      .batch = 8, .height = 56, .width = 56, .in_channels = 256, .out_channels = 512, .stride = 2};
  CHECK(op.out(56) == 28);
  const double in = 8.0 * 28.0 * 28.0 * 256.0, out = 8.0 * 28.0 * 28.0 * 512.0;
  CHECK(model.price(op).hbm_bytes.si() == Approx(2.0 * (in + out + 256.0 * 512.0)));
}

TEST_CASE("Grouped and depthwise convolutions") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  Convolution op{.batch = 32,
                 .height = 28,
                 .width = 28,
                 .in_channels = 512,
                 .out_channels = 512,
                 .kernel = 3,
                 .padding = 1};
  const Price dense = model.price(op);
  op.groups = 32;
  const Price grouped = model.price(op);
  CHECK(grouped.flops / dense.flops == Approx(1.0 / 32.0));
  CHECK(grouped.compute > dense.compute / 32.0);  // 16 columns a group do not fill a tile
  CHECK(grouped.provenance == Provenance::assumed);
  op.groups = 512;
  const Price depthwise = model.price(op);
  const double tensor = 32.0 * 28.0 * 28.0 * 512.0;
  CHECK(depthwise.flops.si() == Approx(2.0 * 9.0 * tensor));
  CHECK(depthwise.hbm_bytes.si() == Approx(2.0 * (2.0 * tensor + 9.0 * 512.0)));
  CHECK(depthwise.limiter == Limiter::hbm_bandwidth);  // 4.5 FLOP a byte
  op.layout = Convolution::Layout::nchw;
  CHECK(model.price(op).time == depthwise.time);  // no transpose for the vector units
}

TEST_CASE("Batch norm and pooling move their tensors") {
  CHECK(batch_norm(1000.0, Precision::fp16).read.si() == 2000.0);
  CHECK(batch_norm(1000.0, Precision::fp16, true).read.si() == 4000.0);
  CHECK(batch_norm(1000.0, Precision::fp16, false, 1.0).read.si() == 4000.0);
  CHECK(pooling(4000.0, 1000.0, Precision::fp32).read.si() == 16000.0);
  CHECK(pooling(4000.0, 1000.0, Precision::fp32).written.si() == 4000.0);
}

namespace {

// Max pool, average pool and the classifier besides the convolutions; batch norm, ReLU and residual fused.
std::vector<Price> fused_resnet50(const KernelModel& model, std::int64_t batch) {
  std::vector<Price> kernels;
  for (const Convolution& layer : resnet50_convolutions(batch, Precision::fp16)) {
    kernels.push_back(model.price(layer));
  }
  const double images = static_cast<double>(batch);
  kernels.push_back(
      model.price(pooling(images * 64.0 * 112.0 * 112.0, images * 64.0 * 56.0 * 56.0, Precision::fp16)));
  kernels.push_back(model.price(pooling(images * 2048.0 * 49.0, images * 2048.0, Precision::fp16)));
  kernels.push_back(model.price(
      Gemm{.m = batch, .n = 1000, .k = 2048, .activations = Precision::fp16, .weights = Precision::fp16}));
  return kernels;
}

}  // namespace

TEST_CASE("ResNet-50 has 53 convolutions, 25.5 M weights and 8.2 GFLOP an image") {
  double weights = 0.0, flops = 0.0;
  const KernelModel model = model_of("A100-40GB-SXM4");
  const std::vector<Convolution> layers = resnet50_convolutions(1, Precision::fp16);
  CHECK(layers.size() == 53);
  for (const Convolution& layer : layers) {
    weights += static_cast<double>(layer.in_channels * layer.out_channels * layer.kernel * layer.kernel);
    flops += model.price(layer).flops.si();
  }
  // Published: 25.56 M parameters, of which the classifier 2.05 M and batch norms 0.05 M; 4.11 GMAC, of which
  // the classifier 2 M.
  CHECK(weights == Approx(25.557e6 - 2.049e6 - 0.053e6).epsilon(1e-3));
  CHECK(flops == Approx(2.0 * 4.09e9).epsilon(5e-3));
}

TEST_CASE("ResNet-50 on A100 against AITemplate's published times") {
  const KernelModel model = model_of("A100-40GB-SXM4");
  struct Point {
    std::int64_t batch;
    double milliseconds;
  };
  // facebookincubator/AITemplate, examples: ResNet-50, A100-40GB, fp16. Batches 1, 4 and 64 were fitted.
  for (const Point& point : {Point{2, 0.62}, Point{16, 1.33}, Point{256, 16.58}}) {
    const std::vector<Price> kernels = fused_resnet50(model, point.batch);
    double time = 0.0;
    for (const Price& kernel : kernels) {
      time += kernel.time.si();
    }
    INFO("batch " << point.batch << ": " << time * 1e3 << " ms");
    CHECK(time * 1e3 == Approx(point.milliseconds).epsilon(0.12));
  }
}

TEST_CASE("ResNet-50 in int8: what layers of their own reach, below what MLPerf's fused networks reach") {
  struct Point {
    const char* gpu;
    double images;  // a second, MLPerf Inference v3.0 closed, Offline
  };
  for (const Point& point : {Point{"A100-80GB-SXM4", 42379.0}, Point{"H100-SXM5-80GB", 91826.0}}) {
    const KernelModel model = model_of(point.gpu);
    double time = 0.0;
    for (const Convolution& layer : resnet50_convolutions(256, Precision::int8)) {
      const Price price = model.price(layer);
      CHECK(price.provenance == Provenance::assumed);
      time += price.time.si();
    }
    const double share = 256.0 / time / point.images;
    INFO(point.gpu << ": " << share << " of MLPerf");
    CHECK(share > 0.5);
    CHECK(share < 1.0);
  }
}

TEST_CASE("ResNet-50 on A100 at the ridge when fused, unfused, memory limits it") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  double flops = 0.0, fused = 0.0, unfused = 0.0;
  for (const Convolution& layer : resnet50_convolutions(64, Precision::fp16)) {
    const Price price = model.price(layer);
    const double out = static_cast<double>(layer.batch * layer.out_channels * layer.out(layer.height) *
                                           layer.out(layer.width));
    flops += price.flops.si();
    fused += price.hbm_bytes.si();
    // Batch norm and ReLU as passes of their own: each reads and writes the output once more.
    unfused += price.hbm_bytes.si() + 2.0 * 2.0 * 2.0 * out;
  }
  const double ridge = 312e12 / 2.039e12;  // 153 FLOP a byte
  CHECK(flops / fused == Approx(ridge).epsilon(0.35));
  CHECK(flops / unfused < 0.5 * ridge);
}

TEST_CASE("Eager ResNet-50 takes as long as the framework needs to issue it") {
  const KernelModel model = model_of("A100-40GB-SXM4");
  // 53 convolutions, 53 batch norms, 49 ReLUs, 16 additions, 2 pools, 1 classifier: 174 kernels.
  std::vector<Price> kernels = fused_resnet50(model, 1);
  kernels.resize(174, model.price(batch_norm(1e5, Precision::fp16)));
  const Price eager = price_sequence(model, kernels, Issue::framework);
  // PyTorch 1.12 eager on A100 (AITemplate's table): 7.0 to 7.7 ms at batch 1 to 16.
  CHECK(eager.time.si() == Approx(7.2e-3).epsilon(0.25));
  CHECK(eager.limiter == Limiter::launch);
  CHECK(price_sequence(model, kernels, Issue::graph).time < eager.time * 0.25);
}

TEST_CASE("Gradients of a convolution: as many FLOPs, the bytes that each reads and writes") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  Convolution op{.batch = 32,
                 .height = 56,
                 .width = 56,
                 .in_channels = 256,
                 .out_channels = 512,
                 .kernel = 1,
                 .stride = 2};
  const double in = 32.0 * 56 * 56 * 256, out = 32.0 * 28 * 28 * 512, weights = 256.0 * 512;
  const Price forward = model.price(op);
  op.pass = Convolution::Pass::data_gradient;
  const Price data = model.price(op);
  op.pass = Convolution::Pass::weight_gradient;
  const Price weight = model.price(op);
  CHECK(data.flops == forward.flops);
  CHECK(weight.flops == forward.flops);
  // Forward reads a quarter of the input; its gradient is written whole, for the skipped pixels' is zero.
  CHECK(forward.hbm_bytes.si() == Approx(2.0 * (in / 4 + weights + out)));
  CHECK(data.hbm_bytes.si() == Approx(2.0 * (in + weights + out)));
  CHECK(data.time > forward.time);
  // 512 x 256 is 4 x 2 tiles of 128: 108 SMs take 13 parts of the depth, fp32 sums written and read.
  CHECK(weight.hbm_bytes.si() == Approx(2.0 * (in / 4 + out + weights) + 2.0 * 4 * 13 * weights));
  CHECK(weight.provenance == Provenance::assumed);
}

TEST_CASE("A small weight gradient is cut over all SMs, not computed by one tile") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  Convolution op{.batch = 256, .height = 56, .width = 56, .in_channels = 64, .out_channels = 64};
  op.pass = Convolution::Pass::weight_gradient;
  const Price price = model.price(op);
  // 64 x 64 outputs, 802,816 deep: one tile of 108 SMs would take 108 times what all take together.
  const double tile = price.flops.si() / (312e12 / 108);
  CHECK(price.compute.si() < tile / 20);
  CHECK(price.limiter == Limiter::hbm_bandwidth);  // 32 FLOP a byte
}

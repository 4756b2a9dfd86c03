// How the assumed kernels fill a GPU, worked by hand from threads, registers and shared memory.
#include "hwmodels/kernels/launch_shape.h"
#include "hwmodels/kernels/tiling.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

struct Shaped {
  explicit Shaped(const std::string& gpu) : model(model_of(gpu)), shapes(model, GPUPLAN_SOURCE_DIR) {}
  explicit Shaped(const Gpu& gpu)
      : model(KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR)), shapes(model, GPUPLAN_SOURCE_DIR) {}
  Shaped(const Shaped&) = delete;
  KernelModel model;
  LaunchShapes shapes;
};

// The tile that an explanation names: "tile 128 x 256, K split 1, ...".
void check_tile(const KernelModel& model, const Gemm& op) {
  TileChoice choice;
  Explanation why;
  const Price told = model.price(op, &why, &choice);
  CHECK(told.time == model.price(op).time);  // asking changes nothing
  const std::string expected = "tile " + std::to_string(static_cast<int>(choice.rows)) + " x " +
                               std::to_string(static_cast<int>(choice.columns)) + ",";
  INFO(text(why));
  CHECK(text(why).find(expected) != std::string::npos);
}

}  // namespace

TEST_CASE("The tile that a price rests on is told, and costs nothing") {
  for (const std::string& gpu : kMeasuredGpus) {
    const KernelModel model = model_of(gpu);
    for (const std::int64_t m : {1, 64, 512, 4096}) {
      check_tile(model, {.m = m, .n = 5120, .k = 13824});
    }
  }
}

TEST_CASE("Hopper GEMM: three warp groups and one block an SM are 12 of 64 warps") {
  const Shaped h100("H100-SXM5-80GB");
  // A product so large that the tile is 128 or 256 wide: 8192 x 8192 in tiles of 128 x 256 is 64 x 32 = 2048
  // tiles over 132 SMs, 15.5 waves.
  const Gemm large{.m = 8192, .n = 8192, .k = 8192};
  TileChoice choice;
  (void)h100.model.price(large, nullptr, &choice);
  const LaunchShape shape = h100.shapes.of(large).value();
  CHECK(shape.resources.threads_per_block == 384);
  CHECK(shape.resources.registers_per_thread == 168);  // 65536 / 384 = 170.7, in eights
  CHECK(shape.theoretical == 12.0 / 64.0);             // 18.75 %
  CHECK(shape.provenance == Provenance::physics);
  CHECK(shape.work == static_cast<std::int64_t>(8192 / choice.rows * 8192 / choice.columns));
  CHECK(shape.blocks == 132);  // persistent
  const double waves = static_cast<double>(shape.work) / 132.0;
  CHECK(shape.achieved == Approx(12.0 / 64.0 * waves / std::ceil(waves)));
  // 128 x 256 tiles: a stage of 64 elements of k is (128 + 256) x 64 x 2 B = 48 KiB, four fit 227 KiB.
  if (choice.rows + choice.columns == 384.0) {
    CHECK(shape.resources.shared_per_block.si() == 4.0 * 48.0 * 1024.0);
  }
}

TEST_CASE("Hopper GEMM of fewer tiles than SMs: the others idle") {
  const Shaped h100("H100-SXM5-80GB");
  // Decode: one row, 1024 columns.
  const Gemm small{.m = 1, .n = 1024, .k = 1024};
  TileChoice choice;
  (void)h100.model.price(small, nullptr, &choice);
  const LaunchShape shape = h100.shapes.of(small).value();
  REQUIRE(choice.blocks < 132.0);
  CHECK(shape.blocks == static_cast<std::int64_t>(std::ceil(choice.blocks)));
  CHECK(shape.achieved == Approx(0.1875 * static_cast<double>(shape.blocks) / 132.0));
}

TEST_CASE("A100 GEMM in tiles of 128 x 128: two blocks of 8 warps are a quarter") {
  const Shaped a100("A100-80GB-SXM4");
  // Blocks of 64 x 32 a warp: 8 warps; sums 128 x 128 / 256 = 64 registers, and 64: 128 x 256 = 32,768, two
  // blocks. Four stages of 32 elements: 4 x 32 x 256 x 2 B = 64 KiB, two blocks in 164.
  const StandardAttention scores{.batch = 1, .queries = 1024, .context = 1024, .heads = 32, .kv_heads = 32};
  const LaunchShape shape = a100.shapes.of(scores).value();
  CHECK(shape.resources.threads_per_block == 256);
  CHECK(shape.resources.registers_per_thread == 128);
  CHECK(shape.resources.shared_per_block.si() == 65536.0);
  CHECK(shape.theoretical == 16.0 / 64.0);
  CHECK(shape.work == 2048);                                        // 32 heads x 8 x 8 tiles
  CHECK(shape.blocks == shape.work);                                // a plain grid
  CHECK(shape.achieved == Approx(0.25 * (2048.0 / 216.0) / 10.0));  // 9.48 of 10 waves of 2 x 108
}

TEST_CASE("FlashAttention 2 on A100 holds two blocks of four warps, FlashAttention 3 one of twelve") {
  const AttentionPrefill prompt{.batch = 1, .queries = 4096, .context = 4096, .heads = 32, .kv_heads = 8};
  const LaunchShape two = Shaped("A100-80GB-SXM4").shapes.of(prompt).value();
  // Q of 128 rows and one block of 64 keys of K and V: (128 + 2 x 64) x 128 x 2 B = 64 KiB; 255 registers
  // round to 256 x 128 = 32,768: two blocks by either. 8 of 64 warps.
  CHECK(two.resources.threads_per_block == 128);
  CHECK(two.resources.shared_per_block.si() == 65536.0);
  CHECK(two.theoretical == 8.0 / 64.0);
  CHECK(two.work == 32 * 4096 / 128);
  const LaunchShape three = Shaped("H100-SXM5-80GB").shapes.of(prompt).value();
  // Q of 128 rows and two stages of 128 keys of K and V: (128 + 4 x 128) x 128 x 2 B = 160 KiB.
  CHECK(three.resources.threads_per_block == 384);
  CHECK(three.resources.shared_per_block.si() == 163840.0);
  CHECK(three.theoretical == 12.0 / 64.0);
  // 64 rows a warp group: 192 rows at head size 64 are four groups with the loader, 16 warps.
  AttentionPrefill narrow = prompt;
  narrow.head_dim = narrow.value_dim = 64;
  CHECK(Shaped("H100-SXM5-80GB").shapes.of(narrow)->theoretical == 16.0 / 64.0);
  // 100 KB an SM: 64 x 64 tiles of 48 KiB, two blocks of 48 warps' room.
  CHECK(Shaped("L40S").shapes.of(prompt)->theoretical == Approx(8.0 / 48.0));
}

TEST_CASE("FlashAttention alone runs in the version that is asked for") {
  const Shaped h100("H100-SXM5-80GB");
  FlashAttention op{.batch = 1, .queries = 4096, .context = 4096, .heads = 32, .kv_heads = 32};
  CHECK(h100.shapes.of(op)->theoretical == 12.0 / 64.0);
  CHECK(h100.shapes.of(op)->work == 1024);  // 32 heads x 4096 / 128
  op.version = FlashAttention::Version::fa2;
  CHECK(h100.shapes.of(op)->theoretical == 8.0 / 64.0);  // two blocks of 128 threads x 255 registers
}

TEST_CASE("A tiled GEMM has the occupancy that its own model says") {
  const Shaped a100("A100-80GB-SXM4");
  const TiledGemm op{.m = 4096, .n = 4096, .k = 4096};
  const SmLimits sm = sm_limits(a100.model.gpu(), sm_limits(GPUPLAN_SOURCE_DIR)).value();
  const Tiling tiled = tiling(a100.model, sm, op);
  const LaunchShape shape = a100.shapes.of(op).value();
  CHECK(shape.work == 1024);  // 32 x 32 tiles
  CHECK(shape.achieved == Approx(tiled.occupancy.fraction * tiled.waves.efficiency));
}

TEST_CASE("Split-KV decode: few sequences leave SMs idle unless the cache is split") {
  const Shaped a100("A100-80GB-SXM4");
  const AttentionDecode one{.batch = 1, .context = 128, .heads = 32, .kv_heads = 8};
  AttentionDecode longer = one;
  longer.context = 32768;
  const LaunchShape brief = a100.shapes.of(one).value(), split = a100.shapes.of(longer).value();
  // 64 rows and 128 keys of K and V: (64 + 256) x 128 x 2 B = 80 KiB, two blocks of four warps.
  CHECK(brief.theoretical == 8.0 / 64.0);
  CHECK(brief.work >= 8);  // a block for each KV head at least
  CHECK(brief.achieved <= 0.125 * static_cast<double>(brief.work) / 216.0 + 1e-12);
  CHECK(split.work > 4 * brief.work);
  CHECK(split.achieved > 4.0 * brief.achieved);
}

TEST_CASE("Passes fill an SM, and the GPU where the tensor is large") {
  const Shaped h100("H100-SXM5-80GB");
  // 256 threads x 32 registers: 8 blocks of 8 warps are all 64. 16 B a thread: 2048 elements of 16 bit a
  // block.
  const auto pass = [](double elements) {
    return Elementwise{.elements = elements, .read = Bytes(2.0 * elements), .written = Bytes(2.0 * elements)};
  };
  const LaunchShape full = h100.shapes.of(pass(2048.0 * 8 * 132)).value();
  CHECK(full.blocks == 1056);
  CHECK(full.theoretical == 1.0);
  CHECK(full.achieved == 1.0);
  const LaunchShape token = h100.shapes.of(pass(5120.0)).value();  // a norm of one token
  CHECK(token.blocks == 3);
  CHECK(token.achieved == Approx(3.0 / (8 * 132)));
  CHECK(token.provenance == Provenance::assumed);
}

TEST_CASE("The custom all-reduce is 36 blocks of 16 warps at most") {
  const Shaped h100("H100-SXM5-80GB");
  // 1 MiB / (512 x 16 B) = 128 blocks, cut to 36. 512 x 40 registers: 65536 / 20480 = 3 blocks, 48 warps.
  const LaunchShape shape = h100.shapes.of(AllReduce{.bytes = Bytes(1048576.0), .gpus = 8}).value();
  CHECK(shape.blocks == 36);
  CHECK(shape.theoretical == 48.0 / 64.0);
  CHECK(shape.achieved == Approx(0.75 * 36.0 / (3 * 132)));
  CHECK(h100.shapes.of(AllReduce{.bytes = Bytes(1e9), .gpus = 8})->blocks == 24);
}

TEST_CASE("Every operation has a shape on every NVIDIA GPU, none elsewhere") {
  for (const Gpu& gpu : catalogue().gpus()) {
    INFO(gpu.name);
    const Shaped shaped(gpu);
    const auto check = [&](const auto& op) {
      const std::optional<LaunchShape> shape = shaped.shapes.of(op);
      CHECK(shape.has_value() == (gpu.vendor == "NVIDIA"));
      if (shape) {
        CHECK(shape->blocks >= 1);
        CHECK(shape->blocks <= shape->work);
        CHECK(shape->achieved > 0.0);
        CHECK(shape->achieved <= shape->theoretical);
        CHECK(shape->theoretical <= 1.0);
      }
      CHECK(computing_peak(gpu, op).si() >= 0.0);
    };
    check(Gemm{.m = 16, .n = 4096, .k = 4096});
    check(Gemm{.m = 4096, .n = 4096, .k = 4096, .activations = Precision::fp8, .weights = Precision::fp8});
    check(Gemm{.m = 1, .n = 4096, .k = 4096, .weights = Precision::int4});
    for (const int d : {64, 128, 192, 256}) {
      check(AttentionPrefill{
          .queries = 512, .context = 512, .heads = 8, .kv_heads = 8, .head_dim = d, .value_dim = d});
      check(AttentionDecode{
          .batch = 4, .context = 700, .heads = 8, .kv_heads = 8, .head_dim = d, .value_dim = d});
    }
    check(AttentionDecode{.batch = 4, .context = 700, .heads = 128, .head_dim = 576, .latent_dim = 576});
    check(Elementwise{.elements = 1e6, .read = Bytes(2e6), .written = Bytes(2e6)});
    check(Embedding{.tokens = 8, .hidden = 4096});
    check(Sampling{.sequences = 8, .vocab = 32000});
    check(GroupedExperts{
        .tokens = 64, .hidden = 4096, .expert_ffn = 1024, .experts = 8, .local_experts = 8, .top_k = 2});
    check(AllReduce{.bytes = Bytes(1e5), .gpus = 4});
    check(StandardAttention{.queries = 512, .context = 512, .heads = 8, .kv_heads = 8});
    check(Convolution{
        .height = 56, .width = 56, .in_channels = 64, .out_channels = 64, .kernel = 3, .padding = 1});
    check(FlashAttention{.queries = 512, .context = 512, .heads = 8, .kv_heads = 8});
    check(TiledGemm{.m = 512, .n = 512, .k = 512});
    check(Convolution{.height = 56,
                      .width = 56,
                      .in_channels = 64,
                      .out_channels = 64,
                      .groups = 64,
                      .kernel = 3,
                      .padding = 1});
    check(Copy{.bytes = Bytes(1e6), .path = Copy::Path::device_to_device});
    check(RowPass{.rows = 64, .cols = 4096});
    check(SparseGemm{.m = 64, .n = 4096, .k = 4096});
    check(Int4Gemm{.m = 16, .n = 4096, .k = 4096});
    check(Int8Linear{.m = 64, .n = 4096, .k = 4096});
    CHECK_FALSE(shaped.shapes.of(Copy{.bytes = Bytes(1e6)}).has_value());
  }
}

TEST_CASE("Shares of peak are of the unit that computes") {
  const Gpu& h100 = gpu_named("H100-SXM5-80GB");
  CHECK(computing_peak(h100, Gemm{}) == h100.peak(Precision::bf16).value());
  CHECK(computing_peak(h100, Gemm{.activations = Precision::fp8}) == h100.peak(Precision::fp8).value());
  CHECK(computing_peak(h100, Elementwise{}) == h100.vector_fp32_peak);
  CHECK(computing_peak(h100, Embedding{}) == h100.vector_fp32_peak);
  const Gpu& a100 = gpu_named("A100-80GB-SXM4");  // knows no fp8
  CHECK(computing_peak(a100, Gemm{.activations = Precision::fp8}) == a100.peak(Precision::bf16).value());
  CHECK(computing_peak(a100, SparseGemm{}) == a100.peak(Precision::bf16).value() * 2.0);
}

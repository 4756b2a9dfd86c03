// Occupancy by NVIDIA's rules, worked by hand; Little's law; sectors and banks.
#include "hwmodels/kernels/occupancy.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

const SmLimits& limits(const std::string& capability) {
  static const std::vector<SmLimits> known = sm_limits(GPUPLAN_SOURCE_DIR);
  for (const SmLimits& sm : known) {
    if (sm.capability == capability) {
      return sm;
    }
  }
  FAIL("no capability " << capability);
  return known.front();
}

KernelResources kernel(int threads, int registers, double shared = 0.0) {
  return {.threads_per_block = threads, .registers_per_thread = registers, .shared_per_block = Bytes(shared)};
}

}  // namespace

TEST_CASE("Every NVIDIA GPU of the catalogue has a compute capability that is known") {
  const std::vector<SmLimits> known = sm_limits(GPUPLAN_SOURCE_DIR);
  for (const Gpu& gpu : catalogue().gpus()) {
    if (gpu.vendor == "NVIDIA") {
      INFO(gpu.name << ": " << gpu.architecture);
      CHECK(sm_limits(gpu, known).has_value());
    }
  }
  CHECK(sm_limits(gpu_named("H100-SXM5-80GB"), known)->capability == "9.0");
  CHECK(sm_limits(gpu_named("B200-SXM-180GB"), known)->capability == "10.0");
  CHECK(sm_limits(gpu_named("A10"), known)->capability == "8.6");
  CHECK_FALSE(sm_limits(gpu_named("MI300X"), known).has_value());
  Gpu wider = gpu_named("H100-SXM5-80GB");
  wider.registers_per_sm *= 2;
  CHECK(sm_limits(wider, known)->registers == 131072);
  wider.shared_memory_per_sm *= 2.0;
  CHECK(sm_limits(wider, known)->max_shared_per_block == (2.0 * 228.0 - 1.0) * 1024.0);
}

TEST_CASE("Occupancy limited by warps") {
  // 256 threads are 8 warps: 64 / 8 = 8 blocks. 32 registers x 32 = 1024 a warp: 64 warps fit 65536 exactly.
  const Occupancy full = occupancy(limits("9.0"), kernel(256, 32));
  CHECK(full.blocks == 8);
  CHECK(full.fraction == 1.0);
  CHECK(full.limit == SmResource::warps);
  // 1024 threads are 32 warps; 48 warps hold one such block (cc 8.6 and 8.9: 67 %), 64 hold two.
  CHECK(occupancy(limits("8.6"), kernel(1024, 32)).fraction == Approx(32.0 / 48.0));
  CHECK(occupancy(limits("8.9"), kernel(1024, 32)).fraction == Approx(32.0 / 48.0));
  CHECK(occupancy(limits("8.0"), kernel(1024, 32)).fraction == 1.0);
  // 100 threads take 4 warps: 16 blocks are 64 warps.
  CHECK(occupancy(limits("8.0"), kernel(100, 16)).blocks == 16);
}

TEST_CASE("Occupancy limited by registers") {
  // 64 registers x 32 = 2048 a warp: 65536 / 2048 = 32 warps, 4 blocks of 8.
  const Occupancy half = occupancy(limits("9.0"), kernel(256, 64));
  CHECK(half.blocks == 4);
  CHECK(half.fraction == 0.5);
  CHECK(half.limit == SmResource::registers);
  // 65 registers: 2080 rounded up to 2304; each of four files of 16384 holds 7 warps: 28, three blocks of 8.
  const Occupancy one_more = occupancy(limits("9.0"), kernel(256, 65));
  CHECK(one_more.by_registers == 3);
  CHECK(one_more.warps == 24);
  // 255 registers: 8160 rounded up to 8192; 2 warps a file, 8 warps: one block of 256 threads.
  CHECK(occupancy(limits("8.0"), kernel(256, 255)).blocks == 1);
  // 168 registers (FlashAttention-like) and 384 threads: 5376 a warp, 3 a file, 12 warps: one block.
  CHECK(occupancy(limits("9.0"), kernel(384, 168)).blocks == 1);
  CHECK(occupancy(limits("10.0"), kernel(384, 168)).fraction == Approx(12.0 / 64.0));
}

TEST_CASE("Occupancy limited by shared memory and by blocks") {
  // 48 KiB + 1 KiB reserved: 228 / 49 = 4 blocks on cc 9.0, 164 / 49 = 3 on 8.0, 100 / 49 = 2 on 8.9.
  CHECK(occupancy(limits("9.0"), kernel(128, 32, 49152)).blocks == 4);
  CHECK(occupancy(limits("9.0"), kernel(128, 32, 49152)).limit == SmResource::shared_memory);
  CHECK(occupancy(limits("8.0"), kernel(128, 32, 49152)).blocks == 3);
  CHECK(occupancy(limits("8.9"), kernel(128, 32, 49152)).blocks == 2);
  // The largest block takes the SM: 227 KiB on 9.0 and 10.0, 163 on 8.0, 99 on 8.6; one byte more does not
  // run.
  for (const auto& [capability, kib] : {std::pair<const char*, double>{"9.0", 227.0},
                                        {"10.0", 227.0},
                                        {"8.0", 163.0},
                                        {"8.6", 99.0},
                                        {"8.9", 99.0}}) {
    CHECK(occupancy(limits(capability), kernel(128, 32, kib * 1024.0)).blocks == 1);
    const Occupancy none = occupancy(limits(capability), kernel(128, 32, kib * 1024.0 + 1.0));
    CHECK(none.blocks == 0);
    CHECK(none.limit == SmResource::block_too_large);
  }
  // 32 threads: one warp a block; 32 blocks on 8.0 and 9.0 (50 %), 16 on 8.6 (33 %), 24 on 8.9 (50 %).
  CHECK(occupancy(limits("9.0"), kernel(32, 32)).fraction == 0.5);
  CHECK(occupancy(limits("9.0"), kernel(32, 32)).limit == SmResource::blocks);
  CHECK(occupancy(limits("8.6"), kernel(32, 32)).fraction == Approx(16.0 / 48.0));
  CHECK(occupancy(limits("8.9"), kernel(32, 32)).fraction == 0.5);
  CHECK(occupancy(limits("9.0"), kernel(2048, 32)).limit == SmResource::block_too_large);
  CHECK(occupancy(limits("9.0"), kernel(128, 256)).limit == SmResource::block_too_large);
}

TEST_CASE("More of any resource never adds a block") {
  for (const char* capability : {"8.0", "8.6", "8.9", "9.0", "10.0"}) {
    for (int threads = 32; threads <= 1024; threads += 96) {
      int last = 1 << 20;
      for (int registers = 16; registers <= 255; ++registers) {
        const Occupancy o = occupancy(limits(capability), kernel(threads, registers, 8192.0));
        CHECK(o.blocks <= last);
        CHECK(o.fraction <= 1.0);
        last = o.blocks;
      }
    }
  }
  Explanation why;
  (void)occupancy(limits("9.0"), kernel(256, 65), &why);
  CHECK(text(why).find("limited by registers") != std::string::npos);
}

TEST_CASE("Waves of a grid") {
  // 132 SMs x 2 blocks = 264 at once; 265 blocks take two rounds and half of the second is lost.
  CHECK(waves(264, 2, 132).whole == 1);
  CHECK(waves(264, 2, 132).efficiency == 1.0);
  CHECK(waves(265, 2, 132).whole == 2);
  CHECK(waves(265, 2, 132).efficiency == Approx(265.0 / 528.0));
  CHECK(waves(0, 2, 132).whole == 0);
}

TEST_CASE("Bandwidth by occupancy against published curves") {
  struct Point {
    const char* gpu;
    double occupancy, loads, stores, gigabytes;
  };
  // gpu-benches (RRZE-HPC 1038c5d), gpu-stream: doubles, one element a thread; read, scale and triad.
  for (const Point& p : {Point{"GH200-96GB", 0.25, 1, 0, 935}, Point{"GH200-96GB", 0.5, 1, 0, 1715},
                         Point{"GH200-96GB", 1.0, 1, 0, 2775}, Point{"GH200-96GB", 0.25, 2, 1, 2367},
                         Point{"GH200-96GB", 0.5, 2, 1, 3338}, Point{"GH200-96GB", 1.0, 2, 1, 3783},
                         Point{"A100-80GB-SXM4", 0.25, 1, 0, 615}, Point{"A100-80GB-SXM4", 0.5, 1, 0, 1119},
                         Point{"A100-80GB-SXM4", 1.0, 1, 0, 1776}, Point{"A100-80GB-SXM4", 0.25, 1, 1, 1025},
                         Point{"A100-80GB-SXM4", 0.5, 1, 1, 1577}, Point{"A100-80GB-SXM4", 1.0, 1, 1, 1737},
                         Point{"A100-80GB-SXM4", 0.25, 2, 1, 1571}, Point{"A100-80GB-SXM4", 0.5, 2, 1, 1697},
                         Point{"A100-80GB-SXM4", 1.0, 2, 1, 1794}}) {
    const KernelModel model = model_of(p.gpu);
    const double rate =
        bandwidth_at_occupancy(model, static_cast<int>(64 * p.occupancy), p.loads, p.stores, Bytes(8.0)).si();
    INFO(p.gpu << " " << p.occupancy << " " << p.loads << ": " << rate * 1e-9);
    CHECK(rate * 1e-9 == Approx(p.gigabytes).epsilon(0.12));
  }
}

TEST_CASE("Little's law: proportional while little is in flight, capped by the memory") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const auto rate = [&](int warps, double loads) {
    return bandwidth_at_occupancy(model, warps, loads, 0.0, Bytes(8.0)).si();
  };
  CHECK(rate(4, 1.0) / rate(2, 1.0) == Approx(2.0).epsilon(0.01));
  CHECK(rate(16, 1.0) == Approx(rate(4, 4.0)));  // instruction-level parallelism does what occupancy does
  CHECK(rate(64, 16.0) <= 4.8e12 * model.operations().memory.dram_share);
  CHECK(rate(64, 16.0) == Approx(4.8e12 * model.operations().memory.dram_share).epsilon(0.01));
  CHECK(rate(0, 1.0) == 0.0);
}

TEST_CASE("Coalescing: bytes used over sectors moved") {
  CHECK(coalescing_efficiency(1, 4) == 1.0);       // 128 B in 4 sectors
  CHECK(coalescing_efficiency(2, 4) == 0.5);       // every other element
  CHECK(coalescing_efficiency(8, 4) == 0.125);     // a sector each: 4 of 32 B
  CHECK(coalescing_efficiency(1000, 4) == 0.125);  // no worse than that
  CHECK(coalescing_efficiency(1, 1) == 1.0);       // 32 B, one sector
  CHECK(coalescing_efficiency(32, 1) == Approx(1.0 / 32.0));
  CHECK(coalescing_efficiency(4, 8) == 0.25);
  CHECK(coalescing_efficiency(2, 16) == 0.5);
  CHECK(coalescing_efficiency(0, 4) == 0.125);  // all threads read one element
}

TEST_CASE("Shared-memory bank conflicts") {
  CHECK(shared_memory_passes(1, 4) == 1);
  CHECK(shared_memory_passes(0, 4) == 1);  // broadcast
  CHECK(shared_memory_passes(2, 4) == 2);
  CHECK(shared_memory_passes(3, 4) == 1);  // odd strides visit every bank
  CHECK(shared_memory_passes(16, 4) == 16);
  CHECK(shared_memory_passes(32, 4) == 32);
  CHECK(shared_memory_passes(33, 4) == 1);  // a column of a 32 x 33 tile: padding cures it
  CHECK(shared_memory_passes(1, 1) == 1);   // four threads share a word
  CHECK(shared_memory_passes(1, 8) == 2);   // 256 B are two passes at best
  CHECK(shared_memory_passes(1, 16) == 4);
  CHECK(shared_memory_passes(2, 8) == 4);
}

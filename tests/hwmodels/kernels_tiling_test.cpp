// Tiles of a hand-written GEMM: traffic by hand arithmetic, and the best tile against the fitted library
// model.
#include <algorithm>

#include "hwmodels/kernels/tiling.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

SmLimits limits_of(const KernelModel& model) { return *sm_limits(model.gpu(), sm_limits(data_root())); }

}  // namespace

TEST_CASE("Traffic of a tiled GEMM, by hand") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const SmLimits sm = limits_of(model);
  // 2048 x 2048 x 2048 in 128 x 128 tiles, bf16: 16 x 16 = 256 tiles. From L2 each reads (128 + 128) x 2048
  // x 2 B = 1 MiB: 256 MiB. A and B are 8 MiB each and fit L2 (40 MB x 3/4 and more): memory gives them once,
  // and takes 8 MiB of D.
  const TiledGemm op{.m = 2048,
                     .n = 2048,
                     .k = 2048,
                     .tile_m = 128,
                     .tile_n = 128,
                     .tile_k = 32,
                     .stages = 3,
                     .strip = 8,
                     .threads = 256};
  const Tiling t = tiling(model, sm, op);
  constexpr double MiB = 1048576.0;
  CHECK(t.from_l2.si() == Approx(256.0 * MiB));
  CHECK(t.from_hbm.si() == Approx(24.0 * MiB));
  // 3 stages x 256 rows x 32 x 2 B = 48 KiB; 128 x 128 sums over 256 threads = 64 registers and 40 others.
  CHECK(t.shared_per_block.si() == 49152.0);
  CHECK(t.registers_per_thread == 104);
  // 65536 registers / (104 x 256 = 26624) = 2 blocks; shared memory would allow 164 KiB / 49 KiB = 3.
  CHECK(t.occupancy.blocks == 2);
  CHECK(t.occupancy.limit == SmResource::registers);
  // 256 tiles over 108 SMs x 2.
  CHECK(t.waves.exact == Approx(256.0 / 216.0));
  CHECK(t.waves.whole == 2);
}

TEST_CASE("Beyond L2, memory gives B once a strip") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const SmLimits sm = limits_of(model);
  // 16384 cubed: A and B are 512 MiB each. 128 rows of tiles in strips of 8: 16 strips read all of B; the
  // strip's A, 8 x 128 x 16384 x 2 B = 32 MiB, is more than three quarters of 40 MB, so each of the strip's
  // waves reads it again: 128 columns of tiles, 216 / 8 = 27 a wave, 128 / 27 waves.
  TiledGemm op{.m = 16384,
               .n = 16384,
               .k = 16384,
               .tile_m = 128,
               .tile_n = 128,
               .tile_k = 32,
               .stages = 3,
               .strip = 8,
               .threads = 256};
  const double matrix = 16384.0 * 16384.0 * 2.0;
  CHECK(tiling(model, sm, op).from_hbm.si() == Approx(16.0 * matrix + matrix * 128.0 / 27.0 + matrix));
  // In strips of 4 rows A stays (16 MiB) and is read once; B is read 32 times.
  op.strip = 4;
  CHECK(tiling(model, sm, op).from_hbm.si() == Approx(32.0 * matrix + matrix + matrix));
}

TEST_CASE("Larger tiles move less, a tile that no SM holds has no price") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  const SmLimits sm = limits_of(model);
  TiledGemm op{.m = 8192, .n = 8192, .k = 8192};
  double l2 = 1e30, time = 1e30;
  for (const int tile : {16, 32, 64, 128}) {
    op.tile_m = op.tile_n = tile;
    const std::optional<Price> price = price_tiled(model, sm, op);
    REQUIRE(price);
    CHECK(tiling(model, sm, op).from_l2.si() == Approx(2.0 * 8192.0 * 8192.0 * 8192.0 * 2.0 / tile));
    CHECK(tiling(model, sm, op).from_l2.si() < l2);
    CHECK(price->time.si() < time);
    l2 = tiling(model, sm, op).from_l2.si();
    time = price->time.si();
    CHECK(price->provenance == Provenance::physics);
    CHECK_FALSE(price->limiter == Limiter::launch);
  }
  op.tile_m = op.tile_n = 256;  // 65536 sums over 256 threads: 256 registers for them alone
  CHECK_FALSE(price_tiled(model, sm, op));
}

TEST_CASE("The best tile is near what the fitted GEMM takes") {
  for (const char* gpu : {"A100-80GB-SXM4", "H100-SXM5-80GB"}) {
    const KernelModel model = model_of(gpu);
    const SmLimits sm = limits_of(model);
    for (const std::int64_t size : {2048, 4096, 8192}) {
      double best = 1e30;
      for (const int rows : {64, 128, 256}) {
        for (const int columns : {64, 128, 256}) {
          for (const int threads : {128, 256, 384}) {
            const TiledGemm op{
                .m = size, .n = size, .k = size, .tile_m = rows, .tile_n = columns, .threads = threads};
            if (const std::optional<Price> price = price_tiled(model, sm, op)) {
              best = std::min(best, price->time.si());
            }
          }
        }
      }
      const double library = model.price(Gemm{.m = size, .n = size, .k = size}).time.si();
      INFO(gpu << " " << size << ": " << best / library);
      CHECK(best / library > 0.75);
      CHECK(best / library < 1.25);
    }
  }
}

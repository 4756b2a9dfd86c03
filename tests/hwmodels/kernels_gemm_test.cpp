#include <array>
#include <cmath>

#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

constexpr std::int64_t kRows[] = {1,    2,    4,    7,    8,    16,   17,   32,   48,   64,  65,
                                  96,   128,  129,  192,  256,  257,  384,  512,  640,  768, 1024,
                                  1025, 1536, 2048, 2560, 3072, 4096, 6144, 8192, 16384};
// (n, k) of QKV, O, gate-up and down projections of 7B to 70B models at TP 1 to 8.
constexpr std::array<std::pair<std::int64_t, std::int64_t>, 8> kShapes = {{{6144, 4096},
                                                                           {4096, 4096},
                                                                           {28672, 4096},
                                                                           {4096, 14336},
                                                                           {10240, 8192},
                                                                           {8192, 1024},
                                                                           {7168, 8192},
                                                                           {8192, 3584}}};

}  // namespace

TEST_CASE("A decode-shaped GEMM costs its weights over the achievable bandwidth, and a floor") {
  // One token against 8192 x 8192 bf16 weights on H100: 8192^2 x 2 B = 134 MB. 3.35 TB/s x ~0.9 makes 44 us,
  // and a kernel of a CUDA graph 2 to 5 us more.
  const KernelModel model = model_of("H100-SXM5-80GB");
  const Price price = model.price(Gemm{.m = 1, .n = 8192, .k = 8192});
  const double stream = 8192.0 * 8192.0 * 2.0 / model.achievable_bandwidth().si();
  CHECK(model.achievable_bandwidth().si() > 0.8 * 3.35e12);
  CHECK(model.achievable_bandwidth().si() < 3.36e12);
  CHECK(price.time.si() == Approx(stream + 3.5e-6).epsilon(0.2));
  CHECK(price.limiter == Limiter::hbm_bandwidth);
  CHECK(price.hbm_bytes.si() == Approx(8192.0 * 8192.0 * 2.0).epsilon(0.001));
  CHECK(price.flops.si() == 2.0 * 8192.0 * 8192.0);
  CHECK(price.fraction_of_peak > 0.75);
}

TEST_CASE("A large GEMM runs at what the best measured matrix products reach") {
  // Max achievable matmul of the catalogue's sources: A100 271, H100 794, B200 1745 TFLOPS in bf16.
  const std::pair<const char*, double> best[] = {
      {"A100-80GB-SXM4", 271e12}, {"H100-SXM5-80GB", 794e12}, {"B200-SXM-180GB", 1745e12}};
  for (const auto& [name, rate] : best) {
    INFO(name);
    const KernelModel model = model_of(name);
    const Price price = model.price(Gemm{.m = 8192, .n = 8192, .k = 8192});
    CHECK(price.limiter == Limiter::compute);
    const double reached = price.flops.si() / price.time.si();
    CHECK(reached > 0.75 * rate);
    CHECK(reached < 1.08 * rate);
    CHECK(model.achievable_matrix_rate(Precision::bf16).si() == Approx(reached));
  }
}

TEST_CASE("Time never drops by more than 3 % when m, n or k grows") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    for (const Precision p : {Precision::bf16, Precision::fp8}) {
      for (const auto& [n, k] : kShapes) {
        double largest = 0.0;
        for (const std::int64_t m : kRows) {
          const double t =
              microseconds(model.price(Gemm{.m = m, .n = n, .k = k, .activations = p, .weights = p}));
          INFO(name << " " << json::name_of(p) << " m=" << m << " n=" << n << " k=" << k);
          CHECK(t >= 0.97 * largest);
          largest = std::max(largest, t);
        }
      }
      for (const std::int64_t m : {1, 64, 1024}) {
        double by_n = 0.0, by_k = 0.0;
        for (std::int64_t size = 512; size <= 32768; size += 512) {
          const double tn =
              microseconds(model.price(Gemm{.m = m, .n = size, .k = 4096, .activations = p, .weights = p}));
          const double tk =
              microseconds(model.price(Gemm{.m = m, .n = 4096, .k = size, .activations = p, .weights = p}));
          INFO(name << " m=" << m << " size=" << size);
          CHECK(tn >= 0.97 * by_n);
          CHECK(tk >= 0.97 * by_k);
          by_n = std::max(by_n, tn);
          by_k = std::max(by_k, tk);
        }
      }
    }
  }
}

TEST_CASE("Twice the bandwidth about halves a memory-bound GEMM and leaves a compute-bound one") {
  Gpu fast = gpu_named("H200-SXM-141GB");
  const KernelModel model = model_of("H200-SXM-141GB");
  fast.memory_bandwidth *= 2.0;
  const KernelModel twice = KernelModel::for_gpu(fast, GPUPLAN_SOURCE_DIR);
  const Gemm streaming{.m = 1, .n = 28672, .k = 8192};
  const double ratio = microseconds(model.price(streaming)) / microseconds(twice.price(streaming));
  CHECK(ratio > 1.7);
  CHECK(ratio <= 2.0);
  const Gemm dense{.m = 8192, .n = 8192, .k = 8192};
  CHECK(microseconds(twice.price(dense)) == Approx(microseconds(model.price(dense))).epsilon(0.08));
  // A GPU that does not exist was not measured.
  CHECK(model.price(streaming).provenance == Provenance::measured);
  CHECK(twice.price(streaming).provenance == Provenance::physics);
  CHECK(twice.price(streaming).relative_error > model.price(streaming).relative_error);
}

TEST_CASE("Parts bound the time: no price is below any of its parts") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    for (const std::int64_t m : kRows) {
      const Price p = model.price(Gemm{.m = m, .n = 6144, .k = 4096});
      CHECK(p.time >= p.compute);
      CHECK(p.time >= p.hbm);
      CHECK(p.time >= p.l2);
      CHECK(p.time >= p.fixed);
      CHECK(p.fraction_of_peak > 0.0);
      CHECK(p.fraction_of_peak <= 1.0);
    }
  }
}

TEST_CASE("Narrow weights read fewer bytes, weight-only compute stays in 16 bit") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  const Gemm bf16{.m = 1, .n = 16384, .k = 8192};
  const Gemm int4{.m = 1, .n = 16384, .k = 8192, .activations = Precision::bf16, .weights = Precision::int4};
  CHECK(model.price(int4).hbm_bytes.si() == Approx(16384.0 * 8192.0 * (0.5 + 2.0 / 128.0)).epsilon(0.001));
  // Measured: 2.2x at one row, about nothing left at 128 rows and more.
  CHECK(microseconds(model.price(bf16)) / microseconds(model.price(int4)) > 1.6);
  const double many =
      microseconds(model.price(Gemm{.m = 4096, .n = 16384, .k = 8192})) /
      microseconds(model.price(Gemm{
          .m = 4096, .n = 16384, .k = 8192, .activations = Precision::bf16, .weights = Precision::int4}));
  CHECK(many < 1.1);
  // A100 has no fp8 unit: weights in fp8 are computed in 16 bit, and the price says that nobody measured it.
  const Price fp8 = model.price(
      Gemm{.m = 1, .n = 16384, .k = 8192, .activations = Precision::fp8, .weights = Precision::fp8});
  CHECK(fp8.hbm_bytes.si() == Approx(16384.0 * 8192.0).epsilon(0.01));
  CHECK(microseconds(fp8) < microseconds(model.price(bf16)));
}

TEST_CASE("An explanation holds the numbers of the price") {
  const KernelModel model = model_of("H200-SXM-141GB");
  Explanation why;
  const Price price = model.price(Gemm{.m = 16, .n = 4096, .k = 4096}, &why);
  const std::string lines = text(why);
  INFO(lines);
  char time[32];
  std::snprintf(time, sizeof time, "= %.2f us", microseconds(price));
  CHECK(lines.find(time) != std::string::npos);
  CHECK(lines.find("m=16 n=4096 k=4096") != std::string::npos);
  CHECK(lines.find("5.369e+08 FLOP") != std::string::npos);  // 2 x 16 x 4096^2
  CHECK(lines.find("H200-SXM-141GB") != std::string::npos);
  CHECK(lines.find("measured") != std::string::npos);
  // Asking why does not change the price.
  CHECK(model.price(Gemm{.m = 16, .n = 4096, .k = 4096}).time == price.time);
}

TEST_CASE("Outside the measured range a price says so") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const Price inside = model.price(Gemm{.m = 4096, .n = 8192, .k = 8192});
  const Price outside = model.price(Gemm{.m = 1'000'000, .n = 8192, .k = 8192});
  CHECK_FALSE(inside.outside_measured_range);
  CHECK(outside.outside_measured_range);
  CHECK(outside.relative_error > inside.relative_error);
  CHECK(outside.spread80 > inside.spread80);
}

TEST_CASE("Time does not drop where a deeper k allows more splits") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    for (const std::int64_t n : {1024, 4096, 8192}) {
      double largest = 0.0;
      for (std::int64_t k = 64; k <= 16384; k += 64) {
        const double t = microseconds(model.price(Gemm{.m = 1, .n = n, .k = k}));
        INFO(name << " n=" << n << " k=" << k);
        CHECK(t >= 0.995 * largest);
        largest = std::max(largest, t);
      }
    }
  }
}

TEST_CASE("Activations that arrive quantised save the pass over them") {
  const KernelModel model = model_of("H200-SXM-141GB");
  Gemm op{.m = 2048, .n = 8192, .k = 8192, .activations = Precision::fp8, .weights = Precision::fp8};
  const Price with_pass = model.price(op);
  op.quantised = true;
  const Price without = model.price(op);
  CHECK(without.time < with_pass.time);
  // The pass reads 2048 x 8192 elements of 2 B and writes 1 B each.
  CHECK((with_pass.hbm_bytes - without.hbm_bytes).si() == Approx(2048.0 * 8192.0 * 3.0));
  // Nobody measured the one without the other.
  CHECK(with_pass.provenance == Provenance::measured);
  CHECK(without.provenance == Provenance::physics);
  CHECK(without.spread80 > with_pass.spread80);
  // 16 bit has no such pass.
  const Gemm plain{.m = 2048, .n = 8192, .k = 8192};
  Gemm same = plain;
  same.quantised = true;
  CHECK(model.price(same).time == model.price(plain).time);
}

TEST_CASE("Less power for the same peak slows what computes, and leaves what streams") {
  Gpu capped = gpu_named("H100-SXM5-80GB");
  capped.tdp /= 2.0;
  const KernelModel full = model_of("H100-SXM5-80GB");
  const KernelModel half = KernelModel::for_gpu(capped, GPUPLAN_SOURCE_DIR);
  const Gemm dense{.m = 8192, .n = 8192, .k = 8192}, streaming{.m = 1, .n = 16384, .k = 8192};
  // Half of the power: each FLOP takes sqrt(2) - 1 of its time at peak longer at once, and under long load
  // the droop d of the fit becomes (1 + d) sqrt(2) - 1.
  const double added = microseconds(half.price(dense)) - microseconds(full.price(dense));
  const double at_peak = 1e6 * 2.0 * 8192.0 * 8192.0 * 8192.0 / 989.4e12;
  CHECK(added > (std::sqrt(2.0) - 1.0) * at_peak);
  CHECK(added < (2.0 - 1.0) * microseconds(full.price(dense)));
  const Gemm longest{.m = 65536, .n = 65536, .k = 65536};
  const double longer = half.price(longest).time / full.price(longest).time;
  CHECK(longer > 1.5);
  CHECK(longer < 2.0);
  CHECK(half.price(streaming).time.si() == Approx(full.price(streaming).time.si()).epsilon(0.01));
  CHECK(half.price(dense).provenance == Provenance::physics);
  // More power takes back the droop, no more.
  capped.tdp *= 8.0;
  const KernelModel ample = KernelModel::for_gpu(capped, GPUPLAN_SOURCE_DIR);
  CHECK(ample.price(dense).time < full.price(dense).time);
  CHECK(ample.price(dense).time.si() > 1e-6 * at_peak);
}

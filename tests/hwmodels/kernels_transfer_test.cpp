// Constants of GPUs that nobody measured: whose they are, what changes on the way, and that nothing changes
// for a GPU that was measured.
#include <cmath>

#include "hwmodels/kernels/transfer.h"
#include "tests/hwmodels/kernels_testing.h"

namespace gpuplan::kernels {

namespace {

std::string donor_of(const std::string& gpu, LeaveOut leave_out = LeaveOut::nothing) {
  return KernelModel::for_gpu(gpu_named(gpu), GPUPLAN_SOURCE_DIR, leave_out).profile().gpu;
}

KernelProfile stored_profile(const std::string& name) {
  const std::string path = std::string(GPUPLAN_SOURCE_DIR) + "/calibrate/profiles/" + name + ".json";
  KernelProfile profile;
  std::vector<Problem> problems;
  json::read(json::parse_file(path), path, profile, problems);
  REQUIRE(problems.empty());
  return profile;
}

const Gemm kDense{.m = 8192, .n = 8192, .k = 8192};
const Gemm kStreaming{.m = 1, .n = 65536, .k = 8192};

}  // namespace

TEST_CASE("How matrix units are fed follows from their width") {
  // bf16 FLOP a clock and SM: 312e12 / (108 x 1.41e9) = 2049, 989.4e12 / (132 x 1.83e9) = 4096,
  // 2250e12 / (148 x 1.965e9) = 7737, 362e12 / (142 x 2.52e9) = 1012.
  CHECK(matrix_width(gpu_named("A100-80GB-SXM4")) == Approx(2049.0).epsilon(0.001));
  CHECK(matrix_width(gpu_named("L40S")) == Approx(1012.0).epsilon(0.001));
  const auto feed = [](const char* name) { return matrix_feed(matrix_width(gpu_named(name))); };
  for (const char* name : {"A100-80GB-SXM4", "A10", "L40S", "L4", "RTX-4090", "V100-SXM2-32GB",
                           "Jetson-AGX-Orin-64GB", "RTX-PRO-6000-96GB"}) {
    INFO(name);
    CHECK(feed(name) == MatrixFeed::registers);
  }
  for (const char* name : {"H100-SXM5-80GB", "H100-PCIe-80GB", "H100-NVL-94GB", "GH200-96GB"}) {
    INFO(name);
    CHECK(feed(name) == MatrixFeed::shared_memory);
  }
  for (const char* name : {"B200-SXM-180GB", "GB200", "B300-SXM-288GB", "Jetson-AGX-Thor-T5000"}) {
    INFO(name);
    CHECK(feed(name) == MatrixFeed::tensor_memory);
  }
}

TEST_CASE("A GPU without a profile takes its sibling's constants, else those of the same kind of units") {
  CHECK(donor_of("GH200-96GB") == "H200-SXM-141GB");
  CHECK(donor_of("GB200") == "B200-SXM-180GB");
  CHECK(donor_of("H100-PCIe-80GB") == "H100-SXM5-80GB");
  CHECK(donor_of("L40S") == "A100-80GB-SXM4");
  CHECK(donor_of("RTX-PRO-6000-96GB") == "A100-80GB-SXM4");  // Blackwell by name, but fed from registers
  CHECK(donor_of("H100-SXM5-80GB") == "H100-SXM5-80GB");
  CHECK(donor_of("H100-SXM5-80GB", LeaveOut::gpu) == "H200-SXM-141GB");
  CHECK(donor_of("H200-SXM-141GB", LeaveOut::gpu) == "H100-SXM5-80GB");
  CHECK(donor_of("H100-SXM5-80GB", LeaveOut::architecture) == "B200-SXM-180GB");
  // H200 has the bandwidth for its peak that is nearest to either's: 4.9 B a kFLOP; A100 6.5, B200 3.6.
  CHECK(donor_of("A100-80GB-SXM4", LeaveOut::gpu) == "H200-SXM-141GB");
  CHECK(gpu_named("B200-SXM-180GB").name != donor_of("B200-SXM-180GB", LeaveOut::gpu));
}

TEST_CASE("A measured GPU is priced with its profile as it is stored, to the last bit") {
  const std::string names[][2] = {{"A100-80GB-SXM4", "a100-sxm-80gb"},
                                  {"H100-SXM5-80GB", "h100-sxm"},
                                  {"H200-SXM-141GB", "h200-sxm"},
                                  {"B200-SXM-180GB", "b200-sxm"}};
  for (const auto& [gpu, profile] : names) {
    INFO(gpu);
    const KernelModel shipped = model_of(gpu);
    const KernelModel stored(gpu_named(gpu), stored_profile(profile));
    const auto same_price = [](const Price& a, const Price& b) {
      CHECK(a.time == b.time);
      CHECK(a.spread80 == b.spread80);
      CHECK(a.provenance == b.provenance);
    };
    for (const std::int64_t m : {1, 64, 1000, 8192}) {
      const Gemm gemm{.m = m, .n = 6144, .k = 4096};
      same_price(shipped.price(gemm), stored.price(gemm));
      const AttentionPrefill prefill{.queries = m, .context = m, .heads = 32, .kv_heads = 8};
      same_price(shipped.price(prefill), stored.price(prefill));
      const AttentionDecode decode{.batch = m, .context = 2000.0, .heads = 32, .kv_heads = 8};
      same_price(shipped.price(decode), stored.price(decode));
    }
    CHECK(shipped.price(kDense).provenance == Provenance::measured);
  }
}

TEST_CASE("Left out, a measured GPU is physics with wider errors, and its scattered measurements go too") {
  for (const std::string& name : kMeasuredGpus) {
    INFO(name);
    const Gpu& gpu = gpu_named(name);
    const Price known = model_of(name).price(kDense);
    const Price sibling = KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR, LeaveOut::gpu).price(kDense);
    const Price alone = KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR, LeaveOut::architecture).price(kDense);
    CHECK(sibling.provenance == Provenance::physics);
    CHECK(sibling.relative_error > known.relative_error);
    CHECK(sibling.spread80 > known.spread80);
    CHECK(alone.spread80 >= 0.14);
    CHECK(sibling.time.si() == Approx(known.time.si()).epsilon(0.2));
    CHECK(alone.time.si() == Approx(known.time.si()).epsilon(0.25));
    for (const LeaveOut leave_out : {LeaveOut::gpu, LeaveOut::architecture}) {
      const OperationConstants c = OperationConstants::for_gpu(gpu, GPUPLAN_SOURCE_DIR, leave_out);
      CHECK(c.memory.gpu != name);
      CHECK(c.standard_attention.gpu != name);
      CHECK(c.sparse.front().gpu != name);
    }
  }
}

TEST_CASE("Never seen: twice the datasheet's bandwidth halves a memory-bound GEMM") {
  for (const char* name : {"L40S", "GB200", "GH200-96GB", "RTX-4090"}) {
    INFO(name);
    Gpu fast = gpu_named(name);
    fast.memory_bandwidth *= 2.0;
    const double before = microseconds(model_of(name).price(kStreaming));
    const double after = microseconds(KernelModel::for_gpu(fast, GPUPLAN_SOURCE_DIR).price(kStreaming));
    // What does not halve: launch, the start and drain of the stream (under 10 us), half hidden compute.
    CHECK(after > 0.5 * before);
    CHECK(after < 0.5 * before + 15.0 + 0.05 * before);
  }
}

TEST_CASE("Never seen: twice the SMs and their peak, bandwidth and power, half the time") {
  Gpu twice = gpu_named("L40S");
  twice.sm_count *= 2;
  twice.memory_bandwidth *= 2.0;
  twice.tdp *= 2.0;
  for (auto& peak : twice.matrix_peak) {
    if (peak) {
      *peak *= 2.0;
    }
  }
  const KernelModel one = model_of("L40S"), two = KernelModel::for_gpu(twice, GPUPLAN_SOURCE_DIR);
  CHECK(two.price(kDense).time.si() == Approx(0.5 * one.price(kDense).time.si()).epsilon(0.06));
}

TEST_CASE("Clocks carry over, microseconds do not, shares stay") {
  const KernelProfile donor = stored_profile("a100-sxm-80gb");
  const KernelProfile here = transferred(donor, gpu_named("L40S"));
  const double shorter = 1410.0 / 2520.0;
  CHECK(here.gemm[0].step == Approx(donor.gemm[0].step * shorter));
  CHECK(here.gemm[0].wave_overhead == Approx(donor.gemm[0].wave_overhead * shorter));
  CHECK(here.gemm[0].t0 == donor.gemm[0].t0);
  CHECK(here.gemm[0].hbm_efficiency == donor.gemm[0].hbm_efficiency);
  CHECK(here.gemm[0].mma_efficiency == donor.gemm[0].mma_efficiency);
  CHECK(here.decode[0].wave == Approx(donor.decode[0].wave * shorter));
  CHECK(here.prefill[0].block_overhead == Approx(donor.prefill[0].block_overhead * shorter));
  // Another library kernel for a shape: no curves across families, all of them within.
  CHECK(here.gemm[0].correction.curves.empty());
  const KernelProfile blackwell = stored_profile("b200-sxm");
  CHECK(transferred(blackwell, gpu_named("GB200")).gemm[0].correction.curves.size() ==
        blackwell.gemm[0].correction.curves.size());
}

TEST_CASE("Registers feed whole waves and show their soft-max, pairs of SMs need tensor memory") {
  const KernelProfile from_blackwell = transferred(stored_profile("b200-sxm"), gpu_named("A100-80GB-SXM4"));
  CHECK_FALSE(from_blackwell.gemm[0].pair_tiles);
  CHECK(from_blackwell.gemm[0].wave_smoothing <= 0.2);
  // Two loads of 0.6 us, and 65536 B at 38 B a clock of 1.41 GHz: 1.2 + 1.22 us.
  CHECK(from_blackwell.gemm[0].wave_overhead == Approx(2.42).epsilon(0.01));
  // 16384 scores: an exponential at 16 a clock and six operations on 64 lanes are 2560 clocks, 1.82 us.
  CHECK(from_blackwell.prefill[0].block_overhead == Approx(1.82).epsilon(0.01));
  const KernelProfile hopper = stored_profile("h200-sxm");
  const KernelProfile from_hopper = transferred(hopper, gpu_named("B200-SXM-180GB"));
  CHECK(from_hopper.gemm[0].pair_tiles);
  CHECK(from_hopper.gemm[0].wave_smoothing == hopper.gemm[0].wave_smoothing);
}

TEST_CASE("Power: the clock follows what is missing, and the root of what is more") {
  const KernelProfile ampere = stored_profile("a100-sxm-80gb"), hopper = stored_profile("h100-sxm");
  // 300 of 400 W, of which 0.89 are needed.
  const Power pcie = power_of(ampere, gpu_named("A100-80GB-PCIe"));
  CHECK(pcie.clock == Approx(0.75 / 0.89).epsilon(0.001));
  CHECK(pcie.sustained == 1.0);
  // 350 W for 756.5 TFLOP/s where H100 has 700 W for 989.4: 0.654, half of it as a factor at once.
  const Power hopper_pcie = power_of(hopper, gpu_named("H100-PCIe-80GB"));
  CHECK(hopper_pcie.clock == Approx(std::sqrt(0.654)).epsilon(0.001));
  CHECK(hopper_pcie.clock * hopper_pcie.sustained == Approx(0.654).epsilon(0.001));
  CHECK(hopper_pcie.droop(0.0) == Approx(1.0 / std::sqrt(0.654) - 1.0).epsilon(0.001));
  // 72 W for 121 TFLOP/s: 0.464 of A100's power for its peak.
  CHECK(power_of(ampere, gpu_named("L4")).lack() == Approx(0.89 / 0.464 - 1.0).epsilon(0.002));
  // 1000 W for 2250 TFLOP/s and 0.73 of the energy each: 0.628 / 0.73 of Hopper's.
  const Power blackwell = power_of(hopper, gpu_named("B200-SXM-180GB"));
  CHECK(blackwell.clock * blackwell.sustained == Approx(0.860).epsilon(0.002));
  CHECK(power_of(ampere, gpu_named("RTX-4090")).lack() == 0.0);
  CHECK(power_of(ampere, gpu_named("RTX-4090")).clock > 1.0);
  const Power own = power_of(hopper, gpu_named("H100-SXM5-80GB"));
  CHECK(own.clock == 1.0);
  CHECK(own.sustained == 1.0);
}

TEST_CASE("An explanation says that constants were carried over") {
  Explanation why;
  (void)model_of("L40S").price(kDense, &why);
  CHECK(text(why).find("carried over") != std::string::npos);
  CHECK(text(why).find("A100-80GB-SXM4") != std::string::npos);
}

}  // namespace gpuplan::kernels

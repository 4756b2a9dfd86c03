// Changes of a die: what they do, what they cannot, and the catalogue GPU that they make.
#include <cmath>

#include "tests/hwmodels/silicon_testing.h"

using namespace gpuplan;
using namespace gpuplan::silicon;

namespace {

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

// The catalogue GPU as changed.
Gpu changed_gpu(const std::string& name, const SiliconChange& change) {
  const Gpu* gpu = catalogue().gpu(name);
  REQUIRE(gpu != nullptr);
  return with_overrides(*gpu, shipped().catalogue_overrides(*gpu, change), "$.gpu");
}

std::string refusal(const std::string& gpu, const SiliconChange& change) {
  try {
    (void)shipped().apply(shipped().design_of(gpu), change);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

double tflops(const Gpu& gpu, Precision p) { return gpu.peak(p).value_or(FlopsPerSecond()).si() * 1e-12; }

SiliconChange change_from(const char* text) {
  SiliconChange change;
  std::vector<Problem> problems;
  json::read(json::parse(text, "t"), "$.change", change, problems);
  if (!problems.empty()) {
    throw InputError(problems);
  }
  return change;
}

}  // namespace

TEST_CASE("change: none is none") {
  const Design same = shipped().apply(shipped().design_of("H100-SXM5-80GB"), {});
  CHECK(json::write(same.die) == json::write(die_named("GH100")));
  const Gpu* gpu = catalogue().gpu("H100-SXM5-80GB");
  REQUIRE(gpu != nullptr);
  CHECK(shipped().catalogue_overrides(*gpu, {}).object().empty());
}

TEST_CASE("change: SMs, and how many must work") {
  // GH100 has 144 of which an H100 needs 132, 66 of 72 TPCs; with 16 SMs more, 80 TPCs: 66/72 x 80 = 73.3.
  const Design more = shipped().apply(shipped().design_of("H100-SXM5-80GB"), {.sms = 16});
  CHECK(more.die.sm_count.value == 160.0);
  CHECK(more.product.sm_enabled == 146);
  const Gpu gpu = changed_gpu("H100-SXM5-80GB", {.sms = 16});
  CHECK(gpu.sm_count == 146);
  CHECK(tflops(gpu, Precision::bf16) == Approx(989.4 * 146.0 / 132.0));
  CHECK(tflops(gpu, Precision::fp8) == Approx(1978.9 * 146.0 / 132.0));
  CHECK(refusal("H100-SXM5-80GB", {.sms = 3}).find("$.change.sms: found 3; expected a multiple of 2") == 0);
  CHECK(refusal("H100-SXM5-80GB", {.sms = -144}).find("some SMs left") != std::string::npos);
}

TEST_CASE("change: formats come and go") {
  const Gpu a100 = changed_gpu("A100-80GB-SXM4", {.fp8_rate = 2.0});
  CHECK(tflops(a100, Precision::fp8) == Approx(624.0));
  CHECK(tflops(a100, Precision::fp8_block) == Approx(624.0));
  const Gpu h100 = changed_gpu("H100-SXM5-80GB", {.fp8_rate = 0.0, .int4_rate = 4.0, .fp4_rate = 4.0});
  CHECK_FALSE(h100.peak(Precision::fp8));
  CHECK(tflops(h100, Precision::int4) == Approx(4 * 989.4));
  CHECK(tflops(h100, Precision::nvfp4) == Approx(4 * 989.4));
  CHECK(changed_gpu("H100-SXM5-80GB", {.sparsity = false}).sparse_factor == 1.0);
  CHECK(changed_gpu("H100-SXM5-80GB", {.sparsity = true}).sparse_factor == 2.0);
  // With more SMs the peak that the change sets follows them: 2 x 312 x 122/108.
  const Gpu both = changed_gpu("A100-80GB-SXM4", {.fp8_rate = 2.0, .sms = 16});
  CHECK(both.sm_count == 122);
  CHECK(tflops(both, Precision::fp8) == Approx(2 * 312.0 * 122.0 / 108.0));
}

TEST_CASE("change: FP64 lanes over FP32 lanes") {
  const Gpu full = changed_gpu("A100-80GB-SXM4", {.fp64_rate = 1.0});
  CHECK(full.vector_fp64_peak.si() == Approx(19.5e12));
  CHECK(tflops(full, Precision::fp64) == Approx(39.0));
  const Gpu none = changed_gpu("A100-80GB-SXM4", {.fp64_rate = 0.0});
  CHECK(none.vector_fp64_peak.si() == 0.0);
  CHECK_FALSE(none.peak(Precision::fp64));
  CHECK(refusal("MI210", {.fp64_rate = 0.5}).find("FP32 runs on the FP64 lanes") != std::string::npos);
}

TEST_CASE("change: L2, shared memory, registers") {
  // An H100 has 50 of 60 MiB: 12 more on the die are 10 more in the product.
  const Gpu gpu = changed_gpu(
      "H100-SXM5-80GB", {.l2_mib = 12.0, .shared_memory_kib_per_sm = 32.0, .register_kib_per_sm = 64.0});
  CHECK(gpu.l2.si() / 1048576.0 == Approx(60.0));
  CHECK(gpu.shared_memory_per_sm.si() / 1024.0 == Approx(260.0));
  CHECK(gpu.registers_per_sm == 81920);  // 64 KiB are 16384 registers
  CHECK(refusal("H100-SXM5-80GB", {.l2_mib = -60.0}).find("some L2 left") != std::string::npos);
  CHECK(refusal("H100-SXM5-80GB", {.shared_memory_kib_per_sm = -300.0})
            .find("$.change.shared_memory_kib_per_sm") == 0);
  CHECK(refusal("H100-SXM5-80GB", {.register_kib_per_sm = -256.0}).find("$.change.register_kib_per_sm") == 0);
}

TEST_CASE("change: the sixth HBM site is there, a seventh has no room") {
  const Design h100 = shipped().design_of("H100-SXM5-80GB");
  const Design six = shipped().apply(h100, {.hbm_stacks = 1});
  CHECK(six.die.hbm_sites.value == 6.0);
  CHECK(six.product.hbm_enabled == 6);
  CHECK(six.product.memory_gb == Approx(96.0));
  const Gpu gpu = changed_gpu("H100-SXM5-80GB", {.hbm_stacks = 1});
  CHECK(gpu.memory.si() == Approx(96e9));
  CHECK(gpu.memory_bandwidth.si() == Approx(3352e9 * 6 / 5));
  // A stack at 670 GB/s and 5 pJ/bit draws 27 W, and 5 W idle.
  CHECK(gpu.tdp.si() == Approx(700.0 + 3352e9 / 5 * 8 * 5e-12 + 5.0));
  // No die is longer than 33 mm: three sites of 10 mm on either side.
  const std::string why = refusal("H100-SXM5-80GB", {.hbm_stacks = 2});
  CHECK(why.find("$.change.hbm_stacks: found 7 HBM sites; expected at most 6") == 0);
  CHECK(refusal("H200-SXM-141GB", {.hbm_stacks = 1}).find("found 7 HBM sites") != std::string::npos);
  // Fewer stacks take their sites along, so that something is paid back.
  const Design four = shipped().apply(h100, {.hbm_stacks = -1});
  CHECK(four.die.hbm_sites.value == 5.0);
  CHECK(four.product.hbm_enabled == 4);
  CHECK(refusal("H100-SXM5-80GB", {.hbm_stacks = -5}).find("some stack left") != std::string::npos);
}

TEST_CASE("change: a die that shrinks must still hold its memory") {
  // Without 60 SMs a GH100 is some 600 mm2, at most sqrt(1.6 x 600) = 31 mm long: six sites fit. Without 100
  // it is some 460 mm2 and 27 mm: four.
  CHECK(refusal("H100-SXM5-80GB", {.sms = -60}).empty());
  CHECK(refusal("H100-SXM5-80GB", {.sms = -100})
            .find("$.change.hbm_stacks: found 6 HBM sites; expected at most 4") == 0);
  CHECK(refusal("H100-SXM5-80GB", {.sms = -100, .hbm_stacks = -2}).empty());
}

TEST_CASE("change: links use what is idle first, and need edge") {
  // An H100 NVL leaves 6 of 18 links unused.
  const Design nvl = shipped().apply(shipped().design_of("H100-NVL-94GB"), {.nvlinks = 6});
  CHECK(nvl.die.links.value == 18.0);
  CHECK(nvl.product.links_enabled == 18);
  const Gpu gpu = changed_gpu("H100-SXM5-80GB", {.nvlinks = 2});
  CHECK(gpu.scale_up_links == 20);
  CHECK(gpu.scale_up_bandwidth.si() == Approx(500e9));
  // 100 links are 100 x 2 x 0.4825 mm2 / 1.5 mm = 64 mm of edge; two short edges have 50.
  CHECK(refusal("H100-SXM5-80GB", {.nvlinks = 100}).find("$.change.nvlinks") == 0);
  CHECK(refusal("H100-SXM5-80GB", {.nvlinks = -19}).find("no fewer links than none") != std::string::npos);
  CHECK(shipped().apply(shipped().design_of("H100-SXM5-80GB"), {.nvlinks = -18}).die.links.value == 0.0);
}

TEST_CASE("change: several mistakes are told at once") {
  const std::string why = refusal("H100-SXM5-80GB", {.sms = 1, .l2_mib = -1000.0, .hbm_stacks = -9});
  CHECK(why.find("$.change.sms") != std::string::npos);
  CHECK(why.find("$.change.l2_mib") != std::string::npos);
  CHECK(why.find("$.change.hbm_stacks") != std::string::npos);
}

TEST_CASE("change: read from JSON, mistakes with path and nearest name") {
  const SiliconChange change =
      change_from(R"({"fp8_rate": 2, "narrow_path": "shared", "sparsity": false, "l2_mib": -8, "sms": 4})");
  CHECK(change.fp8_rate == 2.0);
  CHECK(change.narrow_path == Datapath::shared);
  CHECK(change.sparsity == false);
  CHECK(change.l2_mib == -8.0);
  CHECK_FALSE(change.int4_rate);
  CHECK_THROWS_WITH(change_from(R"({"l2_mb": 8})"), Catch::Contains("did you mean l2_mib"));
  CHECK_THROWS_WITH(change_from(R"({"fp64_rate": 2})"), Catch::Contains("$.change.fp64_rate: found 2"));
  CHECK_THROWS_WITH(change_from(R"({"narrow_path": "share"})"), Catch::Contains("did you mean shared"));
}

TEST_CASE("change: every change of every product either applies or says why") {
  const SiliconChange changes[] = {
      {.fp8_rate = 2.0}, {.int4_rate = 0.0}, {.sparsity = true}, {.fp64_rate = 0.5}, {.sms = -4},
      {.l2_mib = 4.0},   {.nvlinks = 1},     {.hbm_stacks = -1}, {.hbm_stacks = 9},  {.sms = 100000}};
  for (const std::string& name : shipped().gpu_names()) {
    const Gpu* gpu = catalogue().gpu(name);
    for (const SiliconChange& change : changes) {
      INFO(name << " " << json::dump(json::write(change)));
      const std::string why = refusal(name, change);
      if (!why.empty()) {
        CHECK(why.find("$.change.") == 0);
      } else if (gpu != nullptr) {
        CHECK_NOTHROW(with_overrides(*gpu, shipped().catalogue_overrides(*gpu, change), "$.gpu"));
      }
    }
  }
}

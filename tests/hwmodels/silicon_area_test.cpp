// Areas: each block by hand, GA100's photograph, and the dies that nothing was fitted to.
#include <cmath>

#include "hwmodels/silicon/area.h"
#include "tests/hwmodels/silicon_testing.h"

using namespace gpuplan;
using namespace gpuplan::silicon;

namespace {

// All inputs of N7 at their medians, without the parts that only GA100's calibration needs.
Inputs<double> plain_n7() {
  Inputs<double> in = medians("N7");
  in.block.fp64_matrix_own = 0.0;
  return in;
}

double error(double model, double measured) { return model / measured - 1.0; }

double anchored(const DieSpec& die, const DieSpec& from) {
  const Inputs<double> in = medians(from.process);
  return die_areas(die, in).total() - die_areas(from, in).total();
}

}  // namespace

TEST_CASE("area: SRAM in units of half a MiB, by hand") {
  // 1 MiB = 8388608 bits x 0.17 um2 / 0.602 = 2.369 mm2 (N7); 0.125 um2: 1.742 mm2 (N5).
  CHECK(sram_mm2(1048576, 0.17) == Approx(8388608 * 0.17e-6 / 0.602));
  CHECK(sram_mm2(1048576, 0.17) == Approx(2.369).epsilon(1e-3));
  CHECK(sram_mm2(1048576, 0.125) == Approx(1.742).epsilon(1e-3));
  // 2 mm2 are 0.84 MB of L2 at N7 and 1.15 at N5.
  CHECK(2.0 / sram_mm2(1048576, 0.17) == Approx(0.844).epsilon(1e-3));
  CHECK(2.0 / sram_mm2(1048576, 0.125) == Approx(1.148).epsilon(1e-3));
  // 128 KiB has the best efficiency, 0.704.
  CHECK(sram_mm2(131072, 0.17) == Approx(1048576 * 0.17e-6 / 0.704));
}

TEST_CASE("area: more SRAM never takes less area") {
  double before = 0.0;
  for (double kib = 1.0; kib <= 2048.0; kib += 1.0) {
    const double area = sram_mm2(kib * 1024.0, 0.17);
    INFO(kib);
    CHECK(area >= before);
    before = area;
  }
  CHECK(sram_mm2(0.0, 0.17) == 0.0);
}

TEST_CASE("area: a register file of 64 KiB, by hand") {
  // The polynomial for 16384 registers of 32 bits and 4 ports, term by term, in um2 at 90 nm:
  const double um2 = 32900.0 - 1090.0 * 16384 - 883.0 * 32 - 5550.0 * 4 + 53.5 * 16384 * 32 +
                     0.015 * 16384 * 16384 + 0.0108 * 32 * 32 + 0.586 * 16 + 142.0 * 16384 * 4 +
                     368.0 * 32 * 4;
  CHECK(um2 == Approx(23.55e6).epsilon(1e-3));
  CHECK(register_file_mm2(16384, 96.3) == Approx(um2 * 1e-6 * 1.6 / 96.3));
  CHECK(register_file_mm2(16384, 96.3) == Approx(0.391).epsilon(2e-3));
}

TEST_CASE("area: GA100's multipliers, by hand") {
  const DieAreas a = die_areas(die_named("GA100"), plain_n7());
  // 128 SMs x 32 lanes x 0.6853 million transistors / 96.3 per mm2 = 29.1 mm2, 3.5 % of the die.
  CHECK(a.of(Block::fp64_lanes) == Approx(128 * 32 * 0.6853 / 96.3));
  CHECK(a.of(Block::fp64_lanes) / 826.0 == Approx(0.035).epsilon(0.01));
  // fp32 is (23/52)^2 of fp64: 128 x 64 x 0.1341 / 96.3 = 11.4 mm2.
  CHECK(a.of(Block::fp32_lanes) == Approx(128 * 64 * 0.6853 * 23 * 23 / (52.0 * 52.0) / 96.3));
  // The fp16 array, 128 x 1024 x 0.02534 / 96.3 = 34.5 mm2 = 4.2 % of the die; int4 at four times the rate
  // (4 x 4^2/11^2 = 0.53) and 2:4 selection (0.1) come on top.
  const double fp16 = 128 * 1024 * 0.6853 * 100.0 / (52.0 * 52.0) / 96.3;
  CHECK(fp16 == Approx(34.5).epsilon(2e-3));
  CHECK(fp16 / 826.0 == Approx(0.042).epsilon(0.01));
  CHECK(a.of(Block::matrix_units) == Approx(fp16 * (1.0 + 4.0 * 16.0 / 121.0 + 0.1)));
  // A multiplier of fp64 is five of fp32 and 27 of fp16.
  CHECK((52.0 * 52.0) / (23.0 * 23.0) == Approx(5.1).epsilon(0.01));
  CHECK((52.0 * 52.0) / (10.0 * 10.0) == Approx(27.0).epsilon(0.01));
}

TEST_CASE("area: GA100 by block, beside its photograph") {
  const DieSpec& die = die_named("GA100");
  REQUIRE(die.annotated);
  const DieAreas a = die_areas(die, medians("N7"));
  const double hbm = a.of(Block::hbm_phys) + a.of(Block::hbm_controllers);
  const double other = a.of(Block::link_controllers) + a.of(Block::uncore);
  // Calibrated blocks are off by rounding of the constants only.
  CHECK(std::abs(error(a.sms(), die.annotated->sms)) < 0.002);
  CHECK(std::abs(error(a.of(Block::crossbar), die.annotated->crossbar)) < 0.002);
  CHECK(std::abs(error(a.of(Block::link_phys), die.annotated->link_phys)) < 0.002);
  CHECK(std::abs(error(other, die.annotated->other)) < 0.002);
  // Published constants, not touched.
  CHECK(error(a.of(Block::l2), die.annotated->l2) == Approx(-0.047).margin(0.003));
  CHECK(error(hbm, die.annotated->hbm) == Approx(0.082).margin(0.003));
  CHECK(std::abs(error(a.total(), 826.0)) < 0.003);
  // An SM is 3.72 mm2 on the photograph.
  CHECK(a.sms() / 128.0 == Approx(476.25 / 128.0).epsilon(0.002));
}

TEST_CASE("area: dies that nothing was fitted to") {
  // Gated with what was reached, as the module's comment states it: it can only improve.
  const DieSpec& gh100 = die_named("GH100");
  CHECK(std::abs(error(die_areas(gh100, medians("N4")).total(), 814.0)) < 0.03);

  const DieSpec& aldebaran = die_named("Aldebaran");
  const DieAreas a = die_areas(aldebaran, medians("N6"));
  CHECK(std::abs(error(a.total(), 720.0)) < 0.07);
  REQUIRE(aldebaran.annotated);
  const double hbm = a.of(Block::hbm_phys) + a.of(Block::hbm_controllers);
  const double other = a.of(Block::link_controllers) + a.of(Block::uncore);
  CHECK(std::abs(error(a.sms(), aldebaran.annotated->sms)) < 0.11);
  CHECK(std::abs(error(a.of(Block::crossbar), aldebaran.annotated->crossbar)) < 0.26);
  CHECK(std::abs(error(a.of(Block::l2), aldebaran.annotated->l2)) < 0.39);
  CHECK(std::abs(error(hbm, aldebaran.annotated->hbm)) < 0.02);
  CHECK(std::abs(error(a.of(Block::link_phys), aldebaran.annotated->link_phys)) < 0.04);
  CHECK(std::abs(error(other, aldebaran.annotated->other)) < 0.02);
}

TEST_CASE("area: the draws of the model alone hold the published dies") {
  SiliconOptions options;
  options.anchored = false;
  for (const char* gpu : {"A100-80GB-SXM4", "H100-SXM5-80GB", "MI210"}) {
    const Design design = shipped().design_of(gpu);
    const Spread area = shipped().assess(design, options).of(Metric::area_mm2);
    INFO(gpu << " " << area.p10 << " " << area.p90);
    CHECK(area.p10 < design.die.area_mm2.value);
    CHECK(area.p90 > design.die.area_mm2.value);
    CHECK(area.p90 < 1.5 * area.p10);
  }
}

TEST_CASE("area: an fp8 path costs between multipliers of stored bits and a second array") {
  // At twice the rate, over the fp16 array: 2 x 3^2/10^2; 2 x 4^2/11^2; 2 x 8/16.
  CHECK(narrow_path_share(2.0, 3.0, 8.0, 0.0) == Approx(0.18));
  CHECK(narrow_path_share(2.0, 3.0, 8.0, 0.5) == Approx(32.0 / 121.0));
  CHECK(narrow_path_share(2.0, 3.0, 8.0, 1.0) == Approx(1.0));
  // Of GA100: 0.75, 1.1 and 4.2 %.
  const auto of_die = [&](double path) {
    DieSpec fp8 = die_named("GA100");
    fp8.fp8_rate.value = 2.0;
    Inputs<double> in = medians("N7");
    in.block.narrow_datapath = path;
    return (die_areas(fp8, in).total() - die_areas(die_named("GA100"), in).total()) / 826.0;
  };
  CHECK(of_die(0.0) == Approx(0.0075).epsilon(0.01));
  CHECK(of_die(0.5) == Approx(0.011).epsilon(0.02));
  CHECK(of_die(1.0) == Approx(0.042).epsilon(0.01));
  // A stated construction overrules the draw.
  DieSpec fp8 = die_named("GA100");
  fp8.fp8_rate.value = 2.0;
  fp8.fp8_path = Datapath::duplicated;
  CHECK(anchored(fp8, die_named("GA100")) / 826.0 == Approx(0.042).epsilon(0.01));
}

TEST_CASE("area: FP64 at full rate is a few percent of the die, not four dies") {
  DieSpec full = die_named("GA100");
  full.fp64_lanes.value = full.fp32_lanes.value;
  const auto more = [&](double own) {
    Inputs<double> in = medians("N7");
    in.block.fp64_matrix_own = own;
    return (die_areas(full, in).total() - die_areas(die_named("GA100"), in).total()) / 826.0;
  };
  CHECK(more(0.0) == Approx(0.0353).epsilon(0.01));  // 32 lanes more: 29.1 mm2
  CHECK(more(1.0) == Approx(0.0706).epsilon(0.01));  // with the matrix units' share: twice that
}

TEST_CASE("area: links and memory sites, by hand") {
  const DieSpec& ga = die_named("GA100");
  const DieSpec& gh = die_named("GH100");
  DieSpec more = gh;
  more.links.value += 1.0;
  // An NVLink4 link: 0.965 mm2 of PHY and 86.628 million transistors / 138.2 = 1.592 mm2; 1.26 in 2 mm2.
  CHECK(anchored(more, gh) == Approx(0.965 + 86.628 / 138.2).epsilon(1e-3));
  CHECK(2.0 / anchored(more, gh) == Approx(1.26).epsilon(5e-3));
  more = ga;
  more.links.value += 1.0;
  // An NVLink3 link: four lanes of 0.3273 and 74.632 / 96.3.
  CHECK(anchored(more, ga) == Approx(4 * 0.3273 + 74.632 / 96.3).epsilon(1e-3));
  more = ga;
  more.hbm_sites.value += 1.0;
  CHECK(anchored(more, ga) == Approx(10.45 + 552.743 / 96.3).epsilon(1e-3));
  more = ga;
  more.sm_count.value += 1.0;
  // An SM and its share of the crossbar, 76.44 / 128.
  CHECK(anchored(more, ga) == Approx(476.25 / 128 + 76.44 / 128).epsilon(2e-3));
}

TEST_CASE("area: denser logic shrinks logic and not PHYs") {
  const DieSpec& die = die_named("GH100");
  Inputs<double> dense = medians("N4");
  const DieAreas before = die_areas(die, dense);
  dense.process.logic_density_mtr_per_mm2 *= 2.0;
  const DieAreas after = die_areas(die, dense);
  CHECK(after.of(Block::uncore) == Approx(before.of(Block::uncore) / 2.0));
  CHECK(after.of(Block::hbm_phys) == before.of(Block::hbm_phys));
  CHECK(after.of(Block::link_phys) == before.of(Block::link_phys));
  CHECK(after.of(Block::l2) == before.of(Block::l2));
  CHECK(after.of(Block::crossbar) < before.of(Block::crossbar));
  CHECK(after.of(Block::crossbar) > before.of(Block::crossbar) / 2.0);
}

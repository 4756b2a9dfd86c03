// Assessments: published costs, differences drawn in pairs, tornados, and what must hold whatever the inputs.
#include <chrono>
#include <cmath>
#include <vector>

#include "tests/hwmodels/silicon_testing.h"

using namespace gpuplan;
using namespace gpuplan::silicon;

namespace {

SiliconOptions quick(int samples = 300) {
  SiliconOptions options;
  options.samples = samples;
  return options;
}

Design design(const char* gpu) { return shipped().design_of(gpu); }

}  // namespace

TEST_CASE("silicon: an H100 beside published estimates") {
  const Assessment a = shipped().assess(design("H100-SXM5-80GB"));
  // An unchanged die has the published area, and so 63.48 dies of a wafer.
  CHECK(a.of(Metric::area_mm2).p10 == Approx(814.0));
  CHECK(a.of(Metric::area_mm2).p90 == Approx(814.0));
  CHECK(a.of(Metric::dies_per_wafer).p50 == Approx(63.48).epsilon(1e-3));
  // Perfect: 49 % at 0.10 per cm2. Dies at about 300 USD, a bill of materials of 3320, HBM of 1350, packaging
  // of 750, test and assembly of 920 (SemiAnalysis, Raymond James, siliconanalysts): each within P10 to P90.
  CHECK(a.of(Metric::yield_perfect).p50 == Approx(0.487).margin(0.01));
  const auto holds = [](const Spread& s, double value) { return s.p10 <= value && value <= s.p90; };
  CHECK(holds(a.of(Metric::die_cost_usd), 300.0));
  CHECK(holds(a.of(Metric::unit_cost_usd), 3320.0));
  CHECK(holds(a.of(CostPart::hbm), 1350.0));
  CHECK(holds(a.of(CostPart::packaging), 750.0));
  CHECK(holds(a.of(CostPart::test_and_assembly), 920.0));
  // H200: 4800 (secondary), of which we find 85 %.
  const Assessment h200 = shipped().assess(design("H200-SXM-141GB"));
  CHECK(holds(h200.of(Metric::unit_cost_usd), 4800.0));
  CHECK(h200.of(Metric::unit_cost_usd).p50 == Approx(0.85 * 4800.0).epsilon(0.03));
}

TEST_CASE("silicon: without harvesting the die would cost half as much again") {
  const Assessment a = shipped().assess(design("H100-SXM5-80GB"));
  const double gain = a.of(Metric::yield_usable).p50 / a.of(Metric::yield_perfect).p50;
  CHECK(gain > 1.5);
  CHECK(gain < 2.0);
}

TEST_CASE("silicon: 3 % of 814 mm2 in dollars") {
  // 24.4 mm2 as 14 MiB of L2, which has spares: 63.48 dies become 61.3, 3.5 % more cost and $7 to 13.
  const Comparison l2 = shipped().compare(design("H100-SXM5-80GB"), SiliconChange{.l2_mib = 14.0});
  CHECK(l2.ratio(Metric::area_mm2).p50 == Approx(1.028).margin(0.005));
  CHECK(l2.ratio(Metric::die_cost_usd).p50 == Approx(1.034).margin(0.005));
  // As 16 links, which have none: what is lost to defects comes on top, 6 %.
  const Comparison links = shipped().compare(design("H100-SXM5-80GB"), SiliconChange{.nvlinks = 16});
  CHECK(links.ratio(Metric::area_mm2).p50 == Approx(1.031).margin(0.005));
  CHECK(links.ratio(Metric::die_cost_usd).p50 == Approx(1.063).margin(0.01));
  CHECK(links.delta(Metric::die_cost_usd).p10 > 10.0);
  CHECK(links.delta(Metric::die_cost_usd).p90 < 30.0);
  // Of a GPU that sells at 20000 to 30000 USD: a thousandth.
  CHECK(links.delta(Metric::unit_cost_usd).p90 / 20000.0 < 0.002);
}

TEST_CASE("silicon: what 2 mm2 buy") {
  const auto holds = [](const Spread& s, double value) { return s.p10 < value && value < s.p90; };
  // LLMCompass's constants: 0.84 MiB of L2 at N7 and 1.15 at N5, 1.26 NVLink4 links, half an SM (less its
  // share of the crossbar).
  CHECK(holds(shipped().amount_for_area(design("A100-80GB-SXM4"), {.l2_mib = 1.0}, 2.0), 0.844));
  CHECK(holds(shipped().amount_for_area(design("H100-SXM5-80GB"), {.l2_mib = 1.0}, 2.0), 1.148));
  CHECK(holds(shipped().amount_for_area(design("H100-SXM5-80GB"), {.nvlinks = 1}, 2.0), 1.26));
  const Spread tpcs = shipped().amount_for_area(design("A100-80GB-SXM4"), {.sms = 2}, 2.0);
  CHECK(2.0 * tpcs.p50 == Approx(0.46).margin(0.02));
}

TEST_CASE("silicon: FP8 and FP64 as ranges") {
  const Comparison fp8 = shipped().compare(design("A100-80GB-SXM4"), SiliconChange{.fp8_rate = 2.0});
  const Spread& share = fp8.ratio(Metric::area_mm2);
  CHECK(share.p10 < 1.0075 + 1e-3);
  CHECK(share.p50 == Approx(1.011).margin(0.003));
  CHECK(share.p90 > 1.03);
  CHECK(share.p90 < 1.042 + 1e-3);
  const Comparison fp64 = shipped().compare(design("A100-80GB-SXM4"), SiliconChange{.fp64_rate = 1.0});
  CHECK(fp64.ratio(Metric::area_mm2).p10 == Approx(1.035).margin(0.005));
  CHECK(fp64.ratio(Metric::area_mm2).p90 == Approx(1.07).margin(0.01));
  // What is added is in the lanes, and nowhere else.
  CHECK(fp64.delta(Block::fp64_lanes).p50 == Approx(fp64.delta(Metric::area_mm2).p50));
  CHECK(fp64.delta(Block::crossbar).p90 == 0.0);
}

TEST_CASE("silicon: a difference is narrower than the difference of two spreads") {
  const Comparison c =
      shipped().compare(design("H100-SXM5-80GB"), SiliconChange{.l2_mib = 14.0}, quick(1000));
  const Spread& base = c.base.of(Metric::die_cost_usd);
  const Spread& delta = c.delta(Metric::die_cost_usd);
  CHECK(delta.p10 > 0.0);
  CHECK(delta.p90 - delta.p10 < 0.2 * (base.p90 - base.p10));
}

TEST_CASE("silicon: beyond the reticle it says so") {
  const Comparison more = shipped().compare(design("H100-SXM5-80GB"), SiliconChange{.sms = 24}, quick());
  CHECK(more.base.notes.empty());
  CHECK(more.changed.of(Metric::area_mm2).p50 > kReticleMm2);
  CHECK(more.changed.beyond_reticle > 0.9);
  REQUIRE(more.changed.notes.size() == 1);
  CHECK(more.changed.notes[0].find("858") != std::string::npos);
}

TEST_CASE("silicon: using the sixth HBM site costs yield, not area") {
  const Comparison c = shipped().compare(design("H100-SXM5-80GB"), SiliconChange{.hbm_stacks = 1}, quick());
  CHECK(c.delta(Metric::area_mm2).p90 == 0.0);
  CHECK(c.delta(Metric::yield_usable).p90 < 0.0);
  CHECK(c.delta(Metric::die_cost_usd).p10 > 0.0);
  // 16 GB at 10 to 18 USD.
  CHECK(c.delta(Metric::unit_cost_usd).p50 > 16.0 * 10.0);
}

TEST_CASE("silicon: the same seed, the same bytes; another seed, about the same") {
  const Design h100 = design("H100-SXM5-80GB");
  const SiliconChange change{.fp8_rate = 0.0, .l2_mib = 8.0};
  const auto text = [&](std::uint64_t seed) {
    SiliconOptions options = quick(500);
    options.seed = seed;
    return json::dump(to_json(shipped().compare(h100, change, options)));
  };
  CHECK(text(4) == text(4));
  CHECK(text(4) != text(5));
  SiliconOptions one = quick(2000), other = quick(2000);
  other.seed = 99;
  CHECK(shipped().assess(h100, one).of(Metric::unit_cost_usd).p50 ==
        Approx(shipped().assess(h100, other).of(Metric::unit_cost_usd).p50).epsilon(0.03));
}

TEST_CASE("silicon: more of anything is no smaller, cheaper or better to make") {
  const std::vector<SiliconChange> changes = {{.fp8_rate = 2.0},
                                              {.sparsity = true},
                                              {.fp64_rate = 1.0},
                                              {.sms = 4},
                                              {.l2_mib = 6.0},
                                              {.nvlinks = 2},
                                              {.shared_memory_kib_per_sm = 32.0},
                                              {.register_kib_per_sm = 64.0}};
  for (const char* gpu : {"A100-80GB-SXM4", "H200-SXM-141GB"}) {
    for (const SiliconChange& change : changes) {
      INFO(gpu << " " << json::dump(json::write(change)));
      const Comparison c = shipped().compare(design(gpu), change, quick(60));
      CHECK(c.delta(Metric::area_mm2).p10 >= 0.0);
      CHECK(c.delta(Metric::dies_per_wafer).p90 <= 0.0);
      CHECK(c.delta(Metric::yield_perfect).p90 <= 0.0);
      CHECK(c.delta(Metric::die_cost_usd).p10 >= 0.0);
    }
  }
}

TEST_CASE("silicon: more defects, lower yields, whatever the model") {
  for (const YieldModel model :
       {YieldModel::negative_binomial, YieldModel::murphy, YieldModel::poisson, YieldModel::seeds}) {
    double usable = 1.1, cost = 0.0;
    for (const double defects : {0.0, 0.05, 0.1, 0.3, 1.0}) {
      SiliconOptions options = quick(50);
      options.wafer.yield = model;
      options.inputs["process.defects_per_cm2"] = json::Value(defects);
      const Assessment a = shipped().assess(design("H100-SXM5-80GB"), options);
      CHECK(a.of(Metric::yield_usable).p50 < usable);
      CHECK(a.of(Metric::yield_usable).p50 >= a.of(Metric::yield_perfect).p50 - 1e-12);
      CHECK(a.of(Metric::die_cost_usd).p50 > cost);
      usable = a.of(Metric::yield_usable).p50;
      cost = a.of(Metric::die_cost_usd).p50;
    }
  }
}

TEST_CASE("silicon: the tornado of a die's cost") {
  const Design h100 = design("H100-SXM5-80GB");
  const std::vector<TornadoBar> bars = shipped().tornado(h100, Metric::die_cost_usd);
  REQUIRE(bars.size() > 5);
  for (std::size_t i = 1; i < bars.size(); ++i) {
    CHECK(bars[i - 1].swing() >= bars[i].swing());
  }
  CHECK(bars[0].input == "process.wafer_usd");
  // The cost is proportional to the wafer's price.
  CHECK(bars[0].at_high / bars[0].at_low == Approx(19000.0 / 13400.0));
  CHECK(bars[1].input == "process.defects_per_cm2");
  CHECK_FALSE(bars[0].source.empty());
  // HBM does not move it, and an input alone moves it no further than the spread of all and its ends allow.
  for (const TornadoBar& bar : bars) {
    CHECK(bar.input.find("hbm3_usd") == std::string::npos);
    CHECK(bar.swing() > 0.0);
  }
  double squares = 0.0;
  for (const TornadoBar& bar : bars) {
    squares += bar.swing() * bar.swing();
  }
  const Spread all = shipped().assess(h100).of(Metric::die_cost_usd);
  // Nearly independent inputs: the spread is about the root of the sum of squares.
  CHECK(all.p90 - all.p10 == Approx(std::sqrt(squares)).epsilon(0.25));
}

TEST_CASE("silicon: the tornado of a difference") {
  const Design a100 = design("A100-80GB-SXM4");
  const Design fp8 = shipped().apply(a100, {.fp8_rate = 2.0});
  const std::vector<TornadoBar> bars = shipped().tornado(a100, fp8, Metric::area_mm2);
  REQUIRE(bars.size() == 3);
  CHECK(bars[0].input == "block.narrow_datapath");
  CHECK(bars[0].at_low / 826.0 == Approx(0.0075).epsilon(0.01));
  CHECK(bars[0].at_high / 826.0 == Approx(0.042).epsilon(0.01));
}

TEST_CASE("silicon: unknown names, inputs and counts are refused") {
  CHECK_THROWS_WITH(shipped().design_of("H100-SMX5-80GB"), Catch::Contains("did you mean H100-SXM5-80GB"));
  CHECK_THROWS_WITH(shipped().design_of("B200-SXM-180GB", "$.gpu"), Catch::Contains("$.gpu: found"));
  SiliconOptions options;
  options.samples = 0;
  CHECK_THROWS_AS(shipped().assess(design("A30"), options), InputError);
  options = quick();
  options.inputs["price.hbm4"] = json::Value(1);
  CHECK_THROWS_AS(shipped().assess(design("A30"), options), InputError);
  CHECK_THROWS_AS(SiliconModel::load("/nonexistent"), InputError);
}

TEST_CASE("silicon: inputs far from any real ones give results and no nonsense") {
  const Design h100 = design("H100-SXM5-80GB");
  const SiliconChange change{.sms = -20, .register_kib_per_sm = -200.0};
  for (const char* name : {"block.register_file", "process.logic_density_mtr_per_mm2",
                           "process.sram_cell_um2", "block.uncore_mtr", "process.wafer_usd"}) {
    for (const double value : {1e-6, 1e6, 1e9}) {
      for (const bool anchored : {true, false}) {
        SiliconOptions options = quick(12);
        options.inputs[name] = json::Value(value);
        options.anchored = anchored;
        const Comparison c = shipped().compare(h100, change, options);
        INFO(name << " " << value << " " << anchored);
        for (std::size_t m = 0; m < kMetricCount; ++m) {
          for (const Spread& s : {c.base.metrics[m], c.changed.metrics[m], c.deltas[m], c.ratios[m]}) {
            CHECK_FALSE(std::isnan(s.p10));
            CHECK(s.p10 <= s.p50);
            CHECK(s.p50 <= s.p90);
          }
        }
        CHECK(c.changed.of(Metric::area_mm2).p10 > 0.0);
        CHECK(c.changed.of(Metric::yield_usable).p90 <= 1.0);
      }
    }
  }
}

TEST_CASE("silicon: rendered as JSON") {
  const json::Value a = to_json(shipped().assess(design("H100-SXM5-80GB"), quick(50)));
  CHECK(a.find("die")->string() == "GH100");
  CHECK(a.find("area_mm2")->find("p50")->number() == Approx(814.0));
  CHECK(a.find("blocks_mm2")->find("l2")->find("p50")->number() > 50.0);
  CHECK(a.find("unit_cost_parts_usd")->find("hbm") != nullptr);
  CHECK(a.find("notes")->array().empty());
  const json::Value t = to_json(shipped().tornado(design("A30"), Metric::unit_cost_usd));
  CHECK(t.array()[0].find("input")->is_string());
  CHECK(t.array()[0].find("standing")->is_string());
}

TEST_CASE("silicon: 2000 draws of area and cost take well below a tenth of a second") {
  const Design h100 = design("H100-SXM5-80GB");
  const auto before = std::chrono::steady_clock::now();
  (void)shipped().assess(h100);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
  // 12 ms when built for speed; sanitizers and a busy machine have room.
  CHECK(took.count() < 1.0);
}

// What a change of a die is worth: hand arithmetic on small scenarios, and the answers of scenarios/silicon.
#include <catch2/catch.hpp>
#include <cmath>

#include "hwmodels/json/path.h"
#include "sim/report/silicon_report.h"
#include "sim/run/evaluate.h"
#include "sim/silicon/study.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;
using SiliconMetric = silicon::Metric;

namespace {

SiliconScenario resolved(const json::Value& document, const std::string& base_dir = ".") {
  return resolve_silicon(document, "test", base_dir, library());
}

SiliconStudy study(const SiliconScenario& scenario) { return study_silicon(scenario, library()); }

// A GPU that copies, which HBM alone limits.
json::Value copying(const std::string& changes) {
  return json::parse(R"({"schema": 1, "kind": "silicon", "name": "t", "machine": {"gpu": "H100-SXM5-80GB"},
    "changes": )" + changes +
                         R"(, "workloads": [{"scenario": {"schema": 1, "kind": "kernel", "name": "copy",
      "kernels": [{"op": "copy", "bytes": 4e9, "path": "device_to_device"}]}}]})",
                     "test");
}

struct Answered {
  SiliconScenario scenario;
  SiliconStudy study;
  [[nodiscard]] const SiliconOutcome& change(const std::string& name) const {
    for (std::size_t i = 0; i < scenario.changes.size(); ++i) {
      if (scenario.changes[i].name == name) {
        return study.changes[i];
      }
    }
    FAIL("no change " << name);
    return study.changes.front();
  }
  [[nodiscard]] std::string winner() const {
    return study.winner ? scenario.changes[*study.winner].name : "nothing";
  }
};

Answered answer(const std::string& file) {
  const std::string folder = std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/silicon";
  Answered out{resolved(json::parse_file(folder + "/" + file + ".json"), folder), {}};
  out.study = study(out.scenario);
  return out;
}

Problem refusal(const json::Value& document) {
  try {
    study(resolved(document));
  } catch (const InputError& error) {
    return error.problems().front();
  }
  FAIL("accepted");
  return {};
}

}  // namespace

TEST_CASE("a sixth HBM stack makes a copy 6/5 as fast, and the fleet's cost follows") {
  const SiliconScenario s = resolved(copying(R"([{"name": "stack", "silicon": {"hbm_stacks": 1}}])"));
  // Five stacks of 16 GB and 670 GB/s each on a die with six sites.
  CHECK(s.changes[0].gpu.memory.si() == Approx(96e9));
  CHECK(s.changes[0].gpu.memory_bandwidth.si() == Approx(3352e9 * 6 / 5));
  const SiliconStudy out = study(s);
  const SiliconOutcome& stack = out.changes[0];
  CHECK(stack.performance == Approx(1.2).epsilon(0.02));
  CHECK(stack.silicon.delta(SiliconMetric::area_mm2).p50 == Approx(0.0).margin(1e-9));
  // 16 GB of HBM3 at 10 to 20 USD a GB and the losses of packaging over them.
  CHECK(stack.silicon.delta(SiliconMetric::unit_cost_usd).p50 > 16 * 10.0);
  CHECK(stack.silicon.delta(SiliconMetric::unit_cost_usd).p50 < 16 * 25.0);
  CHECK(stack.price_usd.p50 == Approx(3.0 * stack.silicon.delta(SiliconMetric::unit_cost_usd).p50));
  // What price, power and throughput make of it, each alone, multiply up to it: they meet in no term but the
  // hour's cost, whose parts add.
  CHECK(stack.tco.p50 == Approx((stack.tco_price + stack.tco_power - 1.0) / stack.performance).epsilon(1e-9));
  CHECK(stack.tco.p10 < stack.tco.p50);
  CHECK(stack.tco.p50 < stack.tco.p90);
  // The same kernels: the effect is right to 0.7 of itself.
  CHECK(stack.gains[0].half_width <= 0.7 * std::abs(std::log(stack.gains[0].gain)) + 1e-12);
  REQUIRE(out.winner);
  CHECK(*out.winner == 0);
  // Infinite bandwidth leaves the launch: nearly everything is within reach.
  CHECK(stack.removable > 0.9);
}

TEST_CASE("silicon that no work uses costs, and gains nothing") {
  const SiliconScenario s = resolved(copying(R"([{"name": "fp64", "silicon": {"fp64_rate": 1}}])"));
  const SiliconStudy out = study(s);
  CHECK(out.changes[0].performance == Approx(1.0));
  CHECK(out.changes[0].removable == Approx(0.0).margin(1e-9));
  CHECK(out.changes[0].tco.p50 > 1.0);
  CHECK(out.changes[0].tco.p10 > 1.0);  // no interval of a gain that is none
  CHECK_FALSE(out.winner);
}

TEST_CASE("hours are shared out by weight, and the gains meet harmonically") {
  json::Value document = copying(R"([{"name": "stack", "silicon": {"hbm_stacks": 1}}])");
  json::Value second = *json::find_at(document, "workloads[0]");
  json::set_path(second, R"(scenario.kernels=[{"op": "gemm", "m": 8192, "n": 8192, "k": 8192}])");
  json::set_path(second, "weight=3");
  document.find("workloads")->push_back(second);
  const SiliconScenario s = resolved(document);
  CHECK(s.workloads[1].weight == Approx(0.75));
  const SiliconOutcome o = study(s).changes[0];
  CHECK(o.performance == Approx(1.0 / (0.25 / o.gains[0].gain + 0.75 / o.gains[1].gain)));
}

TEST_CASE("a filling change takes the area of the budget, and a larger one is marked") {
  json::Value document = copying(R"([{"name": "L2", "silicon": {}, "fill": "l2_mib"},
                                     {"name": "TPC", "silicon": {"sms": 2}}])");
  json::set_path(document, "budget.area_mm2=2");
  const SiliconStudy out = study(resolved(document));
  CHECK(out.changes[0].silicon.delta(SiliconMetric::area_mm2).p50 == Approx(2.0).epsilon(0.01));
  CHECK(out.changes[0].within_budget());
  CHECK_FALSE(out.changes[1].within_budget());  // an SM of GH100 alone is more than 3 mm2
  CHECK(out.ranking.back() == 1);
}

TEST_CASE("silicon scenarios refuse what cannot be, with the path") {
  const std::string fp8 = R"([{"name": "a", "silicon": {"fp8_rate": 2}}])";
  json::Value unknown = copying(fp8);
  json::set_path(unknown, "machine.gpu=L4");
  CHECK(refusal(unknown).path == "test: $.machine.gpu");
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {"sms": 1}}])")).path ==
        "test: $.changes[0].silicon.sms");  // GH100 has two SMs a TPC
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {"hbm_stacks": 3}}])")).path ==
        "test: $.changes[0].silicon.hbm_stacks");
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {}, "fill": "l2_mib"}])")).path ==
        "test: $.budget.area_mm2");
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {"l2_mib": -20}}])")).path ==
        "test: $.changes[0].silicon.l2_mib");
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {"l2_mib": 5000}}])")).expected.find("858") !=
        std::string::npos);
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {}, "set": {"serving": {"seed": 2}}}])")).path ==
        "test: $.changes[0].set.serving");
  json::Value rented = copying(fp8);
  json::set_path(rented, "cost.acquisition=spot");
  CHECK(refusal(rented).path == "test: $.cost.acquisition");
  json::Value neutral = copying(fp8);
  json::set_path(neutral, "workloads[0].metric=kernel.intensity");
  CHECK(refusal(neutral).path.find("metric") != std::string::npos);
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {}, "set": {"servin": {}}}])"))
            .suggestion.find("serving") != std::string::npos);
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {}, "set": {"kernel": {"kernels[0].bytez": 1}}}])"))
            .path.find("bytez") != std::string::npos);
  json::Value metric = copying(fp8);
  json::set_path(metric, "workloads[0].metric=kernel.tim");
  CHECK(refusal(metric).suggestion.find("kernel.time") != std::string::npos);
  CHECK(refusal(copying(R"([{"name": "a", "silicon": {}}, {"name": "a", "silicon": {}}])")).path ==
        "test: $.changes[1].name");
}

TEST_CASE("the metrics of the contract are those of the best change, and the same on every run") {
  const json::Value document = copying(
      R"([{"name": "fp64", "silicon": {"fp64_rate": 1}}, {"name": "stack", "silicon": {"hbm_stacks": 1}}])");
  const Evaluation one = evaluate(document, "test", ".", library());
  CHECK(one.result.number("silicon.delta.performance") ==
        one.result.number("silicon.change.stack.delta.performance"));
  CHECK(one.result.number("silicon.delta.performance") == Approx(0.2).epsilon(0.1));
  CHECK(one.result.number("silicon.base.die_area") == Approx(814e-6).epsilon(1e-6));
  CHECK(json::dump(one.result.to_json()) ==
        json::dump(evaluate(document, "test", ".", library()).result.to_json()));
  json::Value alone = document;
  json::set_path(alone, "workloads=[]");
  CHECK(evaluate(alone, "test", ".", library()).result.number("silicon.change.fp64.delta.die_area") > 20e-6);
}

TEST_CASE("more than the power cap allows is taken back in clock") {
  // fp8 at eight times the rate of fp16: eight times 989 TFLOP/s at some 0.4 pJ a FLOP are 3 kW.
  json::Value document = copying(
      R"([{"name": "fp8", "silicon": {"fp8_rate": 8}, "set": {"kernel": {"kernels[0].precision": "fp8"}}}])");
  json::set_path(document, "base.fp8_rate=0");
  json::set_path(document,
                 R"(workloads[0].scenario.kernels=[{"op": "gemm", "m": 16384, "n": 16384, "k": 16384}])");
  const SiliconScenario s = resolved(document);
  const SiliconOutcome o = study(s).changes[0];
  CHECK(o.gains[0].slowed > 1.2);
  CHECK(o.gains[0].watts == Approx(700.0).epsilon(1e-6));
}

TEST_CASE("collective workloads count the time of their last row, and faster is better") {
  json::Value document = copying(R"([{"name": "links", "silicon": {"nvlinks": 2}}])");
  json::set_path(document, R"(workloads[0].scenario={"schema": 1, "kind": "collective", "name": "c",
    "machine": {"gpu": "H100-SXM5-80GB", "nodes": 1, "gpus_per_node": 8},
    "collectives": ["all_reduce"], "bytes": [1048576, 268435456]})");
  const SiliconScenario s = resolved(document);
  const SiliconStudy out = study(s);
  CHECK(out.runs[0].name == "collective.all_reduce[bytes=268435456].time");
  // 18 links to 20: at most 11 % more bandwidth.
  CHECK(out.changes[0].performance > 1.02);
  CHECK(out.changes[0].performance < 20.0 / 18.0 + 1e-9);
}

TEST_CASE("answer: FP8 for a service of a 70B model pays by throughput, not by area") {
  const Answered a = answer("fp8-at-3-percent");
  const SiliconOutcome& fp8 = a.change("FP8, 3 % of the die");
  CHECK(a.winner().starts_with("FP8"));
  // By hand (the question's template): [(1 - f) + f / g] with f = 0.6 to 0.8 of the time and g = 1.4 to 1.6.
  CHECK(fp8.tco.p50 > 1.0 - 0.35);
  CHECK(fp8.tco.p50 < 1.0 - 0.15);
  CHECK(fp8.tco.p10 < 0.82);  // 18 % is inside the range
  CHECK(fp8.tco.p90 > 0.82);
  // 3 % of 814 mm2 are 24.4 mm2; a die that sells costs 3 to 7 % more, USD 10 to 70, under 1 % of the price.
  CHECK(fp8.silicon.delta(SiliconMetric::area_mm2).p50 == Approx(24.4).epsilon(0.03));
  CHECK(fp8.silicon.ratio(SiliconMetric::die_cost_usd).p50 == Approx(1.045).margin(0.02));
  CHECK(fp8.silicon.delta(SiliconMetric::die_cost_usd).p50 < 70.0);
  CHECK(fp8.tco_price < 1.005);
  CHECK(fp8.swings.front().input == "performance");
}

TEST_CASE("answer: two square millimetres buy links, not L2 and no SM; an empty HBM site is worth more") {
  const Answered a = answer("two-mm2");
  CHECK(a.winner() == "HBM stack in the empty site");
  CHECK(a.change("L2").performance < 1.005);
  CHECK_FALSE(a.change("one TPC").within_budget());
  CHECK(a.change("one TPC").performance < 1.01);  // 2 of 132 SMs: at most 1.5 %
  const SiliconOutcome& link = a.change("NVLink");
  CHECK(link.within_budget());
  CHECK(link.tco.p50 < a.change("L2").tco.p50);
}

TEST_CASE("answer: L2 does nothing for a growing KV cache, bandwidth does") {
  const Answered a = answer("l2-or-hbm-long-context");
  CHECK(a.winner() == "sixth HBM stack");
  // 60 MiB against 42 GB of cache and 70 GB of weights that each step reads once.
  for (const SiliconGain& gain : a.change("L2 50 to 100 MiB").gains) {
    CHECK(gain.gain == Approx(1.0).margin(0.01));
  }
  for (const SiliconGain& gain : a.change("sixth HBM stack").gains) {
    CHECK(gain.gain > 1.05);
    CHECK(gain.gain < 1.2);  // no more than its bandwidth
  }
}

TEST_CASE("answer: FP64 at full rate is a few percent of the die, and only HPC gains") {
  const Answered a = answer("fp64-full-rate");
  const SiliconOutcome& full = a.change("FP64 at full rate");
  const double share = full.silicon.ratio(SiliconMetric::area_mm2).p50 - 1.0;
  CHECK(share > 0.035);
  CHECK(share < 0.12);  // not three times the die more
  // Twice the rate draws (by the power model) some 1,270 W of 700: about three quarters of the clock is left.
  CHECK(full.gains[0].gain > 1.3);
  CHECK(full.gains[0].gain < 1.7);
  CHECK(full.gains[0].watts == Approx(700.0).epsilon(0.01));
  CHECK(a.winner() == "nothing");  // no exposure prints that die
  CHECK(full.gains[1].gain == Approx(1.0).margin(0.001));
}

TEST_CASE("answer: INT4 weights need no silicon; sparsity pays where rows are many") {
  const Answered a = answer("int4-or-sparsity");
  const SiliconOutcome& int4 = a.change("INT4 weights (software)");
  const SiliconOutcome& sparse = a.change("2:4 sparsity");
  CHECK(int4.silicon.delta(SiliconMetric::area_mm2).p50 == Approx(0.0).margin(1e-9));
  CHECK(int4.gains[0].gain > 2.0);    // decode reads a quarter of the bytes
  CHECK(int4.gains[2].gain < 1.02);   // prefill computes as before
  CHECK(sparse.gains[2].gain > 1.4);  // prefill: measured 1.6 at 4096 rows on H100
  CHECK(sparse.gains[2].gain < 1.8);
  CHECK(int4.tco.p50 < sparse.tco.p50);  // at half of the hours in decode
}

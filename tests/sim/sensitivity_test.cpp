// What a metric hangs on, where arithmetic says it beforehand.
#include "sim/plan/sensitivity.h"

#include <catch2/catch.hpp>

#include "hwmodels/json/path.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

Sensitivity of(const json::Value& document, const std::string& metric) {
  return sensitivity_of({document, "test", "."}, metric, library(), {});
}

const Elasticity& parameter(const Sensitivity& s, const std::string& name) {
  for (const Elasticity& one : s.elasticities) {
    if (one.name == name) {
      return one;
    }
  }
  FAIL("no elasticity of " << name);
  return s.elasticities.front();
}

double bound(const Sensitivity& s, const std::string& name) {
  for (const FreeResource& one : s.limits) {
    if (one.name == name) {
      return one.gain;
    }
  }
  FAIL("no bound of " << name);
  return 0.0;
}

json::Value kernel(const std::string& operation) {
  return json::parse(R"({"schema": 1, "kind": "kernel", "name": "k", "machine": {"gpu": "H100-SXM5-80GB"},
                         "kernels": [)" +
                         operation + "]}",
                     "test");
}

json::Value serving() {
  return json::parse(R"({"schema": 1, "kind": "serving", "name": "s", "machine": {"gpu": "H100-SXM5-80GB"},
    "model": "llama-3.1-8b", "cost": {"usd_per_gpu_hour": 2}, "traffic": {"arrivals": {"rate": 4}, "requests": 150,
    "prompt": {"mean": 600}, "output": {"mean": 100}}})",
                     "test");
}

}  // namespace

TEST_CASE("a large product hangs on the matrix units, a decode product on HBM") {
  const Sensitivity large =
      of(kernel(R"({"op": "gemm", "m": 16384, "n": 16384, "k": 16384})"), "kernel.time");
  // 8.8e12 FLOP at 989 TFLOP/s: 8.9 ms, of which launch and memory hide nearly all.
  // A higher peak under the same power cap runs at a lower clock; the two together are the whole.
  const double peak = parameter(large, "machine.gpu.matrix_peak_tflops").elasticity;
  const double power = parameter(large, "machine.gpu.tdp_w").elasticity;
  CHECK(peak < -0.3);
  CHECK(power < 0.0);
  CHECK(peak + power == Approx(-1.0).margin(0.1));
  CHECK(std::abs(parameter(large, "machine.gpu.memory_bandwidth_gbps").elasticity) < 0.1);
  // Twice as many rows are twice the work.
  CHECK(parameter(large, "kernels[0].m").elasticity == Approx(1.0).margin(0.1));
  CHECK(bound(large, "matrix units") > 3.0);
  CHECK(bound(large, "HBM bandwidth") < 1.1);

  const Sensitivity decode = of(kernel(R"({"op": "gemm", "m": 8, "n": 28672, "k": 8192})"), "kernel.time");
  CHECK(parameter(decode, "machine.gpu.memory_bandwidth_gbps").elasticity == Approx(-0.95).margin(0.1));
  CHECK(std::abs(parameter(decode, "machine.gpu.matrix_peak_tflops").elasticity) < 0.1);
  CHECK(bound(decode, "HBM bandwidth") > 3.0);
}

TEST_CASE("money per token is proportional to the rent, whatever the simulation does") {
  const Sensitivity s = of(serving(), "cost.usd_per_million_tokens");
  CHECK(parameter(s, "cost.usd_per_gpu_hour").elasticity == Approx(1.0).epsilon(1e-9));
  CHECK(s.noise > 0.0);  // other seeds, other lengths and arrivals
  // A field that is refused (an SLO of nothing) or zero is not varied; seeds and lengths of runs are none.
  for (const Elasticity& one : s.elasticities) {
    CHECK(one.name != "seed");
    CHECK(one.name != "traffic.requests");
    CHECK(one.value != 0.0);
    CHECK(one.low <= one.value);
    CHECK(one.high >= one.value);
  }
}

TEST_CASE("single changes are found, tried, and ranked by gain") {
  const Sensitivity s = of(serving(), "serving.tpot.mean");
  REQUIRE(s.moves.size() > 3);
  for (std::size_t i = 1; i < s.moves.size(); ++i) {
    CHECK(s.moves[i].gain <= s.moves[i - 1].gain);
  }
  // Half the bytes of the weights: at least a fifth faster, at most twice. And every gain is a run of its
  // own.
  bool found = false;
  for (const ChangeOutcome& one : s.moves) {
    if (one.move.sets == std::vector<std::string>{"precision.weights=fp8", "precision.activations=null"}) {
      found = true;
      CHECK(one.gain > 1.2);
      CHECK(one.gain < 2.0);
      CHECK(one.gain == Approx(s.base.value.number() / one.metric));
      REQUIRE(one.gain80);
      CHECK((*one.gain80)[0] < one.gain);
      CHECK((*one.gain80)[1] > one.gain);
      json::Value changed = serving();
      for (const std::string& set : one.move.sets) {
        json::set_path(changed, set);
      }
      CHECK(evaluate(changed, "t", ".", library()).result.number("serving.tpot.mean") == one.metric);
    }
  }
  CHECK(found);
}

TEST_CASE("a metric that is none names the nearest") {
  try {
    of(kernel(R"({"op": "gemm", "m": 64, "n": 4096, "k": 4096})"), "kernel.tim");
    FAIL("accepted");
  } catch (const InputError& error) {
    CHECK(error.problems().front().suggestion.find("kernel.time") != std::string::npos);
  }
}

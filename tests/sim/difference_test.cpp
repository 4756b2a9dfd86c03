// Two predictions beside each other: what their errors leave of the difference.
#include "sim/report/difference.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "hwmodels/json/path.h"
#include "sim/report/metric_sense.h"
#include "sim/run/evaluate_all.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

Result with(const std::string& metric, double value, double half) {
  Result out;
  out.metrics.push_back({metric, json::Value(value), std::nullopt});
  if (half > 0.0) {
    out.metrics.back().interval80 = {value * std::exp(-half), value * std::exp(half)};
  }
  return out;
}

Difference between(const std::string& metric, double a, double ha, double b, double hb, double rho) {
  return differences(with(metric, a, ha), with(metric, b, hb), rho).at(0);
}

}  // namespace

TEST_CASE("errors that are alike cancel in a ratio") {
  // h^2 = 0.2^2 + 0.1^2 - 2 x 0.6 x 0.2 x 0.1 = 0.04 + 0.01 - 0.024 = 0.026; h = 0.16125
  const Difference d = between("training.step_time", 1.0, 0.2, 1.3, 0.1, 0.6);
  REQUIRE(d.ratio80);
  CHECK((*d.ratio80)[0] == Approx(1.3 * std::exp(-0.16125)).epsilon(1e-4));
  CHECK((*d.ratio80)[1] == Approx(1.3 * std::exp(0.16125)).epsilon(1e-4));
  CHECK(d.verdict == Verdict::worse);  // 1.3 x 0.851 = 1.106 > 1
  // Independent: h = sqrt(0.05) = 0.2236, and 1.3 x 0.7997 = 1.04; still above. 1.2 is not: 0.96.
  CHECK(between("training.step_time", 1.0, 0.2, 1.3, 0.1, 0.0).verdict == Verdict::worse);
  CHECK(between("training.step_time", 1.0, 0.2, 1.2, 0.1, 0.0).verdict == Verdict::within_error);
  // The same error wholly shared leaves no doubt of the smallest difference.
  CHECK(between("training.step_time", 1.0, 0.2, 1.01, 0.2, 1.0).verdict == Verdict::worse);
}

TEST_CASE("a verdict knows which way is better") {
  CHECK(between("serving.output_tokens_per_s", 100, 0.05, 150, 0.05, 0.5).verdict == Verdict::better);
  CHECK(between("cost.usd_per_million_tokens", 2, 0.05, 1, 0.05, 0.5).verdict == Verdict::better);
  CHECK(between("util.sm", 0.2, 0.0, 0.4, 0.0, 0.5).verdict == Verdict::more);
  CHECK(between("training.mfu", 0.4, 0.1, 0.4002, 0.1, 0.5).verdict == Verdict::equal);  // 0.05 %
  CHECK(sense_of("serving.ttft.p99") == Sense::lower);
  CHECK(sense_of("serving.goodput_requests_per_s") == Sense::higher);
  CHECK(sense_of("training.memory.total_per_gpu") == Sense::lower);
  CHECK(sense_of("serving.memory.kv_per_gpu") == Sense::higher);
  CHECK(unit_of("collective.all_reduce[bytes=1024].time") == "s");
  CHECK(sense_of("collective.all_reduce[bytes=1024].time") == Sense::lower);
  CHECK(unit_of("kernel.hbm_bytes") == "B");
  CHECK(unit_of("kernel.bf16.time") == "s");
  CHECK(unit_of("collective.busbw") == "B/s");
  CHECK(unit_of("cost.energy_per_token") == "J");
}

TEST_CASE("changed fields are found where they are") {
  const json::Value a = json::parse(R"({"name": "x", "m": {"gpu": "A", "gpus": 4}, "l": [1, 2]})", "a");
  const json::Value b = json::parse(R"({"name": "y", "m": {"gpu": "B", "gpus": 4, "node": "n"}})", "b");
  const std::vector<FieldChange> changes = changed_fields(a, b);
  REQUIRE(changes.size() == 3);
  CHECK(changes[0].path == "m.gpu");
  CHECK(changes[0].a == "A");
  CHECK(changes[0].b == "B");
  CHECK(changes[1].path == "m.node");
  CHECK(changes[1].a == "-");
  CHECK(changes[2].path == "l");  // of another length, or not there
  CHECK(changes[2].b == "-");

  const json::Value plain = json::parse(R"({"gpu": "H100"})", "a");
  const json::Value over = json::parse(R"({"gpu": {"base": "H100", "l2_mib": 100}})", "b");
  const std::vector<FieldChange> one = changed_fields(plain, over);
  REQUIRE(one.size() == 1);
  const json::Value m64 = json::parse(R"({"k": [{"m": 64}, {"m": 1}]})", "a");
  const json::Value m128 = json::parse(R"({"k": [{"m": 128}, {"m": 1}]})", "b");
  REQUIRE(changed_fields(m64, m128).size() == 1);
  CHECK(changed_fields(m64, m128)[0].path == "k[0].m");
  CHECK(one[0].path == "gpu.l2_mib");
  CHECK(one[0].b == "100");
}

TEST_CASE("many scenarios are answered alike by any number of processes") {
  std::vector<Asked> asked;
  const json::Value gemm = json::parse(
      R"({"schema": 1, "kind": "kernel", "name": "g", "kernels": [{"op": "gemm", "m": 64, "n": 4096, "k": 4096}]})",
      "test");
  for (const char* m : {"64", "128", "-1", "4096", "8192"}) {
    json::Value one = gemm;
    json::set_path(one, std::string("kernels[0].m=") + m);
    asked.push_back({one, "test", "."});
  }
  EvaluateAllOptions options;
  const std::vector<Answer> alone = evaluate_all(asked, library(), options);
  options.jobs = 3;
  double last = 0.0;
  options.progress = [&](double done) { last = done; };
  const std::vector<Answer> spread = evaluate_all(asked, library(), options);
  CHECK(last == 1.0);
  REQUIRE(spread.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(spread[i].ran() == (i != 2));
    CHECK(json::dump(spread[i].result.to_json()) == json::dump(alone[i].result.to_json()));
  }
  CHECK(spread[2].kind == Answer::Kind::refused);
  CHECK(spread[2].problems.front().path == "test: $.kernels[0].m");
  CHECK(spread[4].result.number("kernel.time") > spread[0].result.number("kernel.time"));
}

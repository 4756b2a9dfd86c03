// gpuplan compare, as a user runs it.
#include "tests/ui/cli_testing.h"

TEST_CASE("compare sets a change against the scenario, at 80 columns") {
  const Answer text = gpuplan_command("compare " + kShort + "--with machine.gpu=H200-SXM-141GB");
  CHECK(text.code == 0);
  CHECK(text.out.find("B differs in  machine.gpu: H100-SXM5-80GB -> H200-SXM-141GB") != std::string::npos);
  CHECK(text.out.find("tpot.mean") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);

  const Answer json =
      gpuplan_command("compare --json " + kShort +
                      "--with machine.gpu=H200-SXM-141GB --with 'precision.weights=fp8;precision.kv=fp8'");
  CHECK(json.code == 0);
  const Value out = gpuplan::json::parse(json.out, "compare");
  REQUIRE(out.find("comparisons")->array().size() == 2);
  const Value& tpot = *out.find("comparisons")->array()[0].find("metrics")->find("serving.tpot.mean");
  // Decode reads weights and cache once a step: at most 4.8/3.35 = 1.43 times faster on an H200.
  CHECK(tpot.find("ratio")->number() < 0.85);
  CHECK(tpot.find("ratio")->number() > 1.0 / 1.44);
  CHECK(tpot.find("verdict")->string() == "better");
  // Both numbers are those of `run`.
  const Answer run = gpuplan_command("run --json --quiet " + kShort);
  CHECK(tpot.find("a")->number() ==
        gpuplan::json::parse(run.out, "run").find("metrics")->find("serving.tpot.mean")->number());
}

TEST_CASE("compare refuses what does not compare") {
  const Answer one = gpuplan_command("compare " + kScenario);
  CHECK(one.code == 2);
  const Answer kinds =
      gpuplan_command("compare " + kShort + " scenarios/kernel/fp8-vs-bf16.json --set traffic.duration=5");
  CHECK(kinds.code == 3);
  const Answer bad = gpuplan_command("compare " + kShort + "--with machine.gpu=H10");
  CHECK(bad.code == 3);
  CHECK(bad.err.find("$.machine.gpu") != std::string::npos);
  const Answer small = gpuplan_command("compare " + kShort +
                                       R"(--with 'machine.gpu={"base": "H100-SXM5-80GB", "memory_gb": 20}')");
  CHECK(small.code == 4);
  CHECK(small.out.find("short") != std::string::npos);
}

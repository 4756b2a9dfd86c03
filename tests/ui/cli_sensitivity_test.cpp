// gpuplan sensitivity, as a user runs it.
#include "tests/ui/cli_testing.h"

TEST_CASE("sensitivity prints elasticities, bounds and moves at 80 columns, and the same as JSON") {
  const std::string asked = "sensitivity --quiet " + kShort + "serving.tpot.mean ";
  const Answer text = gpuplan_command(asked);
  CHECK(text.code == 0);
  CHECK(widest_line(text.out).first <= 80);
  CHECK(text.out.find("if it cost nothing") != std::string::npos);

  const Answer alone = gpuplan_command(asked + "--json --jobs 1"),
               spread = gpuplan_command(asked + "--json --jobs 3");
  CHECK(alone.code == 0);
  CHECK(alone.out == spread.out);
  const Value out = gpuplan::json::parse(alone.out, "sensitivity");
  const Answer run = gpuplan_command("run --json --quiet " + kShort);
  CHECK(out.find("value")->number() ==
        gpuplan::json::parse(run.out, "run").find("metrics")->find("serving.tpot.mean")->number());
  CHECK(out.find("elasticities")->array().size() > 10);
}

TEST_CASE("sensitivity says what is wrong") {
  CHECK(gpuplan_command("sensitivity").code == 2);
  const Answer metric = gpuplan_command("sensitivity " + kShort + "serving.tpot.men");
  CHECK(metric.code == 3);
  CHECK(metric.err.find("serving.tpot.mean") != std::string::npos);
  CHECK(gpuplan_command("sensitivity " + kShort + "--jobs 0").code == 2);
}

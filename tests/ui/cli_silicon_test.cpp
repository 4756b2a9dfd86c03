// gpuplan run of silicon scenarios, as a user runs it.
#include "tests/ui/cli_testing.h"

TEST_CASE("a silicon scenario prints silicon, performance and money at 80 columns, and the same as JSON") {
  const std::string file = "scenarios/silicon/int4-or-sparsity.json";
  const Answer text = gpuplan_command("run --quiet " + file);
  CHECK(text.code == 0);
  CHECK(widest_line(text.out).first <= 80);
  for (const char* part : {"unit USD more", "at best", "cost of the work", "the assumption that dominates"}) {
    CHECK(text.out.find(part) != std::string::npos);
  }
  const Answer json = gpuplan_command("run --quiet --json " + file);
  const Value out = gpuplan::json::parse(json.out, "run");
  CHECK(out.find("ranking")->array().size() == 4);
  const Value& metrics = *out.find("metrics");
  CHECK(metrics.find("silicon.die_area")->number() > 700e-6);  // m2
  for (const char* name : {"silicon.die_cost", "silicon.yield", "silicon.delta.performance",
                           "silicon.delta.cost", "silicon.delta.tco", "silicon.delta.perf_per_watt"}) {
    CHECK(metrics.find(name) != nullptr);
  }
  const Answer why = gpuplan_command("explain " + file + " silicon.delta.tco");
  CHECK(why.code == 0);
  CHECK(widest_line(why.out).first <= 80);
  CHECK(why.out.find("TCO = ") != std::string::npos);
}

TEST_CASE("a silicon scenario that cannot be says where") {
  const std::string file = "scenarios/silicon/int4-or-sparsity.json";
  const Answer gpu = gpuplan_command("run " + file + " --set machine.gpu=L40S");
  CHECK(gpu.code == 3);
  CHECK(gpu.err.find("$.machine.gpu") != std::string::npos);
  const Answer path = gpuplan_command("run " + file + " --set workloads[0].scenario=nowhere.json");
  CHECK(path.code == 3);
  CHECK(path.err.find("nowhere.json") != std::string::npos);
  CHECK(gpuplan_command("run " + file + " --trace x").code == 2);
  const Answer metric = gpuplan_command("explain " + file + " silicon.delta.tc");
  CHECK(metric.code == 3);
  CHECK(metric.err.find("silicon.delta.tco") != std::string::npos);
}

// Comparisons of training jobs on the command line.
#include "tests/ui/cli_testing.h"

namespace {
const std::string kStudy = "scenarios/training/recompute-13b-64xh100.json";
}

TEST_CASE("cli: a comparison prints a table, sweeps, a verdict and crossovers", "[cli]") {
  const Answer text = gpuplan_command("run " + kStudy);
  REQUIRE(text.code == 0);
  for (const char* part :
       {"> none", "by operation", "over batch.micro_batch", "verdict", "none is the fastest",
        "80 % intervals", "the lead passes from none to by operation"}) {
    INFO(part);
    CHECK(text.out.find(part) != std::string::npos);
  }
  CHECK(widest_line(text.out).first <= 80);
  const Answer answer = gpuplan_command("run " + kStudy + " --json");
  REQUIRE(answer.code == 0);
  CHECK(gpuplan_command("run " + kStudy + " --json").out == answer.out);
  const Value out = gpuplan::json::parse(answer.out, "out");
  const Value& first = out.find("variants")->array()[0];
  CHECK(first.find("name")->string() == "none");
  CHECK(out.find("metrics")->find("training.step_time")->number() ==
        first.find("metrics")->find("training.step_time")->number());
  CHECK(out.find("verdict")->find("winner")->string() == "none");
  CHECK(out.find("verdict")->find("losers")->array().size() == 2);
  const Value& sweep = out.find("vary")->array()[0];
  CHECK(sweep.find("points")->array().size() == 5);
  const Value& large = sweep.find("points")->array()[4].find("variants")->array()[0];
  CHECK_FALSE(large.find("runs")->boolean());
  CHECK(large.find("short_by")->number() > 1e11);
  CHECK(sweep.find("crossovers")->array().size() == 2);  // none, by operation, full
}

TEST_CASE("cli: a comparison of one that fits and one that does not, and of none", "[cli]") {
  const Answer one = gpuplan_command("run " + kStudy + " --set batch.micro_batch=8 --set vary=[]");
  CHECK(one.code == 0);
  CHECK(one.out.find("full is the only one that runs") != std::string::npos);
  CHECK(one.out.find("none does not fit") != std::string::npos);
  const Answer none = gpuplan_command("run " + kStudy +
                                      " --set batch.micro_batch=8 --set vary=[] --set machine.nodes=1 "
                                      "--set batch.seq_len=131072");
  CHECK(none.code == 4);
  CHECK(none.out.find("no variant fits") != std::string::npos);
  CHECK(gpuplan_command("run " + kStudy + " --trace x").code == 2);
}

TEST_CASE("cli: explain derives metrics of every variant", "[cli]") {
  const Answer answer = gpuplan_command("explain " + kStudy + " training.mfu");
  CHECK(answer.code == 0);
  for (const char* part : {"none: training.mfu", "by operation: training.mfu", "full: training.mfu"}) {
    CHECK(answer.out.find(part) != std::string::npos);
  }
}

TEST_CASE("cli: a plan over numbers of nodes shows what each costs", "[cli]") {
  const std::string plan =
      "plan scenarios/training/llama2-13b-how-many-nodes.json --quiet --jobs 2 "
      "--set plan.nodes=[2,32]";
  const Answer text = gpuplan_command(plan);
  REQUIRE(text.code == 0);
  for (const char* part :
       {"electricity included", "cheapest: $", "nodes   the fastest on so many", "USD a million tokens"}) {
    INFO(part);
    CHECK(text.out.find(part) != std::string::npos);
  }
  CHECK(widest_line(text.out).first <= 80);
  const Value found = gpuplan::json::parse(gpuplan_command(plan + " --json").out, "plan");
  const Value& out = *found.find("plan");
  REQUIRE(out.find("nodes")->array().size() == 2);
  const double best = out.find("best")->find("usd_per_million_tokens")->number();
  CHECK(out.find("cheapest")->find("usd_per_million_tokens")->number() < best);
  CHECK(out.find("cost")->string().find("owned") == 0);
  CHECK(out.find("pareto")->array()[0].find("usd_per_million_tokens") != nullptr);
}

// Collective scenarios: metrics, table, steps and problems.
#include <catch2/catch.hpp>

#include "sim/report/collective_report.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const Library& library() {
  static const Library loaded = Library::load(data_root());
  return loaded;
}

CollectiveScenario scenario_of(const std::string& fields) {
  return resolve_collectives(json::parse(R"({"schema": 1, "kind": "collective")" + fields + "}", "test"),
                             "test", library());
}

CollectiveReport report_of(const std::string& fields) {
  const CollectiveScenario scenario = scenario_of(fields);
  return report_collectives(scenario, price_collectives(scenario, library()));
}

std::vector<Problem> problems_of(const std::string& fields) {
  try {
    (void)scenario_of(fields);
  } catch (const InputError& error) {
    return error.problems();
  }
  return {};
}

}  // namespace

TEST_CASE("A single collective: the metrics of the contract") {
  const CollectiveReport report =
      report_of(R"(, "machine": {"gpu": "H100-SXM5-80GB"}, "bytes": [536870912])");
  const Result& r = report.result;
  // 512 MiB on eight H100 were measured at 2.11 ms; bus bandwidth = 2 x 7/8 x bytes / time.
  const double time = r.number("collective.time");
  CHECK(time == Approx(2.11e-3).epsilon(0.05));
  CHECK(r.number("collective.algbw") == Approx(536870912.0 / time));
  CHECK(r.number("collective.busbw") == Approx(1.75 * 536870912.0 / time));
  CHECK(r.find("collective.algorithm")->value.string() == "nvls");
  CHECK(r.find("collective.protocol")->value.string() == "Simple");
  CHECK(r.number("collective.channels") == 16);
  CHECK(r.find("collective.steps") != nullptr);
  CHECK(r.find("collective.time")->interval80->at(0) < time);
  REQUIRE(report.table.array().size() == 1);
  CHECK(report.table.array()[0].find("expected_error")->number() > 0.0);
}

TEST_CASE("Several collectives and sizes: the default sizes of nccl-tests' kind") {
  const CollectiveReport report = report_of(R"(, "collectives": ["all_reduce", "alltoall"])");
  CHECK(report.table.array().size() == 22);  // 1 KiB to 1 GiB, times 4: 11 sizes
  CHECK(report.result.number("collective.alltoall[bytes=1024].time") > 0.0);
}

TEST_CASE("The machine of a collective: a part of a node, many nodes, other NICs") {
  const CollectiveScenario four =
      scenario_of(R"(, "machine": {"gpu": "A100-80GB-SXM4", "gpus_per_node": 4})");
  CHECK(four.group.ranks == 4);
  CHECK_FALSE(four.group.switch_reduces);
  const CollectiveScenario many = scenario_of(
      R"(, "machine": {"gpu": "H100-SXM5-80GB", "nodes": 4, "nics": 4, "nic_bandwidth": 25e9, "network": "roce"})");
  CHECK(many.group.ranks == 32);
  CHECK(many.group.channels == 4);
  CHECK(many.group.nic.si() == 25e9);
  CHECK(many.group.fabric == collectives::NetworkKind::roce);
  const CollectiveScenario box = scenario_of(R"(, "machine": {"gpu": "L40S"})");
  CHECK_FALSE(box.group.nvlink);
  CHECK(box.group.link.si() == box.gpu.pcie_bandwidth.si());
}

TEST_CASE("Steps of a ring of four are shown, those of a large group not") {
  const std::string ring =
      R"(, "bytes": [67108864], "algorithm": "ring", "protocol": "Simple", "steps": true)";
  const CollectiveReport four =
      report_of(ring + R"(, "machine": {"gpu": "A100-80GB-SXM4", "gpus_per_node": 4})");
  REQUIRE(four.steps.size() == 6);
  CHECK(four.steps[0] == "all_reduce ring, step 1: 0>1 #3+ 1>2 #0+ 2>3 #1+ 3>0 #2+");
  CHECK(report_of(ring + R"(, "machine": {"gpu": "A100-80GB-SXM4", "nodes": 4})").steps.empty());
}

TEST_CASE("Problems of a collective scenario name the path and the nearest choice") {
  CHECK(problems_of(R"(, "collectives": ["all_reduc"])").at(0).suggestion == "did you mean all_reduce?");
  CHECK(problems_of(R"(, "collectives": [])").at(0).path == "test: $.collectives");
  CHECK(problems_of(R"(, "machine": {"gpu": "H100-SXM5-80GB", "gpus_per_node": 1})").size() == 1);
  CHECK(problems_of(R"(, "machine": {"gpu": "H100-SXM5-80GB", "gpus_per_node": 64})").size() == 1);
  CHECK(problems_of(R"(, "machine": {"gpu": "H10O-SXM5-80GB"})").at(0).suggestion.find("H100-SXM5-80GB") !=
        std::string::npos);
  CHECK(problems_of(R"(, "bytes": [0])").at(0).path == "test: $.bytes[0]");
  CHECK(problems_of(R"(, "size": 4)").size() == 1);
}

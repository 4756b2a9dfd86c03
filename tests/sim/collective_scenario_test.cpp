// Collective scenarios: metrics, table, steps and problems.
#include <catch2/catch.hpp>

#include "sim/report/collective_report.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

CollectiveScenario scenario_of(const std::string& fields) {
  return resolve_collectives(json::parse(R"({"schema": 1, "kind": "collective")" + fields + "}", "test"),
                             "test", library());
}

CollectiveReport report_of(const std::string& fields) {
  const CollectiveScenario scenario = scenario_of(fields);
  return report_collectives(scenario, price_collectives(scenario, library()), library());
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

TEST_CASE("Several collectives and sizes, the default sizes of nccl-tests' kind") {
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

TEST_CASE("A fabric that is wide enough changes nothing, one that is not what its narrowest link says") {
  const auto rows_of = [](const std::string& fields) {
    return price_collectives(scenario_of(fields), library());
  };
  const std::string eight =
      R"(, "collectives": ["all_gather", "alltoall"], "bytes": [1073741824], "machine": {
      "gpu": "H100-SXM5-80GB", "nodes": 8)";
  const auto bare = rows_of(eight + "}");
  const auto rails = rows_of(eight + R"(, "fabric": {"kind": "rail_optimised"}})");
  const auto narrow = rows_of(
      eight + R"(, "fabric": {"kind": "fat_tree", "ports": 16, "leaf_down": 8, "oversubscription": 4}})");
  for (std::size_t i = 0; i < bare.size(); ++i) {
    CHECK_FALSE(bare[i].played);
    REQUIRE(rails[i].played);
    CHECK(rails[i].played->slowdown == Approx(1.0).epsilon(1e-9));
    CHECK(rails[i].played->narrowest.empty());
    CHECK(rails[i].time().si() == Approx(bare[i].time().si()).epsilon(1e-9));
    REQUIRE(narrow[i].played);
    CHECK(narrow[i].played->narrowest.find("spine") != std::string::npos);
  }
  // A leaf for each node with two uplinks of 50 GB/s for eight NICs. Of an all-gather 63/64 GiB leave every
  // node over them; of an all-to-all 8 x 56/64 GiB. Payload is 99.4 % of the link.
  const double gib = 1073741824.0, uplinks = 2.0 * 50e9 * 0.994;
  const auto expected = [&](const CollectiveRow& row, double bytes) {
    return row.price.time.si() - 1e-6 * row.price.parts.transfer + bytes / uplinks;
  };
  CHECK(narrow[0].time().si() == Approx(expected(narrow[0], 63.0 / 64.0 * gib)).epsilon(0.01));
  CHECK(narrow[1].time().si() == Approx(expected(narrow[1], 8.0 * 56.0 / 64.0 * gib)).epsilon(0.02));
}

TEST_CASE("A NIC that is down costs a ring its rail, and faults must name what is there") {
  const std::string eight = R"(, "collectives": ["all_gather"], "bytes": [1073741824], "machine": {
      "gpu": "H100-SXM5-80GB", "nodes": 8, "fabric": {"kind": "rail_optimised"}}, "faults": [)";
  const auto rows =
      price_collectives(scenario_of(eight + R"({"device": "node3/nic2", "bandwidth": 0}])"), library());
  REQUIRE(rows[0].played);
  CHECK(rows[0].played->channels == 7);
  CHECK(rows[0].played->slowdown > 1.0);
  // Seven rails of 49.7 GB/s carry 63/64 GiB of every node.
  CHECK(rows[0].time().si() == Approx(rows[0].price.time.si() - 1e-6 * rows[0].price.parts.transfer +
                                      63.0 / 64.0 * 1073741824.0 / (7.0 * 50e9 * 0.994))
                                   .epsilon(0.001));
  const auto unknown = problems_of(eight + R"({"device": "node3/nic9", "bandwidth": 0.5}])");
  REQUIRE(unknown.size() == 1);
  CHECK(unknown[0].path == "test: $.faults[0].device");
  CHECK(unknown[0].suggestion.find("node3/nic") != std::string::npos);
  const auto apart = problems_of(eight + R"({"device": "node3/nic2", "to": "node4/nic2"}])");
  REQUIRE(apart.size() == 1);
  CHECK(apart[0].path == "test: $.faults[0].to");
}

TEST_CASE("A distribution over seeds of the hash: what each seed gives, sorted") {
  const CollectiveScenario scenario = resolve_collectives(
      json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/collective/ecmp-distribution.json"),
      "test", library());
  const std::vector<CollectiveRow> rows = price_collectives(scenario, library());
  const std::vector<fabric::DeviceId> gpus(scenario.topology->gpus().begin(),
                                           scenario.topology->gpus().end());
  for (const CollectiveRow& row : rows) {
    CAPTURE(row.name());
    REQUIRE(row.seeds);
    CHECK(row.seeds->seeds == 100);
    CHECK(row.seeds->even <= row.seeds->best);
    CHECK(row.seeds->best <= row.seeds->median);
    CHECK(row.seeds->median <= row.seeds->p90);
    CHECK(row.seeds->p90 <= row.seeds->worst);
    CHECK(row.played->time >= row.seeds->best);
    CHECK(row.played->time <= row.seeds->worst);
  }
  // An all-gather in rings: latency, and 63/64 of the bytes at the rate that the rings of the seed keep.
  const CollectiveRow& gather = rows[3];
  REQUIRE(gather.name() == "all_gather[bytes=1073741824]");
  const auto time = [&](std::optional<std::uint64_t> seed) {
    const double rate = collectives::plan_rings(*scenario.topology, gpus, {.ecmp_seed = seed}).bandwidth.si();
    const double least = 1e-6 * gather.price.parts.transfer;
    return gather.price.time.si() - least + std::max(least, 63.0 / 64.0 * 1073741824.0 / rate);
  };
  std::vector<double> times;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    times.push_back(time(seed));
  }
  CHECK(time(gather.seeds->worst_seed) == Approx(gather.seeds->worst.si()).epsilon(1e-9));
  std::sort(times.begin(), times.end());
  CHECK(gather.seeds->even.si() == Approx(time(std::nullopt)).epsilon(1e-9));
  CHECK(gather.seeds->best.si() == Approx(times[0]).epsilon(1e-9));
  CHECK(gather.seeds->median.si() == Approx(times[49]).epsilon(1e-9));  // 50 of 100 are no slower
  CHECK(gather.seeds->p90.si() == Approx(times[89]).epsilon(1e-9));
  CHECK(gather.seeds->worst.si() == Approx(times[99]).epsilon(1e-9));
  const CollectiveReport report = report_collectives(scenario, rows, library());
  const std::string name = "collective." + gather.name() + ".ecmp.";
  CHECK(report.result.number(name + "p90") == gather.seeds->p90.si());
  CHECK(report.result.number(name + "worst_slowdown") ==
        Approx(gather.seeds->worst.si() / gather.seeds->even.si()));
  // Seeds without the first of them.
  const auto problems = problems_of(R"(, "ecmp_seeds": 10)");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].path == "test: $.ecmp_seeds");
}

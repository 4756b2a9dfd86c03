// Faults on the links that collectives take: switches, NICs and links that are down, narrow or slow to
// answer, each against arithmetic by hand.
#include <catch2/catch.hpp>

#include "sim/report/collective_report.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

constexpr double kGib = 1073741824.0;
constexpr double kNic = 50e9 * 0.994;      // B/s of payload over a cable of 400 Gbit/s
constexpr double kNvlink = 450e9 * 0.824;  // B/s that a GPU of a DGX H100 reaches, per direction

// The only row of a scenario on H100, `fields` following "gpu" in `machine` and `rest` behind that.
CollectiveRow row_of(const std::string& machine, const std::string& rest) {
  const CollectiveScenario scenario = resolve_collectives(
      json::parse(R"({"schema": 1, "kind": "collective", "bytes": [1073741824], "machine": {
          "gpu": "H100-SXM5-80GB")" +
                      machine + "}" + rest + "}",
                  "test"),
      "test", library());
  CollectiveRow row = price_collectives(scenario, library()).at(0);
  REQUIRE(row.played);
  return row;
}

std::vector<Problem> problems_of(const std::string& machine, const std::string& rest) {
  try {
    (void)row_of(machine, rest);
  } catch (const InputError& error) {
    return error.problems();
  }
  return {};
}

std::string faults(const std::string& list) { return R"(, "faults": [)" + list + "]"; }

// Seconds beside the price's own latency: what the links hold it for.
double on_links(const CollectiveRow& row) {
  return row.time().si() - (row.price.time.si() - 1e-6 * row.price.parts.transfer);
}

const std::string kOneSwitch = R"(, "fabric": {"kind": "single_switch"})";
const std::string kFourNodesOfOne = R"(, "nodes": 4, "gpus_per_node": 1, "nics": 1)" + kOneSwitch;

}  // namespace

TEST_CASE("NVLS, CollNet and PAT on a whole fabric that is wide enough take what they are priced") {
  for (const int nodes : {1, 2, 4, 16}) {
    const std::string machine =
        R"(, "network_reduces": true, "fabric": {"kind": "fat_tree"}, "nodes": )" + std::to_string(nodes);
    for (const std::string algorithm : {"nvls", "nvls_tree", "collnet_direct", "collnet_chain"}) {
      if (nodes == 1 && algorithm != "nvls") {
        continue;
      }
      CAPTURE(nodes, algorithm);
      const CollectiveRow row = row_of(machine, R"(, "algorithm": ")" + algorithm + "\"");
      CHECK(json::name_of(row.price.choice.algorithm) == algorithm);
      CHECK(row.played->slowdown == Approx(1.0).epsilon(1e-9));
      CHECK(row.played->narrowest.empty());
    }
    for (const std::string collective : {"all_gather", "reduce_scatter"}) {
      if (nodes > 1) {
        const CollectiveRow row = row_of(machine + R"(, "gpus_per_node": 1, "nics": 1)",
                                         R"(, "algorithm": "pat", "collectives": [")" + collective + "\"]");
        CHECK(row.price.choice.algorithm == collectives::Algorithm::pat);
        CHECK(row.played->slowdown == Approx(1.0).epsilon(1e-9));
      }
    }
  }
}

TEST_CASE("NVLS with half of one GPU's NVLink: that GPU holds all eight") {
  const CollectiveRow row = row_of(kOneSwitch, R"(, "algorithm": "nvls")" + faults(R"({
      "device": "node0/gpu3", "to": "node0/nvswitch0", "bandwidth": 0.5})"));
  // Up: all that it adds, and an eighth that it hands on as head. 1 + 1/8 GiB at half of 450 GB/s.
  CHECK(on_links(row) == Approx(1.125 * kGib / (0.5 * kNvlink)).epsilon(0.002));
  CHECK(row.played->slowdown > 1.5);
  CHECK(row.played->narrowest.find("node0/gpu3") != std::string::npos);
}

TEST_CASE("CollNet over a fat tree of 2:1: a leaf of one node sends all of it up, one of two no more") {
  const auto row = [](const std::string& tree) {
    return row_of(R"(, "nodes": 4, "network_reduces": true, "fabric": {"kind": "fat_tree",
        "oversubscription": 2, )" +
                      tree + "}",
                  R"(, "algorithm": "collnet_direct")");
  };
  // Eight rails carry an eighth each; four cables lead up from the leaf of a node.
  const CollectiveRow alone = row(R"("ports": 16, "leaf_down": 8)");
  CHECK(on_links(alone) == Approx(kGib / (4.0 * kNic)).epsilon(1e-6));
  CHECK(alone.played->narrowest == "leaf0 -> spine0");
  // Two nodes on a leaf: it adds what both send and passes on a sum of the same size over eight cables.
  const CollectiveRow added = row(R"("ports": 32, "leaf_down": 16)");
  CHECK(added.played->slowdown == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("PAT with one NIC at half its rate: three quarters of the bytes pass it") {
  for (const std::string collective : {"all_gather", "reduce_scatter"}) {
    CAPTURE(collective);
    const CollectiveRow row =
        row_of(kFourNodesOfOne, R"(, "algorithm": "pat", "collectives": [")" + collective + "\"]" +
                                    faults(R"({"device": "node2/nic0", "to": "leaf0", "bandwidth": 0.5})"));
    // Rounds of distance 2 and 1 with 1 and 2 chunks of a quarter: 3/4 GiB at 25 GB/s.
    CHECK(on_links(row) == Approx(0.75 * kGib / (0.5 * kNic)).epsilon(1e-6));
    CHECK(row.played->narrowest.find("node2/nic0") != std::string::npos);
  }
}

TEST_CASE("A spine of four down: what must cross takes 4/3 as long, eight rings over three 3/2") {
  // A leaf for each of eight nodes, a cable from each leaf to each of four spines.
  const std::string tree = R"(, "nodes": 8, "fabric": {"kind": "fat_tree", "ports": 12, "leaf_down": 8,
      "oversubscription": 2})";
  const std::string down = faults(R"({"device": "spine2"})");
  const std::string pairs = R"(, "collectives": ["alltoall"])";
  // 8 x 56 pairs leave a leaf with a 64th of a GiB each: 112 on each of four cables, of three 149 or 150.
  const CollectiveRow whole = row_of(tree, pairs), broken = row_of(tree, pairs + down);
  CHECK(on_links(whole) == Approx(112.0 / 64.0 * kGib / kNic).epsilon(1e-6));
  CHECK(on_links(broken) == Approx(150.0 / 64.0 * kGib / kNic).epsilon(1e-6));
  CHECK(on_links(broken) / on_links(whole) == Approx(4.0 / 3.0).epsilon(0.005));
  CHECK(broken.played->narrowest.find("spine") != std::string::npos);
  // Two rings on a cable, then three, two of the cables: each ring carries an eighth of 63/64 GiB.
  const std::string rings = R"(, "collectives": ["all_gather"], "algorithm": "ring")";
  const double one = 63.0 / 64.0 * kGib / 8.0;
  CHECK(on_links(row_of(tree, rings)) == Approx(2.0 * one / kNic).epsilon(1e-6));
  CHECK(on_links(row_of(tree, rings + down)) == Approx(3.0 * one / kNic).epsilon(1e-6));
}

TEST_CASE("A leaf down takes its rail out of the rings") {
  const std::string rails = R"(, "nodes": 4, "fabric": {"kind": "rail_optimised"})";
  const CollectiveRow row = row_of(
      rails, R"(, "collectives": ["all_gather"], "algorithm": "ring")" + faults(R"({"device": "leaf5"})"));
  CHECK(row.played->channels == 7);
  CHECK(on_links(row) == Approx(31.0 / 32.0 * kGib / (7.0 * kNic)).epsilon(1e-6));
  // Pairs of the GPUs beside it take the NIC of a neighbour, which then carries twice as much: 2 x 24 parts.
  const CollectiveRow pairs =
      row_of(rails, R"(, "collectives": ["alltoall"])" + faults(R"({"device": "leaf5"})"));
  CHECK(on_links(pairs) == Approx(48.0 / 32.0 * kGib / kNic).epsilon(1e-6));
}

TEST_CASE("A slow answer adds to every step that waits for it") {
  const double delay = 20e-6;
  const auto added = [&](const std::string& machine, const std::string& rest, const std::string& where) {
    const CollectiveRow row = row_of(machine, rest + faults("{" + where + R"(, "latency": 20e-6})"));
    CHECK(row.played->delay.si() == Approx(row.time().si() - row.price.time.si()));
    return (row.time().si() - row.price.time.si()) / delay;
  };
  const std::string gather = R"(, "algorithm": "ring", "collectives": ["all_gather"])";
  const std::string reduce = R"(, "algorithm": "ring", "collectives": ["all_reduce"])";
  const std::string leaf = R"("device": "leaf0")", port = R"("device": "node1/nic0", "to": "leaf0")";
  // The switch: each of 3 steps, or 2 x 3, passes two of its links.
  CHECK(added(kFourNodesOfOne, gather, leaf) == Approx(6.0));
  CHECK(added(kFourNodesOfOne, reduce, leaf) == Approx(12.0));
  // One port: of four hops in a row the one into the node and the one out. Three steps pass both; six once
  // more both, four hops later.
  CHECK(added(kFourNodesOfOne, gather, port) == Approx(2.0));
  CHECK(added(kFourNodesOfOne, reduce, port) == Approx(4.0));
  // NVLS: the sum waits for the way up, and its copies for the way down.
  CHECK(added(kOneSwitch, R"(, "algorithm": "nvls")", R"("device": "node0/gpu3", "to": "node0/nvswitch0")") ==
        Approx(2.0));
  // CollNet: once up to the switch and once down. PAT on four: two rounds through it, two links each.
  CHECK(added(R"(, "nodes": 4, "network_reduces": true)" + kOneSwitch, R"(, "algorithm": "collnet_direct")",
              leaf) == Approx(2.0));
  CHECK(added(kFourNodesOfOne, R"(, "algorithm": "pat", "collectives": ["all_gather"])", leaf) ==
        Approx(4.0));
  // Pairs go at once: two links.
  CHECK(added(kFourNodesOfOne, R"(, "collectives": ["alltoall"])", leaf) == Approx(2.0));
}

TEST_CASE("Faults that make no sense name their path, those that cut ranks off who cannot reach whom") {
  const auto only = [](const std::string& machine, const std::string& rest) {
    const std::vector<Problem> problems = problems_of(machine, rest);
    REQUIRE(problems.size() == 1);
    return problems[0];
  };
  const std::string tree = R"(, "nodes": 8, "fabric": {"kind": "fat_tree", "ports": 12, "leaf_down": 8,
      "oversubscription": 2})";
  const Problem unknown = only(tree, faults(R"({"device": "spine7"})"));
  CHECK(unknown.path == "test: $.faults[0].device");
  CHECK(unknown.suggestion.find("spine") != std::string::npos);
  CHECK(only(tree, faults(R"({"device": "leaf0", "to": "leaf1"})")).path == "test: $.faults[0].to");
  CHECK(only(tree, faults(R"({"device": "leaf0", "latency": -1})")).path == "test: $.faults[0].latency");
  CHECK(only(tree, faults(R"({"device": "leaf0", "latncy": 1})")).suggestion == "did you mean latency?");
  // Its leaf is the only way out of node 0.
  const Problem cut = only(tree, faults(R"({"device": "leaf0"})"));
  CHECK(cut.path == "test: $.faults");
  CHECK(cut.found.find("no way from node0/gpu") != std::string::npos);
  CHECK(cut.found.find("to node1/gpu") != std::string::npos);
  // NVLS has no other way than NVLink.
  const Problem alone = only(kOneSwitch, R"(, "algorithm": "nvls")" + faults(R"({
      "device": "node0/gpu3", "to": "node0/nvswitch0"})"));
  CHECK(alone.path == "$.faults");
  CHECK(alone.found.find("nvls") != std::string::npos);
}

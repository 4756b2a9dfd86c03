// Cables of a bundle under ECMP: how flows that share one slow each other, and how often a hash makes them.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "hwmodels/fabric/cluster.h"
#include "sim/collective/fabric_flows.h"

using namespace gpuplan;
using namespace gpuplan::sim;
using collectives::Collective;

namespace {

fabric::Topology cluster(const std::string& json) {
  static const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return build_cluster(fabric::read_cluster(json::parse(json, "cluster"), catalogue, "cluster: $"), catalogue,
                       "cluster: $");
}

// Two nodes of eight NICs, a leaf each, one spine: a bundle of eight cables up and down each way.
fabric::Topology two_leaves() {
  return cluster(R"({"node": "DGX-H100", "nodes": 2, "fabric": {"kind": "fat_tree", "ports": 16}})");
}

// Probability that the fullest of `bins` bins holds at most `most` of `balls` thrown at random: the ways to
// do so are balls! times the coefficient of x^balls in (sum over i <= most of x^i / i!)^bins.
double fullest_at_most(int balls, int bins, int most) {
  std::vector<double> ways(static_cast<std::size_t>(balls) + 1, 0.0);
  ways[0] = 1.0;
  for (int bin = 0; bin < bins; ++bin) {
    std::vector<double> with(ways.size(), 0.0);
    for (int before = 0; before <= balls; ++before) {
      for (int here = 0; here <= most && before + here <= balls; ++here) {
        with[static_cast<std::size_t>(before + here)] +=
            ways[static_cast<std::size_t>(before)] / std::tgamma(here + 1.0);
      }
    }
    ways = with;
  }
  return ways.back() * std::tgamma(balls + 1.0) / std::pow(bins, balls);
}

// A share seen in `count` trials, within four standard deviations and a half.
void check_share(double seen, double expected, int count) {
  const double deviation = std::sqrt(expected * (1.0 - expected) / count);
  CHECK(std::abs(seen - expected) <= 4.5 * deviation + 1e-12);
}

}  // namespace

TEST_CASE("The arithmetic of balls in bins, on cases counted by hand") {
  CHECK(fullest_at_most(2, 2, 1) == Approx(0.5));         // the second misses the first
  CHECK(fullest_at_most(3, 3, 1) == Approx(6.0 / 27.0));  // 3! of 3^3
  CHECK(fullest_at_most(3, 2, 2) == Approx(6.0 / 8.0));   // all but both piles of three
  CHECK(fullest_at_most(8, 8, 8) == Approx(1.0));
}

TEST_CASE("Only bundles of the network have lanes, and only under ECMP") {
  const fabric::Topology topology = two_leaves();
  const fabric::Lanes one, apart(topology);
  CHECK(one.places(topology) == topology.links().size());
  CHECK(apart.places(topology) == topology.links().size() + 4 * 7);  // two bundles, two ways, 7 cables more
  double whole = 0.0, cut = 0.0;
  for (fabric::PlaceId place = 0; place < one.places(topology); ++place) {
    whole += one.usable(topology, place).si();
  }
  for (fabric::PlaceId place = 0; place < apart.places(topology); ++place) {
    cut += apart.usable(topology, place).si();
  }
  CHECK(cut == Approx(whole).epsilon(1e-12));
  const fabric::LinkId up = *topology.link(topology.devices_of(-1)[0], topology.devices_of(-1)[2]);
  CHECK(one.name(topology, up) == "leaf0 -> spine0");
  CHECK(apart.name(topology, up) == "leaf0 -> spine0 cable 1 of 8");
  CHECK(apart.name(topology, static_cast<fabric::PlaceId>(apart.places(topology) - 1)) ==
        "spine0 -> leaf1 cable 8 of 8");
  const std::vector<fabric::DeviceId> gpus(topology.gpus().begin(), topology.gpus().end());
  CHECK(collectives::plan_rings(topology, gpus).hops_by_link.size() == topology.links().size());
}

TEST_CASE("k flows on one cable of a bundle take k times as long as one, whatever the others do") {
  const fabric::Topology topology = two_leaves();
  const fabric::Lanes lanes(topology);
  const auto gpus = topology.gpus();
  const auto from = topology.of_node(0, fabric::DeviceKind::nic),
             to = topology.of_node(1, fabric::DeviceKind::nic);
  // A flow takes the cables that its hash names on the way up and on the way down: look for hashes of flows
  // that go up by one cable and down by cables of their own.
  const fabric::Route way = topology.route(from[0], to[0]);
  REQUIRE(way.size() == 4);  // NIC, leaf, spine, leaf, NIC
  for (std::size_t k = 1; k <= 4; ++k) {
    std::map<fabric::PlaceId, std::uint64_t> down;
    for (std::uint64_t hash = 1; down.size() < k; ++hash) {
      if (lanes.place(topology, way[1], hash) == way[1]) {
        down.emplace(lanes.place(topology, way[2], hash), hash);
      }
    }
    Engine engine;
    const FabricFlows flows(engine, topology, lanes);
    CollectiveFlows collectives(engine);
    CollectiveWork work{.lockstep = false};
    std::size_t nic = 0;
    for (const auto& [place, hash] : down) {
      work.ranks.push_back(flows.demands(topology.route(from[nic], to[nic]), 1e9, hash));
      ++nic;
    }
    collectives.start(work, {});
    engine.run();
    // A cable carries what a NIC's port does: 50 GB/s of which 99.4 % is payload.
    CHECK(engine.now().si() == Approx(static_cast<double>(k) * 1e9 / (50e9 * 0.994)).epsilon(1e-9));
    // As one wide link the same flows do not meet.
    Engine wide_engine;
    const FabricFlows wide(wide_engine, topology);
    CollectiveFlows spread(wide_engine);
    for (std::size_t i = 0; i < work.ranks.size(); ++i) {
      work.ranks[i] = wide.demands(topology.route(from[i], to[i]), 1e9);
    }
    spread.start(work, {});
    wide_engine.run();
    CHECK(wide_engine.now().si() == Approx(1e9 / (50e9 * 0.994)).epsilon(1e-9));
  }
  CHECK(gpus.size() == 16);
}

TEST_CASE("Over seeds, rings collide on the cables of a bundle as often as balls in bins") {
  // Eight rings over two nodes: eight flows each way over eight cables up and eight down, four throws of
  // eight balls into eight bins. The ring is as many times slower as the fullest cable of the four holds
  // flows. P(at most 2) = 0.35 a throw, and so 0.015 for all four: even spreading almost never comes by
  // itself.
  const fabric::Topology topology = two_leaves();
  const std::vector<fabric::DeviceId> gpus(topology.gpus().begin(), topology.gpus().end());
  const collectives::RingPlan even = collectives::plan_rings(topology, gpus);
  REQUIRE(even.channels.size() == 8);
  CHECK(even.bandwidth.si() == Approx(8 * 50e9 * 0.994).epsilon(1e-9));
  constexpr int kSeeds = 800;
  std::vector<int> seen(9, 0);
  double mean = 0.0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const collectives::RingPlan hashed =
        collectives::plan_rings(topology, gpus, {.ecmp_seed = static_cast<std::uint64_t>(seed)});
    const double slower = even.bandwidth.si() / hashed.bandwidth.si();
    const auto most = static_cast<std::size_t>(std::lround(slower));
    CHECK(slower == Approx(static_cast<double>(most)).epsilon(1e-9));  // whole flows meet
    REQUIRE(most <= 8);
    ++seen[most];
    mean += slower / kSeeds;
  }
  double so_far = 0.0, expected_mean = 0.0, below = 0.0;
  for (int most = 1; most <= 8; ++most) {
    CAPTURE(most);
    so_far += static_cast<double>(seen[static_cast<std::size_t>(most)]) / kSeeds;
    const double expected = std::pow(fullest_at_most(8, 8, most), 4.0);
    check_share(so_far, expected, kSeeds);
    expected_mean += most * (expected - below);
    below = expected;
  }
  CHECK(mean == Approx(expected_mean).epsilon(0.05));
}

TEST_CASE(
    "The cable of a flow is as good as random: pairs of flows meet once in as many as there are cables") {
  const fabric::Topology topology = two_leaves();
  const fabric::Lanes lanes(topology);
  const fabric::LinkId up = *topology.link(topology.devices_of(-1)[0], topology.devices_of(-1)[2]);
  const fabric::LinkId down = *topology.link(topology.devices_of(-1)[2], topology.devices_of(-1)[1]);
  constexpr int kFlows = 20000;
  int neighbours = 0, both = 0;
  std::map<fabric::PlaceId, int> used;
  for (std::uint64_t flow = 0; flow < kFlows; ++flow) {
    const bool meet_up = lanes.place(topology, up, flow) == lanes.place(topology, up, flow + 1);
    const bool meet_down = lanes.place(topology, down, flow) == lanes.place(topology, down, flow + 1);
    neighbours += meet_up ? 1 : 0;
    both += meet_up && meet_down ? 1 : 0;
    ++used[lanes.place(topology, up, flow)];
  }
  check_share(static_cast<double>(neighbours) / kFlows, 1.0 / 8.0, kFlows);
  check_share(static_cast<double>(both) / kFlows, 1.0 / 64.0, kFlows);  // switches hash independently
  REQUIRE(used.size() == 8);
  for (const auto& [place, count] : used) {
    check_share(static_cast<double>(count) / kFlows, 1.0 / 8.0, kFlows);
  }
}

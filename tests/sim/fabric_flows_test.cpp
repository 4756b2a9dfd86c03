// Collectives on the links of real topologies: rings as the graph search lays them, and what meets on a link.
#include "sim/collective/fabric_flows.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <set>

#include "hwmodels/fabric/cluster.h"

using namespace gpuplan;
using namespace gpuplan::sim;
using collectives::Collective;

namespace {

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

fabric::Topology cluster(const std::string& json) {
  const fabric::Cluster resolved =
      fabric::read_cluster(json::parse(json, "cluster"), catalogue(), "cluster: $");
  return build_cluster(resolved, catalogue(), "cluster: $");
}

std::vector<fabric::DeviceId> all(const fabric::Topology& topology) {
  return {topology.gpus().begin(), topology.gpus().end()};
}

// Seconds that the works take, started together.
std::vector<double> times(const fabric::Topology& topology,
                          const std::function<std::vector<CollectiveWork>(const FabricFlows&)>& works) {
  struct Clock {
    Engine engine;
    std::vector<double> ends;
    void note(std::uint64_t i) { ends[i] = engine.now().si(); }
  } clock;
  const FabricFlows flows(clock.engine, topology);
  CollectiveFlows collectives(clock.engine);
  const std::vector<CollectiveWork> all_works = works(flows);
  clock.ends.assign(all_works.size(), std::nan(""));
  for (std::size_t i = 0; i < all_works.size(); ++i) {
    collectives.start(all_works[i], Callback::of<&Clock::note>(&clock, i));
  }
  clock.engine.run();
  return clock.ends;
}

Approx near(double value) { return Approx(value).epsilon(1e-9); }

}  // namespace

TEST_CASE("Rings visit each GPU once, hop from where they are, and take rails of their own") {
  for (const char* json :
       {R"({"node": "DGX-H100", "nodes": 1})", R"({"node": "DGX-A100", "nodes": 4})",
        R"({"node": "MI300X-OAM8", "nodes": 1})", R"({"node": "8xL40S-PCIe", "nodes": 1})",
        R"({"node": "4xA100-PCIe-NVLink", "nodes": 1})", R"({"node": "GB200-NVL72", "nodes": 1})",
        R"({"node": "AWS-p5.48xlarge", "nodes": 3, "fabric": {"kind": "fat_tree"}})"}) {
    CAPTURE(json);
    const fabric::Topology topology = cluster(json);
    const std::vector<fabric::DeviceId> gpus = all(topology);
    const collectives::RingPlan plan = collectives::plan_rings(topology, gpus);
    REQUIRE_FALSE(plan.channels.empty());
    CHECK(plan.bandwidth.si() > 0.0);
    for (const collectives::ChannelRing& ring : plan.channels) {
      REQUIRE(ring.hops.size() == gpus.size());
      std::set<fabric::DeviceId> visited;
      for (std::size_t i = 0; i < ring.hops.size(); ++i) {
        const collectives::Hop& hop = ring.hops[i];
        visited.insert(hop.from);
        CHECK(hop.to == ring.hops[(i + 1) % ring.hops.size()].from);
        REQUIRE_FALSE(hop.route.empty());
        fabric::DeviceId at = hop.from;
        for (const fabric::LinkId link : hop.route) {
          CHECK(topology.links()[link].from == at);
          at = topology.links()[link].to;
        }
        CHECK(at == hop.to);
      }
      CHECK(visited.size() == gpus.size());
    }
    // What the plan promises is what the engine gives.
    const double bytes = 1e9, n = static_cast<double>(gpus.size());
    const double took = times(topology, [&](const FabricFlows& flows) {
      return std::vector{flows.work(plan, {Collective::all_reduce, Bytes(bytes)})};
    })[0];
    CHECK(took == near(2.0 * (n - 1.0) / n * bytes / plan.bandwidth.si()));
  }
}

TEST_CASE("Bandwidth of rings, by hand") {
  const auto planned = [](const std::string& json) {
    const fabric::Topology topology = cluster(json);
    return collectives::plan_rings(topology, all(topology));
  };
  // One NVSwitch domain: a ring fills each GPU's link, so one is enough.
  const fabric::Topology h100 = cluster(R"({"node": "DGX-H100", "nodes": 1})");
  const auto link = h100.links_from(h100.gpus()[0]);
  const collectives::RingPlan one = collectives::plan_rings(h100, all(h100));
  CHECK(one.channels.size() == 1);
  double widest = 0.0;
  for (const fabric::LinkId id : link) {
    widest = std::max(widest, h100.links()[id].spec.usable().si());
  }
  CHECK(one.bandwidth.si() == near(widest));
  // Eight nodes with a rail for each of eight NICs: eight rings, each at the rate of a NIC. A GPU and its
  // neighbour share a PCIe switch with two NICs: the NIC is narrower than the switch's links.
  const collectives::RingPlan rails = planned(R"({"node": "DGX-H100", "nodes": 8})");
  CHECK(rails.channels.size() == 8);
  CHECK(rails.bandwidth.si() == Approx(8 * 50e9).epsilon(0.02));
  // With one NIC a node an eighth of it.
  const collectives::RingPlan single = planned(R"({"node": "DGX-H100", "nodes": 8, "nics": 1})");
  CHECK(single.channels.size() == 1);
  CHECK(single.bandwidth.si() == near(rails.bandwidth.si() / 8.0));
  // A mesh of seven links a GPU: rings of their own links, at least four of the seven directions.
  const collectives::RingPlan mesh = planned(R"({"node": "MI300X-OAM8", "nodes": 1})");
  CHECK(mesh.channels.size() >= 4);
  CHECK(mesh.channels.size() <= 7);
}

TEST_CASE("Step by step, a ring over rails takes what its flows take") {
  const fabric::Topology topology = cluster(R"({"node": "DGX-A100", "nodes": 2})");
  const collectives::RingPlan plan = collectives::plan_rings(topology, all(topology));
  const collectives::CollectiveOperation operation{Collective::all_gather, Bytes(1e9)};
  const double flow =
      times(topology, [&](const FabricFlows& flows) { return std::vector{flows.work(plan, operation)}; })[0];
  Engine engine;
  const FabricFlows flows(engine, topology);
  RingSteps steps(engine, flows.steps(plan, operation, Seconds(0)), {});
  steps.start();
  engine.run();
  CHECK(engine.now().si() == Approx(flow).epsilon(1e-6));
}

TEST_CASE("Collectives that share a rail slow each other, one inside the nodes does not") {
  const fabric::Topology topology = cluster(R"({"node": "DGX-H100", "nodes": 2})");
  // The first GPUs of both nodes, twice as two groups; the eight of node 0 among themselves.
  const std::vector<fabric::DeviceId> pair = {topology.gpus()[0], topology.gpus()[8]};
  const std::vector<fabric::DeviceId> node(topology.gpus().begin(), topology.gpus().begin() + 8);
  const collectives::RingPlan rail = collectives::plan_rings(topology, pair, {.channels = 1}),
                              inside = collectives::plan_rings(topology, node);
  const collectives::CollectiveOperation reduce{Collective::all_reduce, Bytes(1e9)},
      gather{Collective::all_gather, Bytes(1e9)};
  const double alone =
      times(topology, [&](const FabricFlows& f) { return std::vector{f.work(rail, reduce)}; })[0];
  const double gather_alone =
      times(topology, [&](const FabricFlows& f) { return std::vector{f.work(inside, gather)}; })[0];
  const auto twice = times(topology, [&](const FabricFlows& f) {
    return std::vector{f.work(rail, reduce), f.work(rail, reduce)};
  });
  CHECK(twice[0] == near(2.0 * alone));
  CHECK(twice[1] == near(2.0 * alone));
  const auto apart = times(topology, [&](const FabricFlows& f) {
    return std::vector{f.work(rail, reduce), f.work(inside, gather)};
  });
  CHECK(apart[0] == near(alone));
  CHECK(apart[1] == near(gather_alone));
}

TEST_CASE("Folded, collectives end when they do with all links, beside each other and with a slow one") {
  struct Case {
    const char* json;
    bool slow;
  };
  for (const Case& c : {Case{R"({"node": "DGX-H100", "nodes": 12})", false},
                        Case{R"({"node": "DGX-H100", "nodes": 12})", true},
                        Case{R"({"node": "DGX-A100", "nodes": 9, "fabric": {"kind": "fat_tree", "ports": 16,
                             "oversubscription": 3}})",
                             false},
                        Case{R"({"node": "MI300X-OAM8"})", false}}) {
    CAPTURE(c.json, c.slow);
    fabric::Topology topology = cluster(c.json);
    if (c.slow) {
      const fabric::LinkId link = topology.links_from(topology.of_node(3, fabric::DeviceKind::nic)[2])[0];
      topology.set_bandwidth(link, topology.links()[link].spec.bandwidth / 3.0);
    }
    // All GPUs, and every second one, at the same time.
    const std::vector<fabric::DeviceId> gpus = all(topology);
    std::vector<fabric::DeviceId> second;
    for (std::size_t i = 0; i < gpus.size(); i += 2) {
      second.push_back(gpus[i]);
    }
    const collectives::RingPlan wide = collectives::plan_rings(topology, gpus);
    const collectives::TreePlan trees = collectives::plan_trees(topology, second);
    const collectives::CollectiveOperation reduce{Collective::all_reduce, Bytes(1e9)},
        small{Collective::all_reduce, Bytes(3e8)};
    const auto whole = times(topology, [&](const FabricFlows& f) {
      return std::vector{f.work(wide, reduce), f.work(trees, small)};
    });
    const LinkUse uses[] = {
        {&wide.hops_by_link,
         bytes_per_hop(reduce, static_cast<int>(gpus.size())) / static_cast<double>(wide.channels.size())},
        {&trees.hops_by_link, small.bytes.si() / static_cast<double>(trees.trees.size())}};
    const std::vector<LinkClass> classes = fold(topology, uses);
    CHECK(classes.size() < topology.links().size() / 2);
    double folded_bytes = 0.0, bytes = 0.0;
    for (const LinkClass& link : classes) {
      folded_bytes += static_cast<double>(link.count) * link.bytes[0];
    }
    for (const double hops : wide.hops_by_link) {
      bytes += hops * uses[0].bytes_per_hop;
    }
    CHECK(folded_bytes == near(bytes));
    struct Clock {
      Engine engine;
      double ends[2] = {};
      void note(std::uint64_t i) { ends[i] = engine.now().si(); }
    } clock;
    CollectiveFlows flows(clock.engine);
    const std::vector<CollectiveWork> works = folded_work(clock.engine, topology, classes);
    for (std::size_t i = 0; i < works.size(); ++i) {
      flows.start(works[i], Callback::of<&Clock::note>(&clock, i));
    }
    clock.engine.run();
    CHECK(clock.ends[0] == near(whole[0]));
    CHECK(clock.ends[1] == near(whole[1]));
  }
}

TEST_CASE("Flows that a hash puts on one uplink slow the ring, a plan spreads them") {
  // A fat tree of 16 nodes, each on a leaf of its own: 8 NICs down and 8 uplinks. Spread by channel every hop
  // between leaves has an uplink of its own. A hash puts several of the 8 flows on one cable: as many times
  // slower as most meet.
  const fabric::Topology topology =
      cluster(R"({"node": "DGX-H100", "nodes": 16, "fabric": {"kind": "fat_tree", "ports": 16}})");
  const std::vector<fabric::DeviceId> gpus = all(topology);
  const collectives::RingPlan planned = collectives::plan_rings(topology, gpus);
  double worst = 1.0, mean = 0.0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const collectives::RingPlan hashed = collectives::plan_rings(topology, gpus, {.ecmp_seed = seed});
    double most = 0.0;
    for (fabric::PlaceId place = 0; place < hashed.hops_by_link.size(); ++place) {
      if (topology.links()[hashed.lanes.link_of(place)].spec.kind == fabric::LinkKind::network) {
        most = std::max(most, hashed.hops_by_link[place]);
      }
    }
    const double slower = planned.bandwidth.si() / hashed.bandwidth.si();
    CHECK(slower == Approx(std::max(1.0, most)).epsilon(0.01));
    worst = std::max(worst, slower);
    mean += slower / 20.0;
  }
  CHECK(worst >= 3.0);
  CHECK(mean >= 2.0);
  CHECK(collectives::plan_rings(topology, gpus, {.ecmp_seed = 7}).bandwidth ==
        collectives::plan_rings(topology, gpus, {.ecmp_seed = 7}).bandwidth);
}

TEST_CASE("A slow link slows the whole ring, and a NIC that is down takes its rail along") {
  fabric::Topology topology = cluster(R"({"node": "DGX-H100", "nodes": 4})");
  const std::vector<fabric::DeviceId> gpus = all(topology);
  const collectives::RingPlan healthy = collectives::plan_rings(topology, gpus);
  const auto nics = topology.of_node(2, fabric::DeviceKind::nic);
  const fabric::LinkId port = [&] {
    for (const fabric::LinkId id : topology.links_from(nics[3])) {
      if (topology.links()[id].spec.kind == fabric::LinkKind::network) {
        return id;
      }
    }
    return fabric::LinkId{0};
  }();
  const BytesPerSecond full = topology.links()[port].spec.bandwidth;
  topology.set_bandwidth(port, full / 4.0);
  const collectives::RingPlan slow = collectives::plan_rings(topology, gpus);
  CHECK(slow.bandwidth.si() == near(healthy.bandwidth.si() / 4.0));  // channels keep the same pace
  topology.set_bandwidth(port, BytesPerSecond(0.0));
  const collectives::RingPlan without = collectives::plan_rings(topology, gpus);
  CHECK(without.channels.size() == 7);
  CHECK(without.bandwidth.si() == near(healthy.bandwidth.si() * 7.0 / 8.0));
  for (const collectives::ChannelRing& ring : without.channels) {
    for (const collectives::Hop& hop : ring.hops) {
      CHECK(std::count(hop.route.begin(), hop.route.end(), port) == 0);
    }
  }
  // No way out of a node at all.
  for (const fabric::DeviceId nic : nics) {
    for (const fabric::LinkId id : topology.links_from(nic)) {
      if (topology.links()[id].spec.kind == fabric::LinkKind::network) {
        topology.set_bandwidth(id, BytesPerSecond(0.0));
      }
    }
  }
  CHECK_THROWS_AS(collectives::plan_rings(topology, gpus), InputError);
}

TEST_CASE("Trees reach every GPU once, and what cannot be a group is refused") {
  const fabric::Topology topology = cluster(R"({"node": "DGX-A100", "nodes": 5})");
  const std::vector<fabric::DeviceId> gpus = all(topology);
  const collectives::TreePlan plan = collectives::plan_trees(topology, gpus);
  CHECK(plan.trees.size() == 2 * 8);
  for (const collectives::ChannelTree& tree : plan.trees) {
    REQUIRE(tree.up.size() == gpus.size() - 1);
    std::set<fabric::DeviceId> children;
    for (std::size_t i = 0; i < tree.up.size(); ++i) {
      children.insert(tree.up[i].from);
      CHECK(tree.up[i].from == tree.down[i].to);
      CHECK(tree.up[i].to == tree.down[i].from);
    }
    CHECK(children.size() == gpus.size() - 1);
    CHECK(children.count(tree.root) == 0);
  }
  CHECK_THROWS_AS(collectives::plan_rings(topology, {}), InputError);
  CHECK_THROWS_AS(collectives::plan_rings(topology, std::vector{gpus[0], gpus[0]}), InputError);
  CHECK_THROWS_AS(
      collectives::plan_trees(topology, std::vector{topology.of_node(0, fabric::DeviceKind::nic)[0]}),
      InputError);
  CHECK(collectives::plan_rings(topology, std::vector{gpus[0]}).channels.empty());
}

TEST_CASE("Bytes are conserved: what a rank sends, another receives, whatever the topology") {
  std::mt19937 random(3);
  const char* nodes[] = {"DGX-H100", "DGX-A100", "8xL40S-PCIe", "MI300X-OAM8"};
  for (int trial = 0; trial < 12; ++trial) {
    const std::size_t node = random() % 4;  // the first two are sold with NICs
    const std::string json = std::string(R"({"node": ")") + nodes[node] + R"(", "nodes": )" +
                             std::to_string(node < 2 ? 1 + random() % 4 : 1) + "}";
    CAPTURE(json);
    const fabric::Topology topology = cluster(json);
    std::vector<fabric::DeviceId> gpus = all(topology);
    std::shuffle(gpus.begin(), gpus.end(), random);
    gpus.resize(2 + random() % (gpus.size() - 1));
    Engine engine;
    const FabricFlows flows(engine, topology);
    CollectiveFlows collectives(engine);
    const collectives::RingPlan plan = collectives::plan_rings(topology, gpus);
    const double bytes = 1e8;
    collectives.start(flows.work(plan, {Collective::all_reduce, Bytes(bytes)}), {});
    engine.run();
    const double n = static_cast<double>(gpus.size());
    for (const fabric::DeviceId gpu : gpus) {
      double out = 0.0, in = 0.0;
      for (fabric::LinkId link = 0; link < topology.links().size(); ++link) {
        out += topology.links()[link].from == gpu ? engine.used(flows.resource(link)) : 0.0;
        in += topology.links()[link].to == gpu ? engine.used(flows.resource(link)) : 0.0;
      }
      CHECK(out == near(2.0 * (n - 1.0) / n * bytes));
      CHECK(in == near(out));
    }
  }
}

// Properties of routes and cuts over random topologies, and imports of what is exported.
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "hwmodels/fabric/cluster.h"
#include "hwmodels/fabric/import/import.h"

using namespace gpuplan;
using namespace gpuplan::fabric;

namespace {

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  int below(int n) { return static_cast<int>(engine_() % static_cast<unsigned>(n)); }
  DeviceId of(std::span<const DeviceId> list) {
    return list[static_cast<std::size_t>(below(static_cast<int>(list.size())))];
  }

 private:
  std::mt19937 engine_;
};

LinkSpec some_link(Random& random, LinkKind kind) {
  return {.kind = kind,
          .bandwidth = BytesPerSecond(1e9 * (1 + random.below(50))),
          .latency = Seconds(1e-6),
          .efficiency = 1.0,
          .width = 1 + random.below(4)};
}

// A small node: a random tree of sockets and switches with GPUs and NICs on it, more links at random, and
// sometimes links of one direction.
Topology small_graph(Random& random) {
  Topology t;
  std::vector<DeviceId> inner{t.add({DeviceKind::socket, 0, 0})};
  const int more = 1 + random.below(5);
  for (int i = 0; i < more; ++i) {
    const bool socket = random.below(4) == 0;
    const DeviceId id = t.add({socket ? DeviceKind::socket : DeviceKind::pcie_switch, 0, i + 1});
    t.connect(id, socket ? inner[0] : random.of(inner),
              some_link(random, socket ? LinkKind::socket : LinkKind::pcie));
    inner.push_back(id);
  }
  const int gpus = 2 + random.below(4);
  for (int i = 0; i < gpus; ++i) {
    t.connect(t.add({DeviceKind::gpu, 0, i}), random.of(inner), some_link(random, LinkKind::pcie));
  }
  for (int i = random.below(4); i > 0; --i) {
    t.connect(t.add({DeviceKind::nic, 0, i}), random.of(inner), some_link(random, LinkKind::pcie));
  }
  for (int i = random.below(6); i > 0; --i) {
    const DeviceId a = random.of(t.gpus()), b = random.of(t.gpus());
    if (a != b && random.below(4) == 0) {
      t.connect_one_way(a, b, some_link(random, LinkKind::nvlink));
    } else if (a != b) {
      t.connect(a, b, some_link(random, LinkKind::nvlink));
    }
  }
  return t;
}

Topology random_cluster(Random& random) {
  static const std::vector<std::string> nodes = {"DGX-H100", "4xA100-PCIe-NVLink", "MI300X-OAM8",
                                                 "AWS-p4d.24xlarge", "8xL40S-PCIe"};
  ClusterSpec spec;
  spec.node = nodes[static_cast<std::size_t>(random.below(5))];
  spec.nodes = 2 + random.below(7);
  spec.nics = 1 + random.below(4);
  spec.fabric.kind = static_cast<FabricKind>(random.below(4));
  spec.fabric.link = "RoCE-400";
  spec.fabric.ports = spec.fabric.kind == FabricKind::single_switch ? 64 : 8 + 2 * random.below(8);
  spec.fabric.oversubscription = 1.0 + random.below(3);
  return build_cluster(resolve_cluster(spec, catalogue(), "$"), catalogue(), "$");
}

// Two groups of GPUs that share none.
std::pair<std::vector<DeviceId>, std::vector<DeviceId>> two_groups(const Topology& t, Random& random) {
  std::pair<std::vector<DeviceId>, std::vector<DeviceId>> groups;
  for (const DeviceId gpu : t.gpus()) {
    const int side = random.below(3);
    if (side < 2) {
      (side == 0 ? groups.first : groups.second).push_back(gpu);
    }
  }
  const auto gpus = t.gpus();
  if (groups.first.empty() || groups.second.empty()) {
    groups = {{gpus.front()}, {gpus.back()}};
  }
  return groups;
}

bool holds(const std::vector<DeviceId>& list, DeviceId id) {
  return std::find(list.begin(), list.end(), id) != list.end();
}

// The least capacity over all ways to give every other device to one of the sides.
double cut_by_trying(const Topology& t, const std::vector<DeviceId>& sources,
                     const std::vector<DeviceId>& sinks) {
  std::vector<DeviceId> others;
  for (DeviceId id = 0; id < t.device_count(); ++id) {
    if (t.device(id).kind != DeviceKind::gpu) {
      others.push_back(id);
    }
  }
  REQUIRE(others.size() <= 12);
  double least = 1e300;
  for (unsigned choice = 0; choice < (1u << others.size()); ++choice) {
    const auto on_source_side = [&](DeviceId id) {
      const auto place = std::find(others.begin(), others.end(), id);
      return place == others.end() ? holds(sources, id) : (choice >> (place - others.begin()) & 1u) != 0;
    };
    double sum = 0.0;
    for (const Link& link : t.links()) {
      const auto outside = [&](DeviceId id) {
        return t.device(id).kind == DeviceKind::gpu && !holds(sources, id) && !holds(sinks, id);
      };
      if (!outside(link.from) && !outside(link.to) && on_source_side(link.from) && !on_source_side(link.to)) {
        sum += link.spec.usable().si();
      }
    }
    least = std::min(least, sum);
  }
  return least;
}

void check_route(const Topology& t, const Route& route, DeviceId from, DeviceId to) {
  REQUIRE(!route.empty());
  CHECK(t.links()[route.front()].from == from);
  CHECK(t.links()[route.back()].to == to);
  for (std::size_t i = 1; i < route.size(); ++i) {
    const Link &before = t.links()[route[i - 1]], &after = t.links()[route[i]];
    CHECK(before.to == after.from);
    CHECK(t.device(before.to).kind != DeviceKind::gpu);
    CHECK((t.device(before.to).node < 0 || t.device(before.to).node == t.device(from).node ||
           t.device(before.to).node == t.device(to).node));
  }
}

}  // namespace

TEST_CASE("fabric: cuts are the least of all cuts", "[fabric][property]") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Topology t = small_graph(random);
    const auto [sources, sinks] = two_groups(t, random);
    const Cut cut = t.cut(sources, sinks);
    CHECK(cut.bandwidth.si() == Approx(cut_by_trying(t, sources, sinks)));
    // Without its links nothing gets through.
    for (const LinkId id : cut.links) {
      t.set_bandwidth(id, BytesPerSecond(0));
    }
    CHECK(t.cut(sources, sinks).bandwidth.si() == 0.0);
    for (const DeviceId from : sources) {
      for (const DeviceId to : sinks) {
        CHECK(t.route(from, to).empty());
      }
    }
  }
}

TEST_CASE("fabric: routes and cuts over random clusters", "[fabric][property]") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Topology t = random_cluster(random);
    CHECK(t.problems().empty());
    for (int trial = 0; trial < 20; ++trial) {
      const DeviceId a = random.of(t.gpus()), b = random.of(t.gpus());
      if (a == b) {
        CHECK(t.route(a, b).empty());
        continue;
      }
      const auto choice = static_cast<std::uint64_t>(random.below(1000));
      const Route there = t.route(a, b, choice), back = t.route(b, a, choice);
      check_route(t, there, a, b);
      check_route(t, back, b, a);
      CHECK(there.size() == back.size());
      CHECK(t.path_kind(a, b) == t.path_kind(b, a));
      CHECK(t.latency(there).si() == Approx(t.latency(back).si()));
      CHECK(t.bandwidth(there).si() <= t.cut({{a}}, {{b}}).bandwidth.si() * (1 + 1e-12));
    }
    const auto [sources, sinks] = two_groups(t, random);
    const Cut cut = t.cut(sources, sinks);
    const auto capacity = [&](const std::vector<DeviceId>& side, bool out) {
      double sum = 0.0;
      for (const Link& link : t.links()) {
        sum += holds(side, out ? link.from : link.to) ? link.spec.usable().si() : 0.0;
      }
      return sum;
    };
    CHECK(cut.bandwidth.si() <= capacity(sources, true) * (1 + 1e-12));
    CHECK(cut.bandwidth.si() <= capacity(sinks, false) * (1 + 1e-12));
    CHECK(t.cut(sinks, sources).bandwidth.si() == Approx(cut.bandwidth.si()));
    // A wider link never narrows a cut.
    const auto link = static_cast<LinkId>(random.below(static_cast<int>(t.links().size())));
    t.set_bandwidth(link, t.links()[link].spec.bandwidth * 3.0);
    CHECK(t.cut(sources, sinks).bandwidth.si() >= cut.bandwidth.si() * (1 - 1e-12));
  }
}

TEST_CASE("fabric: random machines survive being exported and imported", "[fabric][property]") {
  const LinkSpec pcie{.kind = LinkKind::pcie, .bandwidth = BytesPerSecond(31e9), .latency = Seconds(3e-7)};
  const LinkSpec between{
      .kind = LinkKind::socket, .bandwidth = BytesPerSecond(40e9), .latency = Seconds(3e-7)};
  for (unsigned seed = 0; seed < 200; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Topology t;
    std::vector<DeviceId> sockets, above;
    int switches = 0, bridges = 0;
    for (int s = 1 + random.below(3); s > 0; --s) {
      sockets.push_back(t.add({DeviceKind::socket, 0, static_cast<int>(sockets.size())}));
      for (std::size_t i = 0; i + 1 < sockets.size(); ++i) {
        t.connect(sockets[i], sockets.back(), between);
      }
    }
    // Every host bridge holds one switch (below which there may be another), as a PCIe root port does.
    for (int b = 1 + random.below(4); b > 0; --b) {
      const DeviceId bridge = t.add({DeviceKind::host_bridge, 0, bridges++});
      t.connect(random.of(sockets), bridge, pcie);
      DeviceId on = bridge;
      for (int level = 1 + random.below(3); level > 0; --level) {
        const DeviceId next = t.add({DeviceKind::pcie_switch, 0, switches++});
        t.connect(on, next, pcie);
        above.push_back(next);
        on = next;
      }
    }
    const int gpus = 2 + random.below(7), nics = random.below(4);
    for (int i = 0; i < gpus; ++i) {
      t.connect(t.add({DeviceKind::gpu, 0, i}), random.of(above), pcie);
    }
    for (int i = 0; i < nics; ++i) {
      t.connect(t.add({DeviceKind::nic, 0, i}), random.of(above), pcie);
    }
    const auto all = std::vector<DeviceId>(t.gpus().begin(), t.gpus().end());
    const int how = random.below(3);
    if (how == 1) {  // a crossbar of 2 chips
      const DeviceId crossbar = t.add({DeviceKind::nvswitch, 0, 0, 2});
      for (const DeviceId gpu : all) {
        t.connect(gpu, crossbar,
                  {.kind = LinkKind::nvlink,
                   .bandwidth = BytesPerSecond(300e9),
                   .latency = Seconds(5e-7),
                   .efficiency = 0.8,
                   .width = 12});
      }
    } else if (how == 2) {  // bridges of 4 links
      for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
        t.connect(all[i], all[i + 1],
                  {.kind = LinkKind::nvlink,
                   .bandwidth = BytesPerSecond(100e9),
                   .latency = Seconds(5e-7),
                   .efficiency = 0.8,
                   .width = 4});
      }
    }
    const std::string matrix = export_topo_matrix(t, 0);
    INFO(matrix);
    const Imported text = import_topo_matrix(matrix, "m", catalogue());
    CHECK(text.notes.size() == 1);  // nothing differs
    const std::string again = export_topo_matrix(text.topology, 0);
    CHECK(again.substr(0, again.find("\tCPU")) == matrix.substr(0, matrix.find("\tCPU")));
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < all.size(); ++j) {
        CHECK(path_text(text.topology, text.topology.gpus()[i], text.topology.gpus()[j]) ==
              path_text(t, all[i], all[j]));
      }
    }
    const Imported xml = import_nccl_xml(export_nccl_xml(t, 0), "x", catalogue());
    // NICs are numbered in the order of the file.
    std::multiset<std::string> before, after;
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (std::size_t j = 0; j < all.size(); ++j) {
        CHECK(path_text(xml.topology, xml.topology.gpus()[i], xml.topology.gpus()[j]) ==
              path_text(t, all[i], all[j]));
      }
      for (const DeviceId nic : t.of_node(0, DeviceKind::nic)) {
        before.insert(path_text(t, all[i], nic));
      }
      for (const DeviceId nic : xml.topology.of_node(0, DeviceKind::nic)) {
        after.insert(path_text(xml.topology, xml.topology.gpus()[i], nic));
      }
    }
    CHECK(before == after);
  }
}

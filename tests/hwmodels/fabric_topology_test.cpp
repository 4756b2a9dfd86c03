#include <catch2/catch.hpp>
#include <set>

#include "hwmodels/fabric/topology.h"
#include "hwmodels/json/describe.h"

using namespace gpuplan;
using namespace gpuplan::fabric;
using namespace gpuplan::literals;

namespace {

LinkSpec link_of(LinkKind kind, BytesPerSecond bandwidth, int width = 1, double efficiency = 1.0) {
  return {.kind = kind, .bandwidth = bandwidth, .latency = 1_us, .efficiency = efficiency, .width = width};
}

// Two sockets, each with two host bridges, each with a PCIe switch that two GPUs and a NIC hang on; the NIC
// of the first switch of a socket sits one switch deeper. No NVLink.
struct PcieBox {
  Topology t;
  std::vector<DeviceId> gpus, nics;

  explicit PcieBox(int node = 0) {
    std::vector<DeviceId> sockets;
    for (int s = 0; s < 2; ++s) {
      sockets.push_back(t.add({DeviceKind::socket, node, s}));
    }
    t.connect(sockets[0], sockets[1], link_of(LinkKind::socket, 20_GBps));
    int deeper = 4;
    for (int i = 0; i < 4; ++i) {
      const DeviceId bridge = t.add({DeviceKind::host_bridge, node, i});
      const DeviceId pcie = t.add({DeviceKind::pcie_switch, node, i});
      t.connect(sockets[static_cast<std::size_t>(i / 2)], bridge, link_of(LinkKind::pcie, 30_GBps));
      t.connect(bridge, pcie, link_of(LinkKind::pcie, 30_GBps));
      for (int j = 0; j < 2; ++j) {
        gpus.push_back(t.add({DeviceKind::gpu, node, 2 * i + j}));
        t.connect(gpus.back(), pcie, link_of(LinkKind::pcie, 30_GBps));
      }
      DeviceId above = pcie;
      if (i % 2 == 0) {
        above = t.add({DeviceKind::pcie_switch, node, deeper++});
        t.connect(pcie, above, link_of(LinkKind::pcie, 30_GBps));
      }
      nics.push_back(t.add({DeviceKind::nic, node, i}));
      t.connect(above, nics.back(), link_of(LinkKind::pcie, 30_GBps));
    }
  }
};

std::string kind_name(const Topology& t, DeviceId a, DeviceId b) {
  return std::string(json::name_of(t.path_kind(a, b)));
}

// Nodes of `rails` GPUs with a NIC each; NIC r of every node on leaf r; every leaf on every spine.
struct Rails {
  Topology t;
  std::vector<std::vector<DeviceId>> gpus, nics;
  std::vector<DeviceId> leaves, spines;

  Rails(int nodes, int rails, int spine_count) {
    for (int r = 0; r < rails; ++r) {
      leaves.push_back(t.add({DeviceKind::leaf, -1, r}));
    }
    for (int s = 0; s < spine_count; ++s) {
      spines.push_back(t.add({DeviceKind::spine, -1, s}));
      for (const DeviceId leaf : leaves) {
        t.connect(leaf, spines.back(), link_of(LinkKind::network, 40_GBps));
      }
    }
    for (int n = 0; n < nodes; ++n) {
      gpus.emplace_back();
      nics.emplace_back();
      const DeviceId crossbar = t.add({DeviceKind::nvswitch, n, 0, 4});
      for (int r = 0; r < rails; ++r) {
        gpus.back().push_back(t.add({DeviceKind::gpu, n, r}));
        nics.back().push_back(t.add({DeviceKind::nic, n, r}));
        t.connect(gpus.back().back(), crossbar, link_of(LinkKind::nvlink, 450_GBps, 18, 0.8));
        t.connect(gpus.back().back(), nics.back().back(), link_of(LinkKind::pcie, 60_GBps));
        t.connect(nics.back().back(), leaves[static_cast<std::size_t>(r)],
                  link_of(LinkKind::network, 50_GBps));
      }
    }
  }
};

}  // namespace

TEST_CASE("fabric: path kinds are those of nvidia-smi topo -m", "[fabric]") {
  const PcieBox box;
  CHECK(kind_name(box.t, box.gpus[0], box.gpus[0]) == "X");
  CHECK(kind_name(box.t, box.gpus[0], box.gpus[1]) == "PIX");  // one switch
  CHECK(kind_name(box.t, box.gpus[0], box.nics[0]) == "PXB");  // one switch behind another
  CHECK(kind_name(box.t, box.gpus[2], box.nics[1]) == "PIX");
  CHECK(kind_name(box.t, box.gpus[0], box.gpus[2]) == "NODE");  // two host bridges of one socket
  CHECK(kind_name(box.t, box.gpus[0], box.gpus[4]) == "SYS");
  CHECK(kind_name(box.t, box.nics[3], box.nics[0]) == "SYS");

  Topology direct;  // two GPUs below one host bridge
  const DeviceId bridge = direct.add({DeviceKind::host_bridge, 0, 0});
  const DeviceId a = direct.add({DeviceKind::gpu, 0, 0}), b = direct.add({DeviceKind::gpu, 0, 1});
  direct.connect(a, bridge, link_of(LinkKind::pcie, 30_GBps));
  direct.connect(b, bridge, link_of(LinkKind::pcie, 30_GBps));
  CHECK(kind_name(direct, a, b) == "PHB");
  const DeviceId alone = direct.add({DeviceKind::gpu, 0, 2});
  CHECK(kind_name(direct, a, alone) == "-");
}

TEST_CASE("fabric: NVLink is preferred to PCIe and counted over the switch", "[fabric]") {
  const Rails r(2, 4, 2);
  CHECK(r.t.path_kind(r.gpus[0][0], r.gpus[0][3]) == PathKind::nvlink);
  CHECK(r.t.nvlinks(r.gpus[0][0], r.gpus[0][3]) == 18);
  CHECK(r.t.path_kind(r.gpus[0][0], r.gpus[1][0]) == PathKind::network);
  CHECK(r.t.nvlinks(r.gpus[0][0], r.gpus[1][0]) == 0);
  const Route over = r.t.route(r.gpus[0][1], r.gpus[0][2]);
  REQUIRE(over.size() == 2);
  CHECK(r.t.bandwidth(over).si() == Approx(0.8 * 450e9));
  CHECK(r.t.latency(over).si() == Approx(2e-6));

  Topology bridged;  // a bridge of 12 links beside PCIe
  const DeviceId socket = bridged.add({DeviceKind::socket, 0, 0});
  const DeviceId a = bridged.add({DeviceKind::gpu, 0, 0}), b = bridged.add({DeviceKind::gpu, 0, 1});
  for (const DeviceId gpu : {a, b}) {
    bridged.connect(gpu, socket, link_of(LinkKind::pcie, 30_GBps));
  }
  bridged.connect(a, b, link_of(LinkKind::nvlink, 300_GBps, 12));
  CHECK(bridged.route(a, b).size() == 1);
  CHECK(bridged.nvlinks(a, b) == 12);
  const auto bridge = bridged.link(a, b);
  REQUIRE(bridge);
  bridged.set_bandwidth(*bridge, BytesPerSecond(0));  // it fails: PCIe remains, in that direction
  CHECK(bridged.route(a, b).size() == 2);
  CHECK(bridged.route(b, a).size() == 1);
  CHECK(bridged.nvlinks(a, b) == 0);
}

TEST_CASE("fabric: a route between nodes takes the rail, and the spine only between rails", "[fabric]") {
  Rails r(3, 4, 2);
  const Route same = r.t.route(r.gpus[0][2], r.gpus[1][2]);
  REQUIRE(same.size() == 4);  // PCIe, NIC to leaf, leaf to NIC, PCIe
  CHECK(r.t.links()[same[1]].to == r.leaves[2]);
  CHECK(r.t.bandwidth(same).si() == 50e9);
  const Route cross = r.t.route(r.gpus[0][0], r.gpus[2][3]);
  REQUIRE(cross.size() == 6);
  CHECK(r.t.links()[cross[1]].to == r.leaves[0]);
  CHECK(r.t.links()[cross[4]].from == r.leaves[3]);
  CHECK(r.t.bandwidth(cross).si() == 40e9);

  // Choices spread over the spines, and a link that is down is avoided.
  std::set<DeviceId> taken;
  for (std::uint64_t choice = 0; choice < 4; ++choice) {
    taken.insert(r.t.links()[r.t.route(r.gpus[0][0], r.gpus[2][3], choice)[2]].to);
  }
  CHECK(taken == std::set<DeviceId>(r.spines.begin(), r.spines.end()));
  r.t.set_bandwidth(*r.t.link(r.leaves[0], r.spines[0]), BytesPerSecond(0));
  for (std::uint64_t choice = 0; choice < 4; ++choice) {
    CHECK(r.t.links()[r.t.route(r.gpus[0][0], r.gpus[2][3], choice)[2]].to == r.spines[1]);
  }
  r.t.set_bandwidth(*r.t.link(r.leaves[0], r.spines[1]), BytesPerSecond(0));
  CHECK(r.t.route(r.gpus[0][0], r.gpus[2][3]).empty());
  CHECK(r.t.path_kind(r.gpus[0][0], r.gpus[2][3]) == PathKind::none);
}

TEST_CASE("fabric: a NIC with two ports and NICs back to back", "[fabric]") {
  Topology t;
  const DeviceId a = t.add({DeviceKind::nic, 0, 0}), b = t.add({DeviceKind::nic, 1, 0});
  const DeviceId far = t.add({DeviceKind::leaf, -1, 0}), near = t.add({DeviceKind::leaf, -1, 1});
  t.connect(a, far, link_of(LinkKind::network, 10_GBps));
  t.connect(a, near, link_of(LinkKind::network, 10_GBps));
  t.connect(far, near, link_of(LinkKind::network, 10_GBps));
  t.connect(b, near, link_of(LinkKind::network, 10_GBps));
  REQUIRE(t.route(a, b).size() == 2);
  CHECK(t.links()[t.route(a, b).front()].to == near);
  CHECK(t.route(far, b).size() == 2);  // a switch as an end
  t.connect(a, b, link_of(LinkKind::network, 5_GBps));
  CHECK(t.route(a, b).size() == 1);
}

TEST_CASE("fabric: GPUs that share NICs begin at different ones", "[fabric]") {
  const PcieBox box;
  CHECK(box.t.nearest_nics(box.gpus[0]).front() == box.nics[0]);
  CHECK(box.t.nearest_nics(box.gpus[7]).front() == box.nics[3]);
  CHECK(box.t.nearest_nics(box.gpus[0]).size() == 4);
  CHECK(box.t.nearest_nics(box.gpus[4])[1] == box.nics[3]);  // of the own socket before the other's

  Topology t;  // two GPUs and four NICs on one switch: GPU 0 takes NICs 0 and 1, GPU 1 takes 2 and 3
  const DeviceId pcie = t.add({DeviceKind::pcie_switch, 0, 0});
  std::vector<DeviceId> gpus, nics;
  for (int i = 0; i < 2; ++i) {
    gpus.push_back(t.add({DeviceKind::gpu, 0, i}));
    t.connect(gpus.back(), pcie, link_of(LinkKind::pcie, 60_GBps));
  }
  for (int i = 0; i < 4; ++i) {
    nics.push_back(t.add({DeviceKind::nic, 0, i}));
    t.connect(nics.back(), pcie, link_of(LinkKind::pcie, 60_GBps));
  }
  CHECK(t.nearest_nics(gpus[0]) == std::vector<DeviceId>{nics[0], nics[1], nics[2], nics[3]});
  CHECK(t.nearest_nics(gpus[1]) == std::vector<DeviceId>{nics[2], nics[3], nics[0], nics[1]});
  CHECK(t.nearest_nics(t.add({DeviceKind::gpu, 0, 2})).empty());
}

TEST_CASE("fabric: minimum cuts by hand", "[fabric]") {
  const PcieBox box;
  const auto cut = [&](std::vector<DeviceId> a, std::vector<DeviceId> b) {
    return box.t.cut(a, b).bandwidth.si();
  };
  CHECK(cut({box.gpus[0]}, {box.gpus[1]}) == 30e9);
  // Two GPUs below one switch: the switch's one way up.
  CHECK(cut({box.gpus[0], box.gpus[1]}, {box.gpus[2], box.gpus[3]}) == 30e9);
  CHECK(cut({box.gpus[0], box.gpus[2]}, {box.gpus[1], box.gpus[3]}) == 60e9);
  // Between sockets: their link.
  const std::vector<DeviceId> left(box.gpus.begin(), box.gpus.begin() + 4),
      right(box.gpus.begin() + 4, box.gpus.end());
  const Cut sockets = box.t.cut(left, right);
  CHECK(sockets.bandwidth.si() == 20e9);
  REQUIRE(sockets.links.size() == 1);
  CHECK(box.t.links()[sockets.links[0]].spec.kind == LinkKind::socket);

  // 3 nodes x 4 rails: a node against another is limited by its 4 NICs, 200 GB/s; the third node carries
  // nothing. Across rails a leaf has 2 spines of 40 GB/s, 80 GB/s, but the NIC only 50.
  const Rails r(3, 4, 2);
  CHECK(r.t.cut(r.gpus[0], r.gpus[1]).bandwidth.si() == 4 * 50e9);
  CHECK(r.t.cut(r.gpus[0], r.gpus[1]).links.size() == 4);
  const Cut rails = r.t.cut({{r.nics[0][0], r.nics[1][0], r.nics[2][0]}}, {{r.nics[0][1], r.nics[1][1]}});
  CHECK(rails.bandwidth.si() == 80e9);  // the two uplinks of leaf 0
  // Within a node nothing leaves it: the switch's 360 GB/s a GPU, and no NIC.
  CHECK(r.t.cut({{r.gpus[0][0]}}, {{r.gpus[0][1], r.gpus[0][2]}}).bandwidth.si() == Approx(360e9));

  Topology apart;
  const DeviceId a = apart.add({DeviceKind::gpu, 0, 0}), b = apart.add({DeviceKind::gpu, 0, 1});
  CHECK(apart.cut({{a}}, {{b}}).bandwidth.si() == 0.0);
}

TEST_CASE("fabric: a GPU carries nothing for others", "[fabric]") {
  Topology ring;  // four GPUs in a ring of direct links
  std::vector<DeviceId> gpus;
  for (int i = 0; i < 4; ++i) {
    gpus.push_back(ring.add({DeviceKind::gpu, 0, i}));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    ring.connect(gpus[i], gpus[(i + 1) % 4], link_of(LinkKind::xgmi, 50_GBps));
  }
  CHECK(ring.path_kind(gpus[0], gpus[1]) == PathKind::xgmi);
  CHECK(ring.route(gpus[0], gpus[2]).empty());
  CHECK(ring.cut({{gpus[0]}}, {{gpus[2]}}).bandwidth.si() == 0.0);
  CHECK(ring.cut({{gpus[0], gpus[1]}}, {{gpus[2], gpus[3]}}).bandwidth.si() == 100e9);
}

TEST_CASE("fabric: what makes a graph unusable is named", "[fabric]") {
  PcieBox box;
  CHECK(box.t.problems().empty());
  box.t.add({DeviceKind::gpu, 0, 8});
  const DeviceId ninth = box.t.add({DeviceKind::gpu, 0, 9}), tenth = box.t.add({DeviceKind::gpu, 0, 10});
  box.t.connect(ninth, tenth, link_of(LinkKind::nvlink, 300_GBps));
  box.t.connect_one_way(box.gpus[0], box.gpus[1], link_of(LinkKind::nvlink, 300_GBps));
  box.t.connect(box.gpus[2], box.gpus[3], link_of(LinkKind::nvlink, BytesPerSecond(0)));
  box.t.connect(box.gpus[4], box.gpus[5], link_of(LinkKind::nvlink, 1_GBps, 1, 1.5));
  std::string text;
  for (const Problem& problem : box.t.problems()) {
    text += to_string(problem) + "\n";
  }
  // Links in their order, then the parts that are cut off.
  CHECK(text ==
        "node0/gpu0 -> node0/gpu1: found a link of one direction; expected links both ways\n"
        "node0/gpu2 -> node0/gpu3: found 0 B/s; expected a bandwidth above zero\n"
        "node0/gpu3 -> node0/gpu2: found 0 B/s; expected a bandwidth above zero\n"
        "node0/gpu4 -> node0/gpu5: found an efficiency of 1.5; expected above 0 and at most 1\n"
        "node0/gpu5 -> node0/gpu4: found an efficiency of 1.5; expected above 0 and at most 1\n"
        "node0/gpu8: found no way to node0/gpu0; expected a graph in which every GPU reaches every other\n"
        "node0/gpu9: found no way to node0/gpu0 from it and 1 more; expected a graph in which every GPU "
        "reaches every other\n");
}

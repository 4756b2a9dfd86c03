#include <catch2/catch.hpp>

#include "hwmodels/fabric/cluster.h"

using namespace gpuplan;
using namespace gpuplan::fabric;

namespace {

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

Topology built(const std::string& text) {
  const Cluster cluster = read_cluster(json::parse(text, "test"), catalogue(), "c.json: $");
  return build_cluster(cluster, catalogue(), "c.json: $");
}
Topology box(const std::string& node) { return built(R"({"node": ")" + node + "\"}"); }

std::string problems_of(const std::string& text) {
  try {
    built(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

DeviceId at(const Topology& t, int node, DeviceKind kind, int index) {
  return t.of_node(node, kind).at(static_cast<std::size_t>(index));
}
std::string kind_name(const Topology& t, DeviceKind a, int i, DeviceKind b, int j) {
  return std::string(json::name_of(t.path_kind(at(t, 0, a, i), at(t, 0, b, j))));
}
std::vector<DeviceId> gpus_of(const Topology& t, int first, int last) {  // nodes
  std::vector<DeviceId> found;
  for (int node = first; node <= last; ++node) {
    const auto some = t.of_node(node, DeviceKind::gpu);
    found.insert(found.end(), some.begin(), some.end());
  }
  return found;
}
std::size_t switches(const Topology& t, DeviceKind kind) { return t.of_node(-1, kind).size(); }

// GB/s that halves of the GPUs of node 0 exchange.
double halves(const Topology& t) {
  const auto gpus = t.of_node(0, DeviceKind::gpu);
  const auto middle = gpus.begin() + static_cast<std::ptrdiff_t>(gpus.size() / 2);
  return t.cut(std::vector<DeviceId>(gpus.begin(), middle), std::vector<DeviceId>(middle, gpus.end()))
             .bandwidth.si() /
         1e9;
}

constexpr auto kGpu = DeviceKind::gpu, kNic = DeviceKind::nic;

}  // namespace

TEST_CASE("fabric: a DGX H100 is what its topo -m shows", "[fabric]") {
  const Topology t = box("DGX-H100");
  CHECK(t.problems().empty());
  CHECK(t.gpus().size() == 8);
  CHECK(kind_name(t, kGpu, 0, kGpu, 7) == "NV");
  CHECK(t.nvlinks(at(t, 0, kGpu, 0), at(t, 0, kGpu, 7)) == 18);
  CHECK(t.device(at(t, 0, DeviceKind::nvswitch, 0)).chips == 4);
  // 4 PCIe switches with 2 GPUs and 2 NICs each, two of them on a socket.
  CHECK(kind_name(t, kGpu, 0, kNic, 1) == "PIX");
  CHECK(kind_name(t, kGpu, 0, kNic, 2) == "NODE");
  CHECK(kind_name(t, kGpu, 0, kNic, 4) == "SYS");
  for (int i = 0; i < 8; ++i) {
    CHECK(t.nearest_nics(at(t, 0, kGpu, i)).front() == at(t, 0, kNic, i));
  }
  // 4 GPUs x 450 GB/s x 0.824 over NVLink, and the link of the sockets, 40 GB/s, which is less than the two
  // PCIe switches' ways up.
  CHECK(halves(t) == Approx(4 * 450 * 0.824 + 40));
}

TEST_CASE("fabric: boxes without NVSwitch", "[fabric]") {
  const Topology pcie = box("8xL40S-PCIe");  // 4 GPUs on a PCIe switch on each socket, PCIe 4: 31 GB/s
  CHECK(kind_name(pcie, kGpu, 0, kGpu, 3) == "PIX");
  CHECK(kind_name(pcie, kGpu, 0, kGpu, 4) == "SYS");
  CHECK(halves(pcie) == Approx(31));  // one x16 up from the switch

  const Topology bare = box("4xA100-PCIe");  // GPUs on the sockets' own lanes
  CHECK(kind_name(bare, kGpu, 0, kGpu, 1) == "NODE");
  CHECK(kind_name(bare, kGpu, 0, kGpu, 2) == "SYS");
  CHECK(halves(bare) == Approx(40));

  const Topology pairs = box("4xA100-PCIe-NVLink");
  CHECK(pairs.nvlinks(at(pairs, 0, kGpu, 0), at(pairs, 0, kGpu, 1)) == 12);
  CHECK(kind_name(pairs, kGpu, 1, kGpu, 2) == "SYS");
  CHECK(pairs.bandwidth(pairs.route(at(pairs, 0, kGpu, 2), at(pairs, 0, kGpu, 3))).si() == Approx(240e9));

  const Topology oam = box("MI300X-OAM8");  // 64 GB/s x 0.75 to each of 7 others
  CHECK(kind_name(oam, kGpu, 0, kGpu, 7) == "XGMI");
  CHECK(oam.route(at(oam, 0, kGpu, 0), at(oam, 0, kGpu, 7)).size() == 1);
  CHECK(halves(oam) == Approx(16 * 64 * 0.75 + 40));
}

TEST_CASE("fabric: an NVL72 has trays with sockets and NICs of their own", "[fabric]") {
  const Topology t = box("GB200-NVL72");
  CHECK(t.problems().empty());
  CHECK(t.gpus().size() == 72);
  CHECK(t.nvlinks(at(t, 0, kGpu, 0), at(t, 0, kGpu, 71)) == 18);
  // A tray: 4 GPUs and 4 NICs on 2 sockets.
  CHECK(kind_name(t, kGpu, 0, kNic, 1) == "NODE");
  CHECK(kind_name(t, kGpu, 0, kNic, 2) == "SYS");
  CHECK(kind_name(t, kGpu, 0, kNic, 4) == "-");
  CHECK(t.nearest_nics(at(t, 0, kGpu, 5)).size() == 4);
  CHECK(t.nearest_nics(at(t, 0, kGpu, 5)).front() == at(t, 0, kNic, 5));
  CHECK(halves(t) == Approx(36 * 900 * 0.802));  // trays 0-8 against 9-17: no other way
}

TEST_CASE("fabric: cloud instances spread their adapters over the GPUs", "[fabric]") {
  const Topology t = box("AWS-p5.48xlarge");
  CHECK(t.of_node(0, kNic).size() == 32);
  for (int i = 0; i < 8; ++i) {
    CHECK(t.nearest_nics(at(t, 0, kGpu, i)).front() == at(t, 0, kNic, 4 * i));
  }
  // Between two: 32 x 12.5 GB/s x 0.955 of EFA. The 8 adapters of a PCIe switch carry 95.5 GB/s, its two GPUs
  // 126, so the adapters are the narrowest.
  const Topology two = built(R"({"node": "p5", "nodes": 2, "fabric": {"kind": "single_switch"}})");
  CHECK(two.cut(gpus_of(two, 0, 0), gpus_of(two, 1, 1)).bandwidth.si() == Approx(32 * 12.5e9 * 0.955));
}

TEST_CASE("fabric: every node of the catalogue builds without problems", "[fabric]") {
  for (const std::string& name : catalogue().node_names()) {
    INFO(name);
    const Topology t = box(name);
    CHECK(t.problems().empty());
    CHECK(static_cast<int>(t.gpus().size()) == catalogue().node(name)->gpu_count);
    CHECK(t.route(t.gpus().front(), t.gpus().back()).size() >= 1);
  }
}

TEST_CASE("fabric: fat trees by hand", "[fabric]") {
  // 64 ports: 32 down and up. 4 nodes of 8 NICs on a leaf, 2 leaves, 1 spine with 32 cables to each.
  const Topology full = built(R"({"node": "DGX-H100", "nodes": 8, "fabric": {"kind": "fat_tree"}})");
  CHECK(switches(full, DeviceKind::leaf) == 2);
  CHECK(switches(full, DeviceKind::spine) == 1);
  CHECK(full.cut(gpus_of(full, 0, 3), gpus_of(full, 4, 7)).bandwidth.si() == Approx(32 * 50e9 * 0.994));
  CHECK(full.route(full.gpus()[0], full.gpus()[8]).size() == 6);   // below one leaf
  CHECK(full.route(full.gpus()[0], full.gpus()[63]).size() == 8);  // over the spine

  // 2:1: 42 down and 21 up fit; whole nodes take 40, with 20 up: 5 nodes on a leaf.
  const Topology half =
      built(R"({"node": "DGX-H100", "nodes": 10, "fabric": {"kind": "fat_tree", "oversubscription": 2}})");
  CHECK(switches(half, DeviceKind::leaf) == 2);
  CHECK(half.cut(gpus_of(half, 0, 4), gpus_of(half, 5, 9)).bandwidth.si() == Approx(20 * 50e9 * 0.994));
  CHECK(half.cut(gpus_of(half, 0, 1), gpus_of(half, 2, 4)).bandwidth.si() == Approx(16 * 50e9 * 0.994));

  // 3 levels of 4-port switches: 2 NICs a leaf, 2 leaves and 2 spines a pod, 4 pods: 4^3 / 4 = 16 NICs; core
  // groups 0 and 1 of 2 switches each.
  const Topology three = built(
      R"({"node": "4xA100-PCIe", "nics": 1, "nodes": 16,
          "fabric": {"kind": "fat_tree", "link": "HDR", "ports": 4}})");
  CHECK(switches(three, DeviceKind::leaf) == 8);
  CHECK(switches(three, DeviceKind::spine) == 8);
  CHECK(switches(three, DeviceKind::core) == 4);
  for (const DeviceId id : three.of_node(-1, DeviceKind::core)) {
    CHECK(three.links_from(id).size() == 4);
  }
  CHECK(three.cut(gpus_of(three, 0, 7), gpus_of(three, 8, 15)).bandwidth.si() == Approx(8 * 25e9 * 0.994));
  CHECK(three.problems().empty());
}

TEST_CASE("fabric: rails meet below the spine", "[fabric]") {
  const Topology t = built(R"({"node": "DGX-H100", "nodes": 64, "fabric": {"kind": "rail_optimised"}})");
  // 32 nodes fill a set of 8 leaves: 16 leaves of 32 uplinks, 512 cables on 8 spines of 64 ports.
  CHECK(switches(t, DeviceKind::leaf) == 16);
  CHECK(switches(t, DeviceKind::spine) == 8);
  CHECK(t.problems().empty());
  const auto gpu = [&](int node, int i) { return at(t, node, kGpu, i); };
  CHECK(t.route(gpu(0, 3), gpu(31, 3)).size() == 6);  // PCIe switch and NIC at either end, one leaf
  CHECK(t.route(gpu(0, 3), gpu(32, 3)).size() == 8);  // another set of leaves
  CHECK(t.route(gpu(0, 3), gpu(31, 4)).size() == 8);  // another rail
  CHECK(t.cut(gpus_of(t, 0, 31), gpus_of(t, 32, 63)).bandwidth.si() == Approx(8 * 32 * 50e9 * 0.994));
}

TEST_CASE("fabric: the trays of an NVL72 share rails", "[fabric]") {
  // 4 x 18 trays with 4 NICs each: 4 rails of 72 ports, 32 on a leaf: 3 leaves a rail. Their 12 x 32 uplinks
  // take 6 spines of 64 ports; 8 divide 32 evenly.
  const Topology t = built(R"({"node": "GB200-NVL72", "nodes": 4, "fabric": {"kind": "rail_optimised"}})");
  CHECK(switches(t, DeviceKind::leaf) == 12);
  CHECK(switches(t, DeviceKind::spine) == 8);
  CHECK(t.problems().empty());
  const auto leaf_of = [&](int node, int nic) {
    for (const LinkId id : t.links_from(at(t, node, kNic, nic))) {
      if (t.links()[id].spec.kind == LinkKind::network) {
        return t.device(t.links()[id].to).index;
      }
    }
    return -1;
  };
  CHECK(leaf_of(0, 1) == 1);
  CHECK(leaf_of(0, 71) == 3);
  CHECK(leaf_of(1, 4 * 13 + 2) == 2);  // tray 31 of all
  CHECK(leaf_of(1, 4 * 14 + 2) == 6);  // tray 32
}

TEST_CASE("fabric: a dragonfly joins each group with each other", "[fabric]") {
  // 64 NICs, 4 on a router: 16 routers in 4 groups of 4, 4 global cables on each: 16 of a group, 5 to each of
  // the 3 others (one unused).
  const Topology t = built(
      R"({"node": "DGX-H100", "nodes": 8, "fabric": {"kind": "dragonfly", "leaf_down": 4, "pod_leaves": 4}})");
  CHECK(switches(t, DeviceKind::leaf) == 16);
  CHECK(t.problems().empty());
  int global = 0;
  for (const Link& link : t.links()) {
    const Device &a = t.device(link.from), &b = t.device(link.to);
    global += a.node < 0 && b.node < 0 && a.index / 4 == 0 && b.index / 4 != 0 ? link.spec.width : 0;
  }
  CHECK(global == 15);
  // Nodes 0 and 1 fill group 0: its 16 NICs share 15 cables outwards, over all groups.
  CHECK(t.cut(gpus_of(t, 0, 1), gpus_of(t, 2, 3)).bandwidth.si() == Approx(15 * 50e9 * 0.994));
}

TEST_CASE("fabric: 16,384 GPUs in three levels", "[fabric]") {
  const Topology t = built(R"({"node": "DGX-H100", "nodes": 2048})");
  CHECK(t.gpus().size() == 16384);
  // 64 sets of 8 leaves; 16 pods of 32 leaves and 32 spines; 32 groups of 8 cores.
  CHECK(switches(t, DeviceKind::leaf) == 512);
  CHECK(switches(t, DeviceKind::spine) == 512);
  CHECK(switches(t, DeviceKind::core) == 256);
  for (const DeviceId id : t.devices_of(-1)) {
    int used = 0;
    for (const LinkId link : t.links_from(id)) {
      used += t.links()[link].spec.width;
    }
    REQUIRE(used == 64);
  }
  CHECK(t.route(t.gpus()[0], t.gpus()[16383]).size() == 10);
}

TEST_CASE("fabric: a cluster file with mistakes is answered with all of them", "[fabric]") {
  CHECK(problems_of(R"({"node": "DGX-H10", "nodes": 0})") ==
        "c.json: $.nodes: found 0; expected a whole number >= 1 and <= 100000");
  CHECK(problems_of(R"({"nodes": 2})") ==
        "c.json: $.node: found nothing; expected a value (the field is required)");
  CHECK_THAT(problems_of(R"({"node": "DGX-H10"})"),
             Catch::StartsWith("c.json: $.node: found \"DGX-H10\"; expected a node of the catalogue") &&
                 Catch::Contains("DGX-H100"));
  CHECK_THAT(problems_of(R"({"node": "DGX-H100", "fabric": {"kind": "fat_three"}})"),
             Catch::Contains("c.json: $.fabric.kind: found \"fat_three\"") &&
                 Catch::Contains("did you mean fat_tree?"));
  CHECK_THAT(problems_of(R"({"node": "DGX-H100", "nodes": 2, "fabric": {"oversubscripton": 2}})"),
             Catch::Contains("did you mean oversubscription?"));
  CHECK_THAT(
      problems_of(R"({"node": "DGX-H100", "gpu": "H101", "nodes": 2, "fabric": {"link": "NVLink-4"}})"),
      Catch::Contains("c.json: $.gpu: found \"H101\"") &&
          Catch::Contains("$.fabric.link: found \"NVLink-4\", a link of kind scale_up"));
  CHECK_THAT(problems_of(R"({"node": "MI300X-OAM8", "nodes": 2, "fabric": {"link": "Infiniband-NDX"}})"),
             Catch::Contains("$.nics: found none") && Catch::Contains("did you mean InfiniBand-NDR"));
  CHECK_THAT(problems_of(R"({"node": "DGX-H100", "nodes": 9, "fabric": {"kind": "single_switch"}})"),
             Catch::StartsWith("c.json: $.fabric.ports: found 64 for 72 NICs"));
  CHECK_THAT(problems_of(R"({"node": "DGX-H100", "nodes": 2048, "fabric": {"levels": 2}})"),
             Catch::StartsWith("c.json: $.fabric.levels: found 2 for 512 leaves; expected 3"));
  CHECK_THAT(problems_of(R"({"node": "DGX-H100", "nodes": 2, "fabric": {"leaf_down": 40}})"),
             Catch::StartsWith("c.json: $.fabric.leaf_down: found 40 down and 40 up; expected at most 64"));
  CHECK_THAT(problems_of(R"({"node": "DGX-H100", "nodes": 64,
                             "fabric": {"kind": "dragonfly", "ports": 8, "leaf_down": 2, "pod_leaves": 2}})"),
             Catch::StartsWith("c.json: $.fabric.pod_leaves: found 128 groups with 4 global cables each"));
}

TEST_CASE("fabric: a cluster spec survives being written and read", "[fabric]") {
  const Cluster cluster = read_cluster(
      json::parse(R"({"node": "p4d", "nodes": 4, "fabric": {"kind": "fat_tree", "levels": 2}})", "t"),
      catalogue(), "$");
  CHECK(cluster.spec.node == "AWS-p4d.24xlarge");
  CHECK(cluster.spec.fabric.link == "EFA-v1");
  CHECK(cluster.port.efficiency == Approx(0.955));
  const json::Value written = json::write(cluster.spec);
  CHECK(json::write(read_cluster(written, catalogue(), "$").spec) == written);
}

TEST_CASE("fabric: what is assumed is said", "[fabric]") {
  const Cluster cluster =
      read_cluster(json::parse(R"({"node": "DGX-H100", "nodes": 2})", "t"), catalogue(), "$");
  CHECK(assumptions(cluster, catalogue()) ==
        std::vector<std::string>{"NVSwitches, sockets, PCIe switches of DGX-H100",
                                 "latency, efficiency of NVLink-4", "latency of PCIe-5-x16",
                                 "bandwidth, latency of CPU-sockets", "latency of InfiniBand-NDR"});
}

// A cluster as JSON, and the topology it stands for:
//
//   {"node": "DGX-H100", "nodes": 8, "fabric": {"kind": "rail_optimised", "link": "InfiniBand-NDR",
//    "oversubscription": 2.0}}
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/fabric/topology.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::fabric {

// single_switch: every NIC on one switch. rail_optimised: NIC r of each node (tray) on the leaf of rail r, so
// that GPUs of one rail meet below the spine. fat_tree: all NICs of a node on one leaf. dragonfly: groups of
// routers, each router with each of its group and each group with each other.
enum class FabricKind { single_switch, rail_optimised, fat_tree, dragonfly };
std::span<const std::string_view> enum_names(FabricKind tag);

struct FabricSpec {
  FabricKind kind = FabricKind::rail_optimised;
  std::string link;                  // catalogue name; empty: the node's
  double oversubscription = 1.0;     // bandwidth down over up, of a leaf (dragonfly: NICs over global cables)
  int ports = 64;                    // of a switch
  std::optional<int> levels;         // of switches; none: as few as do
  std::optional<int> leaf_down;      // ports of a leaf (or router) towards NICs; none: by `oversubscription`
  std::optional<int> pod_leaves;     // leaves of a pod (3 levels), routers of a group; none: as many as do
  std::optional<double> efficiency;  // of the links; none: the catalogue's
};
template <class V>
void describe(V& v, FabricSpec& s) {
  v.field("kind", s.kind, "how the nodes are wired");
  v.field("link", s.link, "catalogue name of the links; empty: what the node is sold with");
  v.field("oversubscription", s.oversubscription, "bandwidth of a leaf towards nodes over that upwards",
          json::Range{.min = 1, .max = 1024});
  v.field("ports", s.ports, "ports of a switch", json::Range{.min = 2, .max = 65536});
  v.field("levels", s.levels,
          "levels of switches of a rail-optimised fabric or fat tree; default: as few as do",
          json::Range{.min = 2, .max = 3});
  v.field("leaf_down", s.leaf_down,
          "ports of a leaf or router towards nodes; default: what the oversubscription leaves",
          json::Range{.min = 1, .max = 65536});
  v.field("pod_leaves", s.pod_leaves,
          "leaves of a pod (3 levels) or routers of a group (dragonfly); default: as many as the ports allow",
          json::Range{.min = 1, .max = 65536});
  v.field("efficiency", s.efficiency, "share of the bandwidth that payload reaches; default: the catalogue's",
          json::Range{.min = 0, .max = 1, .open_min = true});
}

struct ClusterSpec {
  std::string node;  // catalogue name
  std::string gpu;   // catalogue name; empty: the first that the node is sold with
  int nodes = 1;
  std::optional<int> nics;  // of a node; none: the catalogue's
  FabricSpec fabric;
};
template <class V>
void describe(V& v, ClusterSpec& s) {
  v.field("node", s.node, "node by catalogue name", json::required);
  v.field("gpu", s.gpu, "GPU by catalogue name; empty: the first that the node is sold with");
  v.field("nodes", s.nodes, "number of nodes", json::Range{.min = 1, .max = 100000});
  v.field("nics", s.nics, "NICs of a node; default: the catalogue's", json::Range{.min = 0, .max = 1024});
  v.field("fabric", s.fabric, "the network between nodes");
}

// Names looked up, defaults filled.
struct Cluster {
  ClusterSpec spec;
  Node node;
  Gpu gpu;
  int nics = 0;   // of a node
  LinkSpec port;  // of a NIC; no bandwidth where the cluster has no network
};
// Throws InputError with every problem at once; their paths begin with `path` ("cluster.json: $").
Cluster resolve_cluster(const ClusterSpec& spec, const Catalogue& catalogue, const std::string& path);
Cluster read_cluster(const json::Value& document, const Catalogue& catalogue, const std::string& path);

// The whole graph. A single node has no network. Throws InputError where the fabric cannot hold the NICs.
Topology build_cluster(const Cluster& cluster, const Catalogue& catalogue, const std::string& path);

// What of it is assumed by the standing of the catalogue's sources: "latency of NVLink-4".
std::vector<std::string> assumptions(const Cluster& cluster, const Catalogue& catalogue);

}  // namespace gpuplan::fabric

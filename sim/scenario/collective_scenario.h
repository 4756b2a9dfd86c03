// A collective scenario: collectives of several sizes on a group of GPUs, as nccl-tests would run them.
//
//   {"schema": 1, "kind": "collective", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
//    "collectives": ["all_reduce", "all_gather"], "bytes": [1024, 1048576]}
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/fabric/cluster.h"
#include "sim/collective/link_faults.h"
#include "sim/scenario/activity_spec.h"
#include "sim/scenario/collective_workload.h"
#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

struct CollectiveMachineSpec {
  json::Value gpu = json::Value("H100-SXM5-80GB");
  std::string node;
  int nodes = 1;
  int gpus_per_node = 0;
  int nics = 0;
  BytesPerSecond nic_bandwidth{0.0};
  collectives::NetworkKind network = collectives::NetworkKind::infiniband;
  Seconds net_latency{0.0};
  bool network_reduces = false;
  std::optional<fabric::FabricSpec> fabric;
};
template <class V>
void describe(V& v, CollectiveMachineSpec& s) {
  v.field("gpu", s.gpu, "GPU by catalogue name, or {\"base\": name, and fields to override}");
  v.field("node", s.node, "node by catalogue name; empty: the first catalogue node sold with that GPU");
  v.field("nodes", s.nodes, "nodes", json::Range{.min = 1, .max = 1e5});
  v.field("gpus_per_node", s.gpus_per_node, "GPUs of each that take part; 0: all",
          json::Range{.min = 0, .max = 1024});
  v.field("nics", s.nics, "NICs of a node; 0: the node's", json::Range{.min = 0, .max = 1024});
  v.field("nic_bandwidth", s.nic_bandwidth, "of a NIC, per direction (B/s); 0: the node's",
          json::not_negative());
  v.field("network", s.network, "kind of network between nodes");
  v.field("net_latency", s.net_latency, "of each hop beyond what was measured of that kind (s)",
          json::not_negative());
  v.field("network_reduces", s.network_reduces, "switches of the network reduce (SHARP)");
  v.field("fabric", s.fabric,
          "how switches join the nodes: what the collective takes of each link is then played, so that "
          "oversubscription, hashes and faults show");
}

struct CollectiveScenarioSpec {
  int schema = 1;
  std::string kind = "collective";
  std::string name = "unnamed", description;
  CollectiveMachineSpec machine;
  std::vector<collectives::Collective> collectives = {collectives::Collective::all_reduce};
  std::vector<std::int64_t> bytes;
  bool custom_kernel = false;
  std::string nccl_version;
  std::optional<collectives::Algorithm> algorithm;
  std::optional<collectives::Protocol> protocol;
  std::vector<LinkFault> faults;
  std::optional<std::int64_t> ecmp_seed;
  std::optional<int> ecmp_seeds;
  bool steps = false;
  std::vector<json::Value> variants;
  std::vector<collectives::Algorithm> compare;
  std::vector<CommunicationSpec> workloads;
  std::optional<UnevenSpec> uneven;
  std::int64_t seed = 1;
  std::vector<ActivitySpec> together;
  std::vector<StragglerSpec> stragglers;
  std::optional<JobSpec> job;
};
template <class V>
void describe(V& v, CollectiveScenarioSpec& s) {
  v.field("schema", s.schema, "version of this format", json::Range{.min = 1, .max = 1}, json::required);
  v.field("kind", s.kind, "what is simulated", json::required);
  v.field("name", s.name, "shown in reports");
  v.field("description", s.description, "what the scenario is for");
  v.field("machine", s.machine, "what runs it");
  v.field("collectives", s.collectives, "what runs on it, one after the other");
  v.field("bytes", s.bytes, "sizes as nccl-tests counts them (B); empty: 1 KiB to 1 GiB, times 4",
          json::Range{.min = 1, .max = 1e14});
  v.field("custom_kernel", s.custom_kernel, "all-reduce by an inference engine's own kernel where faster");
  v.field("nccl_version", s.nccl_version, "as 2.27.3; empty: the newest that was measured");
  v.field("algorithm", s.algorithm,
          "instead of NCCL's choice; hierarchical and 2d are put together from smaller collectives");
  v.field("protocol", s.protocol, "instead of NCCL's choice");
  v.field("faults", s.faults,
          "switches, NICs and links that are down, narrower or slower to answer than they were built");
  v.field(
      "ecmp_seed", s.ecmp_seed,
      "equal ways through the network are picked by a hash with this seed, as Ethernet does; default: spread "
      "evenly",
      json::not_negative());
  v.field("ecmp_seeds", s.ecmp_seeds,
          "also show the times over this many seeds, from ecmp_seed on: best, median, 90th percentile, worst",
          json::Range{.min = 1, .max = 1e5});
  v.field("steps", s.steps, "show who sends which chunk to whom, up to 16 ranks");
  v.field("variants", s.variants,
          "what else it could run on or by, set beside each other: name, and fields laid over this document "
          "(null removes one)");
  v.field("compare", s.compare, "algorithms set beside each other, with the sizes where the fastest changes");
  v.field("workloads", s.workloads,
          "collectives of a training step or a token, added up beside the computation that hides them");
  v.field("uneven", s.uneven, "parts of all-to-all that differ in size: the largest decides");
  v.field("seed", s.seed, "as every kind has one; nothing here is random", json::not_negative());
  v.field("together", s.together,
          "collectives, kernels and copies at the same time; then only `bytes` that are named are priced");
  v.field("stragglers", s.stragglers, "GPUs that are slower or later than the others");
  v.field("job", s.job, "what a training step loses by faults and stragglers");
}

struct CollectiveScenario {
  CollectiveScenarioSpec spec;
  Gpu gpu;
  Node node;
  collectives::Communicator group;
  std::shared_ptr<const fabric::Topology> topology;  // null: no links are played
  std::vector<Activity> together;
  std::vector<Straggler> stragglers;  // by device; empty without topology
  std::vector<std::string> notes;
  double imbalance = 1.0;                    // of all-to-all: largest part over the mean
  std::vector<CollectiveScenario> variants;  // each resolved by itself; none: the scenario itself runs
};

// GPUs of the topology that are ranks of the group: the first of each node.
std::vector<fabric::DeviceId> taking_part(const fabric::Topology& topology,
                                          const collectives::Communicator& group);

// Validates and resolves. Throws InputError with all problems of the document at once.
CollectiveScenario resolve_collectives(const json::Value& document, const std::string& name,
                                       const Library& library);

json::Value resolved_json(const CollectiveScenario& scenario);
json::Value collective_schema();

}  // namespace gpuplan::sim

// What runs at the same time in a collective scenario: collectives, kernels and copies, each on a group of
// GPUs.
//
//   "together": [{"name": "gradients", "collective": "all_reduce", "bytes": 1e9, "on": "rail0"},
//                {"kernel": {"op": "gemm", "m": 8192, "n": 8192, "k": 8192}, "on": "node0", "count": 4}]
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/collectives/communicator.h"
#include "hwmodels/fabric/topology.h"
#include "hwmodels/json/describe.h"
#include "sim/kernels/operation.h"

namespace gpuplan::sim {

struct ActivitySpec {
  std::string name;
  std::optional<collectives::Collective> collective;
  std::int64_t bytes = 0;
  std::optional<json::Value> kernel;
  std::string on = "all";
  Seconds start{0.0};
  std::int64_t count = 1;
};
template <class V>
void describe(V& v, ActivitySpec& s) {
  v.field("name", s.name, "what the report calls it; default: the collective or the operation");
  v.field("collective", s.collective, "a collective over the group ...");
  v.field("bytes", s.bytes, "... and its size as nccl-tests counts it (B)",
          json::Range{.min = 1, .max = 1e14});
  v.field("kernel", s.kernel,
          "or a kernel or copy on each GPU of the group: an operation of kernel scenarios, as "
          "{\"op\": \"gemm\", \"m\": 8192, \"n\": 8192, \"k\": 8192}");
  v.field("on", s.on,
          "GPUs: all, rail2 (GPU 2 of each node), or devices as node0, node1/gpu0-3, joined by commas");
  v.field("start", s.start, "when it begins (s)", json::not_negative());
  v.field("count", s.count, "how often, one after the other", json::Range{.min = 1, .max = 1e5});
}

// A GPU that is slower or later than the others.
struct StragglerSpec {
  std::string gpu;
  double clock = 1.0;
  Seconds late{0.0};
};
template <class V>
void describe(V& v, StragglerSpec& s) {
  v.field("gpu", s.gpu, "by its name in `gpuplan topology`, as \"node0/gpu3\"", json::required);
  v.field("clock", s.clock, "share of its SM clock that is left", json::Range{.max = 1.0});
  v.field("late", s.late, "begins later by (s)", json::not_negative());
}

// A training step around the scenario's collectives, which all run in it once for each row.
struct JobSpec {
  Seconds compute{0.0};
  double hidden = 0.0;
  std::int64_t count = 1;
};
template <class V>
void describe(V& v, JobSpec& s) {
  v.field("compute", s.compute, "kernels of a step (s)", json::positive(), json::required);
  v.field("hidden", s.hidden, "share of that time behind which collectives run", json::fraction());
  v.field("count", s.count, "how often a row's collective runs in a step", json::Range{.min = 1, .max = 1e6});
}

struct Activity {
  std::string name;
  std::optional<collectives::CollectiveOperation> collective;
  std::shared_ptr<const KernelOperation> kernel;  // null for collectives
  bool host_copy = false, to_host = false;        // of a copy between host and device
  std::vector<fabric::DeviceId> gpus;
  Seconds start{0.0};
  std::int64_t count = 1;
};

struct Straggler {
  double clock = 1.0;
  Seconds late{0.0};
};

// Looks names up, appends what is wrong to `problems` with paths below `path`. "all": the first `per_node`
// GPUs of each node.
std::vector<Activity> resolve_activities(const std::vector<ActivitySpec>& specs,
                                         const fabric::Topology& topology, int per_node,
                                         const std::string& path, const Library& library,
                                         std::vector<Problem>& problems);
// By device; the default for GPUs that are not named.
std::vector<Straggler> resolve_stragglers(const std::vector<StragglerSpec>& specs,
                                          const fabric::Topology& topology, const std::string& path,
                                          std::vector<Problem>& problems);

}  // namespace gpuplan::sim

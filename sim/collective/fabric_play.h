// What the network makes of a collective's price: the links that its rings, trees or pairs take, played in
// the engine. Where every link is wide enough the price stays as it is; an oversubscribed tree, flows that a
// hash puts on one uplink, a slow link or a NIC that is down make it longer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/collectives/channels.h"
#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/fabric/topology.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

// A device or link with less bandwidth than it was built with.
struct LinkFault {
  std::string device;      // "node2/nic3"
  std::string to;          // the other end; empty: all links of the device
  double bandwidth = 0.0;  // share that is left; 0: down
};
template <class V>
void describe(V& v, LinkFault& s) {
  v.field("device", s.device, "by its name in `gpuplan topology`, as \"node2/nic3\"", json::required);
  v.field("to", s.to, "other end of the link; empty: all links of the device");
  v.field("bandwidth", s.bandwidth, "share of the bandwidth that is left, in both directions; 0: down",
          json::Range{.min = 0, .max = 1});
}

// Applies faults in place. Throws InputError, whose paths begin with `path` ("S.json: $.faults"): no such
// device, no link between two.
void apply(const std::vector<LinkFault>& faults, fabric::Topology& topology, const std::string& path);

struct Played {
  Seconds time;           // latency and transfer
  double slowdown = 1.0;  // over the price
  std::string narrowest;  // the link that takes longest, "node0/nic3 -> leaf3"; empty where the price rules
  std::size_t channels = 0;  // rings, or pairs of trees
};

class FabricPlay {
 public:
  // Keeps a reference to `topology`. Throws InputError as plan_rings() does.
  FabricPlay(const fabric::Topology& topology, std::vector<fabric::DeviceId> gpus,
             std::optional<std::uint64_t> ecmp_seed);

  // Nothing for algorithms whose links are not planned (NVLS of one node, CollNet, PAT, an engine's own
  // all-reduce).
  [[nodiscard]] std::optional<Played> play(const collectives::CollectivePrice& price,
                                           const collectives::CollectiveOperation& operation);

 private:
  // Planned when the first collective asks: pairs are as many as the square of the GPUs.
  const collectives::TreePlan& trees();
  // From one GPU to another: over the NICs nearest to them, as topology's own route but each GPU's way to its
  // NIC is searched for once.
  fabric::Route way(std::size_t from, std::size_t to, std::uint64_t flow);
  const std::vector<double>& pairs();
  [[nodiscard]] Played played(const collectives::CollectivePrice& price,
                              const std::vector<double>& hops_by_link, double bytes_per_hop) const;

  // The NIC nearest to a GPU, and the ways to it and back.
  struct Door {
    fabric::DeviceId nic = 0;
    fabric::Route out, in;
  };

  const fabric::Topology* topology_;
  std::vector<fabric::DeviceId> gpus_;
  std::optional<std::uint64_t> ecmp_seed_;
  collectives::RingPlan rings_;
  std::optional<collectives::TreePlan> trees_;
  std::vector<Door> doors_;    // by GPU; empty before the first use
  std::vector<double> pairs_;  // by place: ways between pairs that take it; empty before the first use
};

}  // namespace gpuplan::sim

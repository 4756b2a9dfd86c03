// What the network makes of a collective's price: the links that its rings, trees, pairs or switches that
// reduce take, played in the engine. Where every link is wide enough the price stays as it is; an
// oversubscribed tree, flows that a hash puts on one uplink, a slow link or a NIC that is down make it
// longer. Links that answer late add what the longest chain of hops waits for them (delay.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hwmodels/collectives/channels.h"
#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/collectives/link_shares.h"
#include "hwmodels/fabric/topology.h"

namespace gpuplan::sim {

struct Played {
  Seconds time;           // latency and transfer
  double slowdown = 1.0;  // over the price
  std::string narrowest;  // the link that takes longest, "node0/nic3 -> leaf3"; empty where the price rules
  std::size_t channels = 0;  // rings, or pairs of trees
  Seconds delay{0};          // part of `time`: for links that a fault made slower to answer
};

class FabricPlay {
 public:
  // Keeps a reference to `topology`. Throws InputError as plan_rings() does.
  FabricPlay(const fabric::Topology& topology, std::vector<fabric::DeviceId> gpus,
             std::optional<std::uint64_t> ecmp_seed);

  // Nothing for algorithms whose links are not planned: an engine's own all-reduce, those put together from
  // several, and NVLS, CollNet and PAT on machines without their links. Throws InputError where a link is
  // down that the algorithm cannot do without.
  [[nodiscard]] std::optional<Played> play(const collectives::CollectivePrice& price,
                                           const collectives::CollectiveOperation& operation);

 private:
  // Planned when the first collective asks: pairs are as many as the square of the GPUs.
  const collectives::TreePlan& trees();
  // From one GPU to another: over the nearest NICs that work; each GPU's way to its own is searched for once.
  // Throws InputError where there is none.
  fabric::Route way(std::size_t from, std::size_t to, std::uint64_t flow);
  struct Pairs {
    std::vector<double> ways;  // by place: those that take it
    Seconds delay{0};          // of the slowest way
  };
  const Pairs& pairs();
  const std::optional<collectives::LinkShares>& shares(collectives::Algorithm algorithm,
                                                       collectives::Collective collective);
  [[nodiscard]] Played play_ring(const collectives::CollectivePrice& price,
                                 const collectives::CollectiveOperation& operation) const;
  [[nodiscard]] Played play_tree(const collectives::CollectivePrice& price,
                                 const collectives::CollectiveOperation& operation);
  // Shares of `bytes`, less where NVLink as it was built would hold a price that was fitted on it.
  [[nodiscard]] std::vector<double> beyond_price(const collectives::CollectivePrice& price, double bytes,
                                                 std::vector<double> by_place) const;
  [[nodiscard]] std::optional<Played> play_shares(const collectives::CollectivePrice& price,
                                                  const collectives::CollectiveOperation& operation);
  [[nodiscard]] Played played(const collectives::CollectivePrice& price,
                              const std::vector<double>& hops_by_link, double bytes_per_hop,
                              Seconds delay) const;

  // The nearest NIC that works, and the ways to it and back.
  struct Door {
    fabric::DeviceId nic = 0;
    fabric::Route out, in;
  };

  const fabric::Topology* topology_;
  std::vector<fabric::DeviceId> gpus_;
  std::optional<std::uint64_t> ecmp_seed_;
  collectives::RingPlan rings_;
  std::optional<collectives::TreePlan> trees_;
  std::vector<Door> doors_;  // by GPU; empty before the first use
  std::optional<Pairs> pairs_;
  std::map<std::pair<collectives::Algorithm, collectives::Collective>, std::optional<collectives::LinkShares>>
      shares_;
};

}  // namespace gpuplan::sim

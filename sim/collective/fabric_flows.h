// A topology in the engine: a resource for each link, and collectives as what they take of them.
//
// A ring takes the same bytes of each of its hops, a tree its half of the data up and down, an all-to-all
// each pair's part on the pair's way. What a GPU stores and computes beside (HBM, SMs) is the caller's to
// add.
#pragma once

#include <span>
#include <vector>

#include "hwmodels/collectives/channels.h"
#include "hwmodels/collectives/communicator.h"
#include "hwmodels/fabric/lanes.h"
#include "hwmodels/fabric/topology.h"
#include "sim/collective/collective_flows.h"
#include "sim/collective/ring_steps.h"

namespace gpuplan::sim {

class FabricFlows {
 public:
  // A resource for each link (or cable, as `lanes` says) that is up, of its usable bandwidth; before the
  // first run of `engine`. Both outlive this.
  FabricFlows(Engine& engine, const fabric::Topology& topology, fabric::Lanes lanes = {});

  // Throws InputError for a link that is down.
  [[nodiscard]] ResourceId resource(fabric::PlaceId place) const;
  // `bytes` over every link of a way, by the cables that a flow of this hash takes.
  [[nodiscard]] std::vector<Demand> demands(const fabric::Route& route, double bytes,
                                            std::uint64_t flow = 0) const;

  // Work of all ranks for `operation`, latency and own rate left to the caller. A ring takes any collective
  // but all-to-all; a pair of trees all-reduce, broadcast and reduce.
  [[nodiscard]] CollectiveWork work(const collectives::RingPlan& plan,
                                    const collectives::CollectiveOperation& operation) const;
  [[nodiscard]] CollectiveWork work(const collectives::TreePlan& plan,
                                    const collectives::CollectiveOperation& operation) const;
  // All-to-all over the pairs' own ways; `choice` picks among equal ones (a hash of the flow, for ECMP).
  [[nodiscard]] CollectiveWork all_to_all(std::span<const fabric::DeviceId> gpus, Bytes bytes,
                                          std::uint64_t choice = 0) const;

  // The same ring step by step: `bytes` cut evenly over channels and ranks.
  [[nodiscard]] RingSpec steps(const collectives::RingPlan& plan,
                               const collectives::CollectiveOperation& operation, Seconds latency) const;

 private:
  const fabric::Topology* topology_;
  fabric::Lanes lanes_;
  std::vector<ResourceId> resources_;  // by place; kDown where there is none
};

// Links that differ in nothing that the engine could see: the same bandwidth, and the same bytes of each of
// the collectives. Their constraints are the same, so one stands for all without changing any rate, as long
// as nothing else takes some of them and not the others.
struct LinkClass {
  fabric::PlaceId like = 0;   // the first of them
  std::size_t count = 0;      // how many
  std::vector<double> bytes;  // of each collective
};
// What several collectives take of the links, each given by the hops of its channels over every link and the
// bytes of a hop. Links that none takes are left out. Links are places of `lanes`, as the collectives were
// planned with; the sizes of all `hops_by_link` are their number.
struct LinkUse {
  const std::vector<double>* hops_by_link = nullptr;
  double bytes_per_hop = 0.0;
};
std::vector<LinkClass> fold(const fabric::Topology& topology, std::span<const LinkUse> uses,
                            const fabric::Lanes& lanes = {});

// Lockstep collectives on the classes of a fold: resources of their own in `engine`, one a class.
std::vector<CollectiveWork> folded_work(Engine& engine, const fabric::Topology& topology,
                                        std::span<const LinkClass> classes, const fabric::Lanes& lanes = {});

// Bytes that a ring sends over each hop, of an operation's bytes as nccl-tests counts them.
double bytes_per_hop(const collectives::CollectiveOperation& operation, int ranks);

}  // namespace gpuplan::sim

#include "sim/collective/fabric_play.h"

#include <algorithm>

#include "hwmodels/collectives/delay.h"
#include "sim/collective/fabric_flows.h"

namespace gpuplan::sim {

namespace {

using collectives::Algorithm;
using collectives::Collective;
using collectives::CollectiveOperation;
using collectives::CollectivePrice;

}  // namespace

FabricPlay::FabricPlay(const fabric::Topology& topology, std::vector<fabric::DeviceId> gpus,
                       std::optional<std::uint64_t> ecmp_seed)
    : topology_(&topology),
      gpus_(std::move(gpus)),
      ecmp_seed_(ecmp_seed),
      rings_(collectives::plan_rings(topology, gpus_, {.ecmp_seed = ecmp_seed})) {}

const collectives::TreePlan& FabricPlay::trees() {
  if (!trees_) {
    trees_ = collectives::plan_trees(*topology_, gpus_, {.ecmp_seed = ecmp_seed_});
  }
  return *trees_;
}

fabric::Route FabricPlay::way(std::size_t from, std::size_t to, std::uint64_t flow) {
  if (doors_.empty()) {
    for (const fabric::DeviceId gpu : gpus_) {
      const std::vector<fabric::DeviceId> nics = topology_->nearest_nics(gpu);
      const auto works = std::find_if(nics.begin(), nics.end(), [&](fabric::DeviceId nic) {
        return collectives::reaches_network(*topology_, nic);
      });
      const fabric::DeviceId nic = works == nics.end() ? gpu : *works;
      doors_.push_back({nic, topology_->route(gpu, nic), topology_->route(nic, gpu)});
    }
  }
  const Door &leaves = doors_[from], &enters = doors_[to];
  fabric::Route route;
  if (topology_->device(gpus_[from]).node == topology_->device(gpus_[to]).node || leaves.out.empty() ||
      enters.in.empty()) {
    route = topology_->route(gpus_[from], gpus_[to], flow);
  } else if (const fabric::Route middle = topology_->route(leaves.nic, enters.nic, flow); !middle.empty()) {
    route = leaves.out;
    route.insert(route.end(), middle.begin(), middle.end());
    route.insert(route.end(), enters.in.begin(), enters.in.end());
  }
  if (route.empty()) {
    throw InputError({"ranks",
                      "no way from " + name_of(topology_->device(gpus_[from])) + " to " +
                          name_of(topology_->device(gpus_[to])),
                      "GPUs that reach each other", ""});
  }
  return route;
}

const FabricPlay::Pairs& FabricPlay::pairs() {
  if (pairs_) {
    return *pairs_;
  }
  Pairs out;
  out.ways.assign(rings_.lanes.places(*topology_), 0.0);
  for (std::size_t i = 0; i < gpus_.size(); ++i) {
    for (std::size_t j = 0; j < gpus_.size(); ++j) {
      if (i == j) {
        continue;
      }
      const std::uint64_t flow = ecmp_seed_ ? fabric::ecmp_hash(*ecmp_seed_, {i, j}) : i + j;
      const fabric::Route route = way(i, j, flow);
      for (const fabric::LinkId link : route) {
        out.ways[rings_.lanes.place(*topology_, link, flow)] += 1.0;
      }
      out.delay = max(out.delay, collectives::delay_of(*topology_, route));
    }
  }
  pairs_ = std::move(out);
  return *pairs_;
}

const std::optional<collectives::LinkShares>& FabricPlay::shares(Algorithm algorithm, Collective collective) {
  const auto [at, added] = shares_.try_emplace({algorithm, collective});
  if (added) {
    at->second = collectives::plan_shares(*topology_, gpus_, trees(), algorithm, collective, ecmp_seed_);
  }
  return at->second;
}

Played FabricPlay::play_ring(const CollectivePrice& price, const CollectiveOperation& operation) const {
  const int ranks = static_cast<int>(gpus_.size());
  const int steps = (operation.collective == Collective::all_reduce ? 2 : 1) * (ranks - 1);
  const double channels = static_cast<double>(rings_.channels.size());
  Played out = played(price, rings_.hops_by_link, bytes_per_hop(operation, ranks) / channels,
                      collectives::delay_of(*topology_, rings_, steps));
  out.channels = rings_.channels.size();
  return out;
}

Played FabricPlay::play_tree(const CollectivePrice& price, const CollectiveOperation& operation) {
  const collectives::TreePlan& plan = trees();
  const collectives::TreeWay way{.up = operation.collective != Collective::broadcast,
                                 .down = operation.collective != Collective::reduce};
  Played out = played(price, plan.hops_by_link, operation.bytes.si() / static_cast<double>(plan.trees.size()),
                      collectives::delay_of(*topology_, plan, way));
  out.channels = plan.trees.size() / 2;
  return out;
}

std::vector<double> FabricPlay::beyond_price(const CollectivePrice& price, double bytes,
                                             std::vector<double> by_place) const {
  for (fabric::PlaceId place = 0; place < by_place.size(); ++place) {
    const fabric::LinkSpec& spec = topology_->links()[rings_.lanes.link_of(place)].spec;
    if (spec.kind == fabric::LinkKind::nvlink && by_place[place] > 0.0) {
      const double as_built = bytes * by_place[place] / (spec.built * spec.efficiency).si();
      by_place[place] *= std::min(1.0, price.parts.transfer * 1e-6 / as_built);
    }
  }
  return by_place;
}

std::optional<Played> FabricPlay::play_shares(const CollectivePrice& price,
                                              const CollectiveOperation& operation) {
  const std::optional<collectives::LinkShares>& plan = shares(price.choice.algorithm, operation.collective);
  if (!plan) {
    return std::nullopt;
  }
  const double bytes = operation.bytes.si();
  Played out = played(price, beyond_price(price, bytes, plan->by_place), bytes, plan->delay);
  out.channels = plan->channels;
  return out;
}

std::optional<Played> FabricPlay::play(const CollectivePrice& price, const CollectiveOperation& operation) {
  switch (price.choice.algorithm) {
    case Algorithm::ring:
      return play_ring(price, operation);
    case Algorithm::tree:
      return play_tree(price, operation);
    case Algorithm::point_to_point:
      return played(price, pairs().ways, operation.bytes.si() / static_cast<double>(gpus_.size()),
                    pairs().delay);
    case Algorithm::nvls:
    case Algorithm::nvls_tree:
    case Algorithm::collnet_direct:
    case Algorithm::collnet_chain:
    case Algorithm::pat:
      return play_shares(price, operation);
    case Algorithm::one_shot:
    case Algorithm::two_shot:
    case Algorithm::hierarchical:
    case Algorithm::torus:
      return std::nullopt;
  }
  return std::nullopt;
}

Played FabricPlay::played(const CollectivePrice& price, const std::vector<double>& hops_by_link,
                          double bytes_per_hop, Seconds delay) const {
  const double transfer = price.parts.transfer * 1e-6;
  const LinkUse use{&hops_by_link, bytes_per_hop};
  const std::vector<LinkClass> classes = fold(*topology_, {&use, 1}, rings_.lanes);
  Engine engine;
  CollectiveFlows flows(engine);
  std::vector<CollectiveWork> works = folded_work(engine, *topology_, classes, rings_.lanes);
  Played out;
  if (works.empty()) {
    out.time = price.time + delay;
    out.slowdown = out.time.si() / price.time.si();
    return out;
  }
  works.front().alone = Seconds(transfer);
  works.front().latency = Seconds(price.time.si() - transfer) + delay;
  out.delay = delay;
  flows.start(works.front(), {});
  engine.run();
  out.time = engine.now();
  out.slowdown = out.time.si() / price.time.si();
  double longest = transfer * (1.0 + 1e-9);
  for (const LinkClass& c : classes) {
    const double seconds = c.bytes.front() / rings_.lanes.usable(*topology_, c.like).si();
    if (seconds > longest) {
      longest = seconds;
      out.narrowest = rings_.lanes.name(*topology_, c.like);
    }
  }
  return out;
}

}  // namespace gpuplan::sim

#include "sim/collective/fabric_flows.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <unordered_map>

namespace gpuplan::sim {

namespace {

using collectives::Collective;
using collectives::CollectiveOperation;
using collectives::Hop;

constexpr ResourceId kDown = std::numeric_limits<ResourceId>::max();

// Adds a demand to the rank that sends it.
void append(std::vector<Demand>& to, const std::vector<Demand>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

double bytes_per_hop(const CollectiveOperation& operation, int ranks) {
  const double n = ranks, bytes = operation.bytes.si();
  switch (operation.collective) {
    case Collective::all_reduce:
      return 2.0 * (n - 1.0) / n * bytes;
    case Collective::all_gather:
    case Collective::reduce_scatter:
      return (n - 1.0) / n * bytes;
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_recv:
      return bytes;
    case Collective::all_to_all:
      // A ring would carry each part past the ranks between: (n - 1) / 2 of the parts a hop on average.
      return (n - 1.0) / 2.0 * bytes;
  }
  return bytes;
}

FabricFlows::FabricFlows(Engine& engine, const fabric::Topology& topology, fabric::Lanes lanes)
    : topology_(&topology), lanes_(std::move(lanes)), resources_(lanes_.places(topology), kDown) {
  for (fabric::PlaceId place = 0; place < resources_.size(); ++place) {
    const double usable = lanes_.usable(topology, place).si();
    if (usable > 0.0) {
      resources_[place] = engine.add_resource(lanes_.name(topology, place), usable);
    }
  }
}

ResourceId FabricFlows::resource(fabric::PlaceId place) const {
  if (resources_.at(place) == kDown) {
    throw InputError({"link", lanes_.name(*topology_, place) + " is down", "a link with bandwidth", ""});
  }
  return resources_[place];
}

std::vector<Demand> FabricFlows::demands(const fabric::Route& route, double bytes, std::uint64_t flow) const {
  std::vector<Demand> out;
  out.reserve(route.size());
  for (const fabric::LinkId link : route) {
    out.push_back({resource(lanes_.place(*topology_, link, flow)), bytes});
  }
  return out;
}

CollectiveWork FabricFlows::work(const collectives::RingPlan& plan,
                                 const CollectiveOperation& operation) const {
  CollectiveWork out;
  for (const collectives::ChannelRing& ring : plan.channels) {
    const int ranks = static_cast<int>(ring.hops.size());
    const double bytes = bytes_per_hop(operation, ranks) / static_cast<double>(plan.channels.size());
    out.ranks.resize(std::max(out.ranks.size(), ring.hops.size()));
    for (std::size_t i = 0; i < ring.hops.size(); ++i) {
      append(out.ranks[i], demands(ring.hops[i].route, bytes, ring.hops[i].flow));
    }
  }
  return out;
}

CollectiveWork FabricFlows::work(const collectives::TreePlan& plan,
                                 const CollectiveOperation& operation) const {
  CollectiveWork out;
  const bool up = operation.collective != Collective::broadcast,
             down = operation.collective != Collective::reduce;
  const double bytes =
      operation.bytes.si() / static_cast<double>(std::max<std::size_t>(1, plan.trees.size()));
  for (const collectives::ChannelTree& tree : plan.trees) {
    out.ranks.resize(std::max(out.ranks.size(), tree.up.size()));
    for (std::size_t i = 0; i < tree.up.size(); ++i) {
      if (up) {
        append(out.ranks[i], demands(tree.up[i].route, bytes, tree.up[i].flow));
      }
      if (down) {
        append(out.ranks[i], demands(tree.down[i].route, bytes, tree.down[i].flow));
      }
    }
  }
  return out;
}

CollectiveWork FabricFlows::all_to_all(std::span<const fabric::DeviceId> gpus, Bytes bytes,
                                       std::uint64_t choice) const {
  CollectiveWork out{.lockstep = false};
  const double part = bytes.si() / static_cast<double>(std::max<std::size_t>(1, gpus.size()));
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    for (std::size_t j = 0; j < gpus.size(); ++j) {
      if (i != j) {  // a flow a pair: parts for other ranks do not wait for it
        const std::uint64_t flow = choice + i * gpus.size() + j;
        out.ranks.push_back(demands(topology_->route(gpus[i], gpus[j], flow), part, flow));
      }
    }
  }
  return out;
}

RingSpec FabricFlows::steps(const collectives::RingPlan& plan, const CollectiveOperation& operation,
                            Seconds latency) const {
  RingSpec out{.channels = {}, .latency = latency};
  for (const collectives::ChannelRing& channel : plan.channels) {
    const std::size_t ranks = channel.hops.size();
    Ring ring;
    for (const Hop& hop : channel.hops) {
      ring.edges.push_back(demands(hop.route, 1.0, hop.flow));
    }
    ring.chunks.assign(ranks, operation.bytes.si() / static_cast<double>(ranks * plan.channels.size()));
    out.steps = static_cast<int>(ranks - 1) * (operation.collective == Collective::all_reduce ? 2 : 1);
    out.channels.push_back(std::move(ring));
  }
  return out;
}

std::vector<LinkClass> fold(const fabric::Topology& topology, std::span<const LinkUse> uses,
                            const fabric::Lanes& lanes) {
  // Candidates by a hash; equal ones are compared in full.
  std::unordered_multimap<std::uint64_t, std::size_t> known;
  std::vector<LinkClass> out;
  std::vector<double> bytes(uses.size());
  const std::size_t places = lanes.places(topology);
  for (fabric::PlaceId place = 0; place < places; ++place) {
    bool used = false;
    const BytesPerSecond usable = lanes.usable(topology, place);
    std::uint64_t hash = std::hash<double>{}(usable.si());
    for (std::size_t i = 0; i < uses.size(); ++i) {
      bytes[i] = (*uses[i].hops_by_link)[place] * uses[i].bytes_per_hop;
      used = used || bytes[i] > 0.0;
      hash = hash * 0x9e3779b97f4a7c15ULL + std::hash<double>{}(bytes[i]);
    }
    if (!used) {
      continue;
    }
    const auto [first, last] = known.equal_range(hash);
    const auto same = std::find_if(first, last, [&](const auto& entry) {
      const LinkClass& c = out[entry.second];
      return c.bytes == bytes && lanes.usable(topology, c.like) == usable;
    });
    if (same != last) {
      ++out[same->second].count;
    } else {
      known.emplace(hash, out.size());
      out.push_back({place, 1, bytes});
    }
  }
  return out;
}

std::vector<CollectiveWork> folded_work(Engine& engine, const fabric::Topology& topology,
                                        std::span<const LinkClass> classes, const fabric::Lanes& lanes) {
  std::vector<CollectiveWork> works(classes.empty() ? 0 : classes.front().bytes.size(), {.ranks = {{}}});
  for (const LinkClass& c : classes) {
    const ResourceId resource =
        engine.add_resource(lanes.name(topology, c.like), lanes.usable(topology, c.like).si());
    for (std::size_t i = 0; i < works.size(); ++i) {
      if (c.bytes[i] > 0.0) {
        works[i].ranks.front().push_back({resource, c.bytes[i]});
      }
    }
  }
  return works;
}

}  // namespace gpuplan::sim

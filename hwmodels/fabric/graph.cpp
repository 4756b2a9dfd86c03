#include "hwmodels/fabric/graph.h"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/graph/connected_components.hpp>
#include <cmath>
#include <limits>
#include <queue>
#include <set>

namespace gpuplan::fabric {

namespace {

// What a route would rather avoid: any number of NVLinks in a node before PCIe, PCIe before the way between
// sockets. Only their order means anything.
int weight(LinkKind kind) {
  switch (kind) {
    case LinkKind::nvlink:
    case LinkKind::xgmi:
    case LinkKind::network:
      return 1;
    case LinkKind::c2c:
      return 8;
    case LinkKind::pcie:
      return 16;
    case LinkKind::socket:
      return 256;
  }
  return 256;
}

bool passable(DeviceKind kind) { return kind != DeviceKind::gpu && kind != DeviceKind::nic; }

bool is_up(const Link& link) { return link.spec.bandwidth.si() > 0.0; }

// Takes the next decision among `count` equal ones out of `choice`.
std::size_t decide(std::uint64_t& choice, std::size_t count) {
  const auto taken = static_cast<std::size_t>(choice % count);
  choice /= count;
  return taken;
}

}  // namespace

// Dijkstra over the devices of one node.
struct Topology::Graph::Search {
  std::vector<int> cost;                // by place
  std::vector<std::vector<LinkId>> by;  // links by which a cheapest way may arrive

  Search(const Graph& g, DeviceId from) {
    const int node = g.devices[from].node;
    const std::size_t count = g.nodes[static_cast<std::size_t>(node)].size();
    cost.assign(count, std::numeric_limits<int>::max());
    by.resize(count);
    using Entry = std::pair<int, DeviceId>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
    cost[g.place[from]] = 0;
    open.emplace(0, from);
    while (!open.empty()) {
      const auto [so_far, at] = open.top();
      open.pop();
      if (so_far > cost[g.place[at]] || (at != from && !passable(g.devices[at].kind))) {
        continue;
      }
      for (const LinkId id : g.out[at]) {
        const Link& link = g.links[id];
        if (!is_up(link) || g.devices[link.to].node != node) {
          continue;
        }
        const int next = so_far + weight(link.spec.kind);
        const std::uint32_t there = g.place[link.to];
        if (next < cost[there]) {
          cost[there] = next;
          by[there].assign(1, id);
          open.emplace(next, link.to);
        } else if (next == cost[there]) {
          by[there].push_back(id);
        }
      }
    }
  }
};

std::vector<int> Topology::Graph::costs_within(DeviceId from) const { return Search(*this, from).cost; }

Route Topology::Graph::within(DeviceId from, DeviceId to, std::uint64_t choice) const {
  const Search search(*this, from);
  Route route;
  for (DeviceId at = to; at != from;) {
    const std::vector<LinkId>& by = search.by[place[at]];
    if (by.empty()) {
      return {};
    }
    route.push_back(by[decide(choice, by.size())]);
    at = links[route.back()].from;
  }
  std::reverse(route.begin(), route.end());
  return route;
}

const Topology::Graph::Hops& Topology::Graph::hops_to(DeviceId target) const {
  const std::lock_guard lock(mutex_);
  if (hops_.empty()) {
    hops_.resize(switches.size());
  }
  std::unique_ptr<const Hops>& slot = hops_[place[target]];
  if (!slot) {
    auto hops = std::make_unique<Hops>(switches.size(), kFar);
    std::vector<DeviceId> open{target};
    (*hops)[place[target]] = 0;
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (const LinkId id : in[open[i]]) {
        const Link& link = links[id];
        if (is_up(link) && devices[link.from].node < 0 && (*hops)[place[link.from]] == kFar) {
          (*hops)[place[link.from]] = static_cast<std::uint16_t>((*hops)[place[open[i]]] + 1);
          open.push_back(link.from);
        }
      }
    }
    slot = std::move(hops);
  }
  return *slot;
}

Route Topology::Graph::across(DeviceId from, DeviceId to, std::uint64_t choice) const {
  // A NIC enters and leaves the network by any of its ports; a switch is in it already.
  struct Port {
    std::optional<LinkId> link;
    DeviceId at;
  };
  const auto ports = [&](DeviceId id, const std::vector<LinkId>& around, DeviceId Link::*end) {
    std::vector<Port> found;
    if (devices[id].node < 0) {
      found.push_back({std::nullopt, id});
      return found;
    }
    for (const LinkId port : around) {
      if (is_up(links[port]) && devices[links[port].*end].node < 0) {
        found.push_back({port, links[port].*end});
      }
    }
    return found;
  };
  for (const LinkId id : out[from]) {
    if (links[id].to == to && links[id].spec.kind == LinkKind::network && is_up(links[id])) {
      return {id};  // back to back
    }
  }
  std::vector<std::pair<Port, Port>> nearest;
  int least = kFar;
  const std::vector<Port> entries = ports(from, out[from], &Link::to);
  for (const Port& exit : ports(to, in[to], &Link::from)) {
    const Hops& hops = hops_to(exit.at);
    for (const Port& entry : entries) {
      const int away = hops[place[entry.at]];
      if (away < least) {
        least = away;
        nearest.clear();
      }
      if (away == least && away != kFar) {
        nearest.emplace_back(entry, exit);
      }
    }
  }
  if (nearest.empty()) {
    return {};
  }
  const auto& [entry, exit] = nearest[decide(choice, nearest.size())];
  const Hops& hops = hops_to(exit.at);
  Route route;
  if (entry.link) {
    route.push_back(*entry.link);
  }
  std::vector<LinkId> nearer;
  for (DeviceId at = entry.at; at != exit.at; at = links[route.back()].to) {
    nearer.clear();
    for (const LinkId id : out[at]) {
      const Link& link = links[id];
      if (is_up(link) && devices[link.to].node < 0 && hops[place[link.to]] + 1 == hops[place[at]]) {
        nearer.push_back(id);
      }
    }
    route.push_back(nearer[decide(choice, nearer.size())]);
  }
  if (exit.link) {
    route.push_back(*exit.link);
  }
  return route;
}

std::vector<LinkId> Topology::Graph::min_cut(std::span<const DeviceId> sources,
                                             std::span<const DeviceId> sinks) const {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  struct Pipe {
    std::int64_t capacity = 0, residual = 0;  // B/s; whole numbers, so that full means full
    Traits::edge_descriptor reverse;
  };
  struct Place {
    boost::default_color_type colour = boost::white_color;
    std::int64_t distance = 0;
    Traits::edge_descriptor before;
  };
  using Flow = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Place, Pipe>;

  enum class Side { neither, source, sink };
  std::vector<Side> side(devices.size(), Side::neither);
  std::set<int> taking_part;
  for (const DeviceId id : sources) {
    side[id] = Side::source;
    taking_part.insert(devices[id].node);
  }
  for (const DeviceId id : sinks) {
    side[id] = Side::sink;
    taking_part.insert(devices[id].node);
  }
  const bool one_node = taking_part.size() == 1 && *taking_part.begin() >= 0;
  const auto carries = [&](DeviceId id) {
    const Device& d = devices[id];
    const bool here = taking_part.contains(d.node) || (d.node < 0 && !one_node);
    return here && (side[id] != Side::neither || d.kind != DeviceKind::gpu);
  };
  // One that sends does not receive, and the other way round.
  const auto counts = [&](const Link& link) {
    return is_up(link) && carries(link.from) && carries(link.to) && side[link.to] != Side::source &&
           side[link.from] != Side::sink;
  };

  const std::size_t source = devices.size(), sink = devices.size() + 1;
  Flow flow(devices.size() + 2);
  const auto pipe = [&](std::size_t from, std::size_t to, std::int64_t capacity) {
    const auto there = boost::add_edge(from, to, flow).first, back = boost::add_edge(to, from, flow).first;
    flow[there].capacity = capacity;
    flow[there].reverse = back;
    flow[back].reverse = there;
  };
  std::int64_t total = 1;
  for (const Link& link : links) {
    if (counts(link)) {
      const auto capacity = static_cast<std::int64_t>(std::llround(link.spec.usable().si()));
      total += capacity;
      pipe(link.from, link.to, capacity);
    }
  }
  for (DeviceId id = 0; id < devices.size(); ++id) {
    if (side[id] == Side::source) {
      pipe(source, id, total);
    } else if (side[id] == Side::sink) {
      pipe(id, sink, total);
    }
  }
  boost::boykov_kolmogorov_max_flow(
      flow, boost::get(&Pipe::capacity, flow), boost::get(&Pipe::residual, flow),
      boost::get(&Pipe::reverse, flow), boost::get(&Place::before, flow), boost::get(&Place::colour, flow),
      boost::get(&Place::distance, flow), boost::get(boost::vertex_index, flow), source, sink);
  // Black: what the sources still reach.
  std::vector<LinkId> full;
  for (LinkId id = 0; id < links.size(); ++id) {
    const Link& link = links[id];
    if (counts(link) && flow[link.from].colour == boost::black_color &&
        flow[link.to].colour != boost::black_color) {
      full.push_back(id);
    }
  }
  return full;
}

std::vector<int> Topology::Graph::parts() const {
  boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS> joined(devices.size());
  for (const Link& link : links) {
    if (is_up(link)) {
      boost::add_edge(link.from, link.to, joined);
    }
  }
  std::vector<int> part(devices.size());
  boost::connected_components(joined, part.data());
  return part;
}

}  // namespace gpuplan::fabric

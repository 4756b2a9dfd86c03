#include "hwmodels/fabric/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/boykov_kolmogorov_max_flow.hpp>
#include <boost/graph/connected_components.hpp>
#include <limits>
#include <queue>
#include <unordered_map>

#include "hwmodels/json/describe.h"

namespace gpuplan::fabric {

namespace {

constexpr std::array<std::string_view, 8> kDeviceNames = {"gpu", "nvswitch", "pcie_switch", "socket",
                                                          "nic", "leaf",     "spine",       "core"};
constexpr std::array<std::string_view, 6> kLinkNames = {"nvlink", "xgmi", "c2c", "pcie", "socket", "network"};
constexpr std::array<std::string_view, 9> kPathNames = {"X",    "NV",  "PIX", "PXB", "PHB",
                                                        "NODE", "SYS", "NET", "-"};

// What a route would rather avoid: any number of NVLinks in a node before PCIe, PCIe before the way between
// sockets.
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
      return 64;
  }
  return 64;
}

bool passable(DeviceKind kind) { return kind != DeviceKind::gpu && kind != DeviceKind::nic; }

}  // namespace

std::span<const std::string_view> enum_names(DeviceKind /*tag*/) { return kDeviceNames; }
std::span<const std::string_view> enum_names(LinkKind /*tag*/) { return kLinkNames; }
std::span<const std::string_view> enum_names(PathKind /*tag*/) { return kPathNames; }

std::string name_of(const Device& device) {
  const std::string own = std::string(json::name_of(device.kind)) + std::to_string(device.index);
  return device.node < 0 ? own : "node" + std::to_string(device.node) + "/" + own;
}

struct Topology::Graph {
  // Boost's list holds the shape; a link's figures stand in `links` by its number.
  boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Device> list;
  std::vector<Link> links;
  std::vector<std::vector<LinkId>> out;  // by device
  std::vector<DeviceId> gpus;
  std::vector<std::vector<DeviceId>> nodes;

  struct Reach {
    int cost = std::numeric_limits<int>::max();
    std::vector<LinkId> by;  // links by which a cheapest way may arrive
  };

  // Cheapest ways from `from` as far as `to`, over devices that `inside` accepts (`to` always).
  template <class Inside>
  std::unordered_map<DeviceId, Reach> ways(DeviceId from, DeviceId to, Inside inside) const {
    std::unordered_map<DeviceId, Reach> reached;
    using Entry = std::pair<int, DeviceId>;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
    reached[from].cost = 0;
    open.emplace(0, from);
    while (!open.empty()) {
      const auto [cost, at] = open.top();
      open.pop();
      if (at == to) {
        break;
      }
      if (cost > reached[at].cost || (at != from && !passable(list[at].kind))) {
        continue;
      }
      for (const LinkId id : out[at]) {
        const Link& link = links[id];
        if (link.spec.bandwidth.si() <= 0.0 || (link.to != to && !inside(list[link.to]))) {
          continue;
        }
        const int next = cost + weight(link.spec.kind);
        Reach& reach = reached[link.to];
        if (next < reach.cost) {
          reach.cost = next;
          reach.by.assign(1, id);
          open.emplace(next, link.to);
        } else if (next == reach.cost) {
          reach.by.push_back(id);
        }
      }
    }
    return reached;
  }

  // One of the cheapest ways; `choice` decides wherever several arrive. Empty where there is none.
  template <class Inside>
  Route way(DeviceId from, DeviceId to, std::uint64_t choice, Inside inside) const {
    const auto reached = ways(from, to, inside);
    Route backwards;
    for (DeviceId at = to; at != from;) {
      const auto found = reached.find(at);
      if (found == reached.end() || found->second.by.empty()) {
        return {};
      }
      const std::vector<LinkId>& by = found->second.by;
      const LinkId id = by[choice % by.size()];
      choice /= by.size();
      backwards.push_back(id);
      at = links[id].from;
    }
    std::reverse(backwards.begin(), backwards.end());
    return backwards;
  }

  Route within(DeviceId from, DeviceId to, std::uint64_t choice) const {
    const int node = list[from].node;
    return way(from, to, choice, [&](const Device& device) { return device.node == node; });
  }
  // Between NICs of different nodes.
  Route across(DeviceId from, DeviceId to, std::uint64_t choice) const {
    return way(from, to, choice, [](const Device& device) { return device.node < 0; });
  }

  int cost(const Route& route) const {
    int sum = 0;
    for (const LinkId id : route) {
      sum += weight(links[id].spec.kind);
    }
    return sum;
  }
};

Topology::Topology() : graph_(std::make_unique<Graph>()) {}
Topology::~Topology() = default;
Topology::Topology(Topology&&) noexcept = default;
Topology& Topology::operator=(Topology&&) noexcept = default;

DeviceId Topology::add(Device device) {
  Graph& g = *graph_;
  const auto id = static_cast<DeviceId>(boost::add_vertex(device, g.list));
  g.out.emplace_back();
  if (device.node >= 0) {
    if (static_cast<std::size_t>(device.node) >= g.nodes.size()) {
      g.nodes.resize(static_cast<std::size_t>(device.node) + 1);
    }
    g.nodes[static_cast<std::size_t>(device.node)].push_back(id);
  }
  if (device.kind == DeviceKind::gpu) {
    g.gpus.push_back(id);
  }
  return id;
}

void Topology::connect_one_way(DeviceId from, DeviceId to, const LinkSpec& spec) {
  Graph& g = *graph_;
  boost::add_edge(from, to, g.list);
  g.out[from].push_back(static_cast<LinkId>(g.links.size()));
  g.links.push_back({from, to, spec});
}

void Topology::connect(DeviceId a, DeviceId b, const LinkSpec& spec) {
  connect_one_way(a, b, spec);
  connect_one_way(b, a, spec);
}

void Topology::set_bandwidth(LinkId link, BytesPerSecond bandwidth) {
  graph_->links[link].spec.bandwidth = bandwidth;
}

std::size_t Topology::device_count() const { return boost::num_vertices(graph_->list); }
int Topology::node_count() const { return static_cast<int>(graph_->nodes.size()); }
const Device& Topology::device(DeviceId id) const { return graph_->list[id]; }
std::span<const Link> Topology::links() const { return graph_->links; }
std::span<const LinkId> Topology::links_from(DeviceId id) const { return graph_->out[id]; }
std::span<const DeviceId> Topology::gpus() const { return graph_->gpus; }
std::span<const DeviceId> Topology::devices_of(int node) const {
  return graph_->nodes[static_cast<std::size_t>(node)];
}

std::optional<LinkId> Topology::link(DeviceId from, DeviceId to) const {
  for (const LinkId id : graph_->out[from]) {
    if (graph_->links[id].to == to) {
      return id;
    }
  }
  return std::nullopt;
}

std::vector<DeviceId> Topology::of_node(int node, DeviceKind kind) const {
  std::vector<DeviceId> found;
  for (const DeviceId id : devices_of(node)) {
    if (device(id).kind == kind) {
      found.push_back(id);
    }
  }
  return found;
}

Route Topology::route(DeviceId from, DeviceId to, std::uint64_t choice) const {
  const Graph& g = *graph_;
  if (from == to) {
    return {};
  }
  if (device(from).node == device(to).node && device(from).node >= 0) {
    return g.within(from, to, choice);
  }
  const auto door = [&](DeviceId id) -> std::optional<DeviceId> {
    if (device(id).kind != DeviceKind::gpu) {
      return id;
    }
    const std::vector<DeviceId> nics = nearest_nics(id);
    return nics.empty() ? std::nullopt : std::optional(nics.front());
  };
  const std::optional<DeviceId> out = door(from), in = door(to);
  if (!out || !in) {
    return {};
  }
  Route route = from == *out ? Route{} : g.within(from, *out, choice);
  const Route middle = g.across(*out, *in, choice);
  const Route last = to == *in ? Route{} : g.within(*in, to, choice);
  if (middle.empty() || (from != *out && route.empty()) || (to != *in && last.empty())) {
    return {};
  }
  route.insert(route.end(), middle.begin(), middle.end());
  route.insert(route.end(), last.begin(), last.end());
  return route;
}

PathKind Topology::path_kind(DeviceId from, DeviceId to) const {
  if (from == to) {
    return PathKind::self;
  }
  const Route found = route(from, to);
  if (found.empty()) {
    return PathKind::none;
  }
  int sockets = 0, switches = 0;
  bool between_sockets = false;
  for (const LinkId id : found) {
    const Link& link = links()[id];
    switch (link.spec.kind) {
      case LinkKind::network:
        return PathKind::network;
      case LinkKind::socket:
        between_sockets = true;
        break;
      case LinkKind::nvlink:
      case LinkKind::xgmi:
      case LinkKind::c2c:
      case LinkKind::pcie:
        break;
    }
    sockets += device(link.to).kind == DeviceKind::socket ? 1 : 0;
    switches += device(link.to).kind == DeviceKind::pcie_switch ? 1 : 0;
  }
  const LinkKind first = links()[found.front()].spec.kind;
  return between_sockets                                        ? PathKind::sys
         : sockets > 0                                          ? PathKind::node
         : first == LinkKind::nvlink || first == LinkKind::xgmi ? PathKind::nvlink
         : switches > 1                                         ? PathKind::pxb
                                                                : PathKind::pix;
}

std::vector<DeviceId> Topology::nearest_nics(DeviceId gpu) const {
  const Device& self = device(gpu);
  std::vector<DeviceId> nics = of_node(self.node, DeviceKind::nic);
  std::vector<int> cost(nics.size(), std::numeric_limits<int>::max());
  for (std::size_t i = 0; i < nics.size(); ++i) {
    const Route way = graph_->within(gpu, nics[i], 0);
    cost[i] = way.empty() ? cost[i] : graph_->cost(way);
  }
  // Of k equally near NICs and GPUs that share them, GPU i begins at its own share.
  const auto gpus_here = of_node(self.node, DeviceKind::gpu);
  const std::size_t each = std::max<std::size_t>(1, nics.size() / std::max<std::size_t>(1, gpus_here.size()));
  const std::size_t begin = nics.empty() ? 0 : static_cast<std::size_t>(self.index) * each % nics.size();
  std::vector<std::size_t> order(nics.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = (begin + i) % order.size();
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cost[a] < cost[b]; });
  std::vector<DeviceId> sorted;
  for (const std::size_t i : order) {
    if (cost[i] < std::numeric_limits<int>::max()) {
      sorted.push_back(nics[i]);
    }
  }
  return sorted;
}

Seconds Topology::latency(const Route& route) const {
  Seconds sum;
  for (const LinkId id : route) {
    sum += links()[id].spec.latency;
  }
  return sum;
}

BytesPerSecond Topology::bandwidth(const Route& route) const {
  BytesPerSecond least(route.empty() ? 0.0 : std::numeric_limits<double>::infinity());
  for (const LinkId id : route) {
    least = min(least, links()[id].spec.usable());
  }
  return least;
}

Cut Topology::cut(std::span<const DeviceId> sources, std::span<const DeviceId> sinks) const {
  using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
  struct Pipe {
    double capacity = 0.0, residual = 0.0;
    Traits::edge_descriptor reverse;
  };
  struct Place {
    boost::default_color_type colour = boost::white_color;
    double distance = 0.0;
    Traits::edge_descriptor before;
  };
  using Flow = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Place, Pipe>;
  const std::size_t count = device_count(), source = count, sink = count + 1;
  Flow flow(count + 2);
  const auto pipe = [&](std::size_t from, std::size_t to, double capacity) {
    const auto there = boost::add_edge(from, to, flow).first, back = boost::add_edge(to, from, flow).first;
    flow[there].capacity = capacity;
    flow[there].reverse = back;
    flow[back].reverse = there;
  };
  std::vector<int> group(count, 0);
  for (const DeviceId id : sources) {
    group[id] = 1;
    pipe(source, id, 1e30);
  }
  for (const DeviceId id : sinks) {
    group[id] = 2;
    pipe(id, sink, 1e30);
  }
  // GPUs of neither group carry nothing; one that sends does not receive, and the other way round.
  for (const Link& link : links()) {
    const auto outsider = [&](DeviceId id) { return device(id).kind == DeviceKind::gpu && group[id] == 0; };
    if (!outsider(link.from) && !outsider(link.to) && group[link.to] != 1 && group[link.from] != 2) {
      pipe(link.from, link.to, link.spec.usable().si());
    }
  }
  Cut result;
  result.bandwidth = BytesPerSecond(boost::boykov_kolmogorov_max_flow(
      flow, boost::get(&Pipe::capacity, flow), boost::get(&Pipe::residual, flow),
      boost::get(&Pipe::reverse, flow), boost::get(&Place::before, flow), boost::get(&Place::colour, flow),
      boost::get(&Place::distance, flow), boost::get(boost::vertex_index, flow), source, sink));
  // Black: still reachable from the sources.
  for (LinkId id = 0; id < links().size(); ++id) {
    const Link& link = links()[id];
    if (flow[link.from].colour == boost::black_color && flow[link.to].colour != boost::black_color &&
        group[link.to] != 1 && group[link.from] != 2 &&
        !(device(link.to).kind == DeviceKind::gpu && group[link.to] == 0)) {
      result.links.push_back(id);
    }
  }
  return result;
}

std::vector<Problem> Topology::problems() const {
  std::vector<Problem> found;
  boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS> joined(device_count());
  for (LinkId id = 0; id < links().size(); ++id) {
    const Link& l = links()[id];
    const std::string at = name_of(device(l.from)) + " -> " + name_of(device(l.to));
    if (!(l.spec.bandwidth.si() > 0.0)) {
      found.push_back({at, fmt::format("{:g} B/s", l.spec.bandwidth.si()), "a bandwidth above zero", ""});
      continue;
    }
    if (!link(l.to, l.from)) {
      found.push_back({at, "a link of one direction", "links both ways", ""});
    }
    boost::add_edge(l.from, l.to, joined);
  }
  std::vector<int> part(device_count());
  boost::connected_components(joined, part.data());
  for (const DeviceId gpu : gpus()) {
    if (part[gpu] != part[gpus().front()]) {
      found.push_back({name_of(device(gpu)), "no way to " + name_of(device(gpus().front())),
                       "a graph in which every GPU reaches every other", ""});
    }
  }
  return found;
}

}  // namespace gpuplan::fabric

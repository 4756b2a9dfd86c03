#include "hwmodels/fabric/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <limits>
#include <map>

#include "hwmodels/fabric/graph.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::fabric {

namespace {

constexpr std::array<std::string_view, 9> kDeviceNames = {
    "gpu", "nvswitch", "pcie_switch", "host_bridge", "socket", "nic", "leaf", "spine", "core"};
constexpr std::array<std::string_view, 6> kLinkNames = {"nvlink", "xgmi", "c2c", "pcie", "socket", "network"};
constexpr std::array<std::string_view, 10> kPathNames = {"X",   "NV",   "XGMI", "PIX", "PXB",
                                                         "PHB", "NODE", "SYS",  "NET", "-"};

}  // namespace

std::span<const std::string_view> enum_names(DeviceKind /*tag*/) { return kDeviceNames; }
std::span<const std::string_view> enum_names(LinkKind /*tag*/) { return kLinkNames; }
std::span<const std::string_view> enum_names(PathKind /*tag*/) { return kPathNames; }

std::string name_of(const Device& device) {
  const std::string own = std::string(json::name_of(device.kind)) + std::to_string(device.index);
  return device.node < 0 ? own : "node" + std::to_string(device.node) + "/" + own;
}

Topology::Topology() : graph_(std::make_unique<Graph>()) {}
Topology::~Topology() = default;
Topology::Topology(Topology&&) noexcept = default;
Topology& Topology::operator=(Topology&&) noexcept = default;

DeviceId Topology::add(Device device) {
  Graph& g = *graph_;
  const auto id = static_cast<DeviceId>(g.devices.size());
  g.devices.push_back(device);
  g.out.emplace_back();
  g.in.emplace_back();
  if (device.node >= 0 && static_cast<std::size_t>(device.node) >= g.nodes.size()) {
    g.nodes.resize(static_cast<std::size_t>(device.node) + 1);
  }
  std::vector<DeviceId>& home = device.node < 0 ? g.switches : g.nodes[static_cast<std::size_t>(device.node)];
  g.place.push_back(static_cast<std::uint32_t>(home.size()));
  home.push_back(id);
  if (device.kind == DeviceKind::gpu) {
    g.gpus.push_back(id);
  }
  g.forget();
  return id;
}

void Topology::connect_one_way(DeviceId from, DeviceId to, const LinkSpec& spec) {
  Graph& g = *graph_;
  assert(from != to && from < g.devices.size() && to < g.devices.size());
  g.out[from].push_back(static_cast<LinkId>(g.links.size()));
  g.in[to].push_back(static_cast<LinkId>(g.links.size()));
  g.links.push_back({from, to, spec});
  g.links.back().spec.built = spec.bandwidth;
  g.forget();
}

void Topology::connect(DeviceId a, DeviceId b, const LinkSpec& spec) {
  connect_one_way(a, b, spec);
  connect_one_way(b, a, spec);
}

void Topology::set_bandwidth(LinkId link, BytesPerSecond bandwidth) {
  graph_->links[link].spec.bandwidth = bandwidth;
  graph_->forget();
}

void Topology::add_delay(LinkId link, Seconds delay) { graph_->links[link].spec.delay += delay; }

std::size_t Topology::device_count() const { return graph_->devices.size(); }
int Topology::node_count() const { return static_cast<int>(graph_->nodes.size()); }
const Device& Topology::device(DeviceId id) const { return graph_->devices[id]; }
std::span<const Link> Topology::links() const { return graph_->links; }
std::span<const LinkId> Topology::links_from(DeviceId id) const { return graph_->out[id]; }
std::span<const DeviceId> Topology::gpus() const { return graph_->gpus; }
std::span<const DeviceId> Topology::devices_of(int node) const {
  return node < 0 ? graph_->switches : graph_->nodes[static_cast<std::size_t>(node)];
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
  const int home = device(from).node, away = device(to).node;
  if (from == to) {
    return {};
  }
  if (home == away && home >= 0) {
    return g.within(from, to, choice);
  }
  // Where a device of a node meets the network.
  const auto door = [&](DeviceId id) -> std::optional<DeviceId> {
    if (device(id).node < 0 || device(id).kind == DeviceKind::nic) {
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
  // Whatever the way to the NIC crosses.
  if (std::any_of(found.begin(), found.end(),
                  [&](LinkId id) { return links()[id].spec.kind == LinkKind::network; })) {
    return PathKind::network;
  }
  int sockets = 0, bridges = 0, switches = 0;
  for (const LinkId id : found) {
    const Link& link = links()[id];
    switch (link.spec.kind) {
      case LinkKind::socket:
        return PathKind::sys;
      case LinkKind::nvlink:
        return PathKind::nvlink;
      case LinkKind::xgmi:
        return PathKind::xgmi;
      case LinkKind::c2c:
        ++bridges;  // a port of its own beside the PCIe roots
        break;
      case LinkKind::pcie:
      case LinkKind::network:
        break;
    }
    sockets += device(link.to).kind == DeviceKind::socket ? 1 : 0;
    bridges += device(link.to).kind == DeviceKind::host_bridge ? 1 : 0;
    switches += device(link.to).kind == DeviceKind::pcie_switch ? 1 : 0;
  }
  return bridges > 1                   ? PathKind::node
         : sockets > 0 || bridges == 1 ? PathKind::phb
         : switches > 1                ? PathKind::pxb
                                       : PathKind::pix;
}

int Topology::nvlinks(DeviceId from, DeviceId to) const {
  const auto is_scale_up = [](const Link& l) {
    return (l.spec.kind == LinkKind::nvlink || l.spec.kind == LinkKind::xgmi) && l.spec.bandwidth.si() > 0.0;
  };
  int sum = 0;
  for (const LinkId id : links_from(from)) {
    const Link& first = links()[id];
    if (!is_scale_up(first)) {
      continue;
    }
    if (first.to == to) {
      sum += first.spec.width;
    } else if (device(first.to).kind == DeviceKind::nvswitch) {
      for (const LinkId onward : links_from(first.to)) {
        const Link& second = links()[onward];
        sum += second.to == to && is_scale_up(second) ? std::min(first.spec.width, second.spec.width) : 0;
      }
    }
  }
  return sum;
}

std::vector<DeviceId> Topology::nearest_nics(DeviceId id) const {
  const Device& self = device(id);
  if (self.node < 0) {
    return {};
  }
  const std::vector<int> cost = graph_->costs_within(id);
  std::vector<DeviceId> nics;
  for (const DeviceId nic : of_node(self.node, DeviceKind::nic)) {
    if (nic != id && cost[graph_->place[nic]] < std::numeric_limits<int>::max()) {
      nics.push_back(nic);
    }
  }
  std::stable_sort(nics.begin(), nics.end(),
                   [&](DeviceId a, DeviceId b) { return cost[graph_->place[a]] < cost[graph_->place[b]]; });
  if (self.kind != DeviceKind::gpu) {
    return nics;
  }
  // The i-th of k GPUs that are equally near to n NICs begins at the i*n/k-th of them.
  for (auto begin = nics.begin(); begin != nics.end();) {
    const int near = cost[graph_->place[*begin]];
    const auto end =
        std::find_if(begin, nics.end(), [&](DeviceId nic) { return cost[graph_->place[nic]] != near; });
    const std::vector<int> back = graph_->costs_within(*begin);
    std::ptrdiff_t gpus_here = 0, mine = 0;
    for (const DeviceId gpu : of_node(self.node, DeviceKind::gpu)) {
      if (back[graph_->place[gpu]] == near) {
        mine += gpu < id ? 1 : 0;
        ++gpus_here;
      }
    }
    const std::ptrdiff_t count = end - begin;
    std::rotate(begin, begin + (gpus_here > 0 ? mine * count / gpus_here % count : 0), end);
    begin = end;
  }
  return nics;
}

Seconds Topology::latency(const Route& route) const {
  Seconds sum;
  for (const LinkId id : route) {
    sum += links()[id].spec.latency + links()[id].spec.delay;
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
  Cut result;
  result.links = graph_->min_cut(sources, sinks);
  for (const LinkId id : result.links) {
    result.bandwidth += links()[id].spec.usable();
  }
  return result;
}

std::vector<Problem> Topology::problems() const {
  std::vector<Problem> found;
  for (const Link& l : links()) {
    const std::string at = name_of(device(l.from)) + " -> " + name_of(device(l.to));
    if (!(l.spec.bandwidth.si() > 0.0)) {
      found.push_back({at, fmt::format("{:g} B/s", l.spec.bandwidth.si()), "a bandwidth above zero", ""});
    } else if (!(l.spec.efficiency > 0.0 && l.spec.efficiency <= 1.0)) {
      found.push_back(
          {at, fmt::format("an efficiency of {:g}", l.spec.efficiency), "above 0 and at most 1", ""});
    }
    if (!link(l.to, l.from)) {
      found.push_back({at, "a link of one direction", "links both ways", ""});
    }
  }
  // One line for each part that is cut off, not for each of its GPUs.
  const std::vector<int> part = graph_->parts();
  std::map<int, std::vector<DeviceId>> cut_off;
  for (const DeviceId gpu : gpus()) {
    if (part[gpu] != part[gpus().front()]) {
      cut_off[part[gpu]].push_back(gpu);
    }
  }
  for (const auto& [number, members] : cut_off) {
    found.push_back(
        {name_of(device(members.front())),
         fmt::format("no way to {}{}", name_of(device(gpus().front())),
                     members.size() > 1 ? fmt::format(" from it and {} more", members.size() - 1) : ""),
         "a graph in which every GPU reaches every other", ""});
  }
  return found;
}

}  // namespace gpuplan::fabric

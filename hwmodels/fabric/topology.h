// A machine as a graph: devices, and directed links between them with bandwidth, latency and efficiency. What
// contends for what in a simulation is a link of this graph.
//
// A node (a server, or an NVLink domain) is a set of devices with one number; leaf, spine and core switches
// belong to none. A route within a node stays in it and never passes through another GPU or NIC; a route
// between nodes goes from GPU to NIC, through switches, and from NIC to GPU.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/problem.h"
#include "hwmodels/units/units.h"

namespace gpuplan::fabric {

enum class DeviceKind { gpu, nvswitch, pcie_switch, socket, nic, leaf, spine, core };
std::span<const std::string_view> enum_names(DeviceKind tag);
enum class LinkKind { nvlink, xgmi, c2c, pcie, socket, network };
std::span<const std::string_view> enum_names(LinkKind tag);

struct Device {
  DeviceKind kind = DeviceKind::gpu;
  int node = -1;  // -1: a switch of the network
  int index = 0;  // among its kind in its node (or in the network)
  bool operator==(const Device&) const = default;
};
std::string name_of(const Device& device);  // "node3/gpu5", "leaf2"

using DeviceId = std::uint32_t;
using LinkId = std::uint32_t;

struct LinkSpec {
  LinkKind kind = LinkKind::pcie;
  BytesPerSecond bandwidth;  // of all its lanes together, in its direction; 0: down
  Seconds latency;           // of one traversal
  double efficiency = 1.0;   // share of the bandwidth that payload reaches
  int width = 1;             // physical links in it (NVLinks, uplinks)

  [[nodiscard]] BytesPerSecond usable() const { return bandwidth * efficiency; }
};
struct Link {
  DeviceId from = 0, to = 0;
  LinkSpec spec;
};

// How two devices of one node reach each other, as `nvidia-smi topo -m` names it; `network`: another node.
enum class PathKind { self, nvlink, pix, pxb, phb, node, sys, network, none };
std::span<const std::string_view> enum_names(PathKind tag);  // "X", "NV", "PIX" ...

using Route = std::vector<LinkId>;

// The narrowest place between two groups of devices.
struct Cut {
  BytesPerSecond bandwidth;   // that they can exchange in one direction
  std::vector<LinkId> links;  // full then
};

class Topology {
 public:
  Topology();
  ~Topology();
  Topology(Topology&&) noexcept;
  Topology& operator=(Topology&&) noexcept;

  DeviceId add(Device device);
  // A link each way.
  void connect(DeviceId a, DeviceId b, const LinkSpec& spec);
  void connect_one_way(DeviceId from, DeviceId to, const LinkSpec& spec);
  void set_bandwidth(LinkId link, BytesPerSecond bandwidth);

  [[nodiscard]] std::size_t device_count() const;
  [[nodiscard]] int node_count() const;
  [[nodiscard]] const Device& device(DeviceId id) const;
  [[nodiscard]] std::span<const Link> links() const;
  [[nodiscard]] std::span<const LinkId> links_from(DeviceId id) const;
  [[nodiscard]] std::optional<LinkId> link(DeviceId from, DeviceId to) const;
  [[nodiscard]] std::span<const DeviceId> gpus() const;                // in the order they were added
  [[nodiscard]] std::span<const DeviceId> devices_of(int node) const;  // all kinds
  [[nodiscard]] std::vector<DeviceId> of_node(int node, DeviceKind kind) const;

  // The cheapest way: NVLink before PCIe before the way between sockets. `choice` picks one of several equal
  // ways (a hash of the flow, or a plan). Empty where there is none, and from a device to itself.
  [[nodiscard]] Route route(DeviceId from, DeviceId to, std::uint64_t choice = 0) const;
  [[nodiscard]] PathKind path_kind(DeviceId from, DeviceId to) const;
  // NICs of a GPU's node, nearest first; equally near ones in the order that spreads the node's GPUs over
  // them.
  [[nodiscard]] std::vector<DeviceId> nearest_nics(DeviceId gpu) const;
  [[nodiscard]] Seconds latency(const Route& route) const;
  [[nodiscard]] BytesPerSecond bandwidth(const Route& route) const;  // usable, of its narrowest link

  // Maximum flow between two groups that share no device. A flow may pass through switches and sockets, and
  // through NICs, but not through GPUs.
  [[nodiscard]] Cut cut(std::span<const DeviceId> sources, std::span<const DeviceId> sinks) const;

  // What makes it unusable: GPUs that cannot reach each other, links without bandwidth, links of one
  // direction.
  [[nodiscard]] std::vector<Problem> problems() const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace gpuplan::fabric

// A machine as a graph: devices, and directed links between them with bandwidth, latency and efficiency. What
// contends for what in a simulation is a link of this graph.
//
// A node (a server, or an NVLink domain) is a set of devices with one number; leaf, spine and core switches
// belong to none. A route within a node stays in it and never passes through another GPU or NIC; a route
// between nodes goes from GPU to NIC, through switches, and from NIC to GPU.
//
// The NVSwitch chips of a node are one device: GPUs stripe their traffic over all of them, so together they
// act as one crossbar. Not modelled: order within a switch, and routing that adapts to load.
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

// host_bridge: a PCIe root of a socket. leaf, spine, core: switches of the network by level.
enum class DeviceKind { gpu, nvswitch, pcie_switch, host_bridge, socket, nic, leaf, spine, core };
std::span<const std::string_view> enum_names(DeviceKind tag);
enum class LinkKind { nvlink, xgmi, c2c, pcie, socket, network };
std::span<const std::string_view> enum_names(LinkKind tag);

struct Device {
  DeviceKind kind = DeviceKind::gpu;
  int node = -1;  // -1: a switch of the network
  int index = 0;  // among its kind in its node (or in the network)
  int chips = 1;  // that act as this one (NVSwitches)
  bool operator==(const Device&) const = default;
};
std::string name_of(const Device& device);  // "node3/gpu5", "leaf2"

using DeviceId = std::uint32_t;  // in the order of add()
using LinkId = std::uint32_t;    // in the order of connect(); there and back are two links

struct LinkSpec {
  LinkKind kind = LinkKind::pcie;
  BytesPerSecond bandwidth;  // of all its lanes together, in its direction; 0: down
  Seconds latency;           // of one traversal, as it was built
  double efficiency = 1.0;   // share of the bandwidth that payload reaches, above 0 and at most 1
  int width = 1;             // physical links in it (NVLinks, cables)
  BytesPerSecond built{};    // bandwidth before faults; connect() fills it
  Seconds delay{0};          // that a fault adds to the latency

  [[nodiscard]] BytesPerSecond usable() const { return bandwidth * efficiency; }
};
struct Link {
  DeviceId from = 0, to = 0;
  LinkSpec spec;
};

// How two devices reach each other, as `nvidia-smi topo -m` names it. nvlink, xgmi: directly or over
// NVSwitch; pix: one PCIe switch; pxb: several; phb: one host bridge; node: from one host bridge of a socket
// to another; sys: between sockets; network: another node; none: no way.
enum class PathKind { self, nvlink, xgmi, pix, pxb, phb, node, sys, network, none };
std::span<const std::string_view> enum_names(PathKind tag);  // "X", "NV", "XGMI", "PIX" ...

using Route = std::vector<LinkId>;

// The narrowest place between two groups of devices.
struct Cut {
  BytesPerSecond bandwidth;   // usable, that they can exchange in one direction: the sum of `links`
  std::vector<LinkId> links;  // full then; the cut nearest to the sources
};

class Topology {
 public:
  Topology();
  ~Topology();
  Topology(Topology&&) noexcept;
  Topology& operator=(Topology&&) noexcept;

  DeviceId add(Device device);
  // A link each way. The ends differ and exist.
  void connect(DeviceId a, DeviceId b, const LinkSpec& spec);
  void connect_one_way(DeviceId from, DeviceId to, const LinkSpec& spec);
  // 0: the link is down, and routes avoid it.
  void set_bandwidth(LinkId link, BytesPerSecond bandwidth);
  // Makes a link slower to answer than it was built. Routes stay: who plans them does not know of it.
  void add_delay(LinkId link, Seconds delay);

  [[nodiscard]] std::size_t device_count() const;
  [[nodiscard]] int node_count() const;
  [[nodiscard]] const Device& device(DeviceId id) const;
  [[nodiscard]] std::span<const Link> links() const;
  [[nodiscard]] std::span<const LinkId> links_from(DeviceId id) const;
  // The first link between two devices; nothing where there is none.
  [[nodiscard]] std::optional<LinkId> link(DeviceId from, DeviceId to) const;
  [[nodiscard]] std::span<const DeviceId> gpus() const;                // in the order they were added
  [[nodiscard]] std::span<const DeviceId> devices_of(int node) const;  // all kinds; -1: of the network
  [[nodiscard]] std::vector<DeviceId> of_node(int node, DeviceKind kind) const;

  // The cheapest way: NVLink before PCIe before the way between sockets, fewest hops in the network. `choice`
  // picks one of several equal ways (a hash of the flow, or a plan). Empty where there is none, and from a
  // device to itself. Between nodes the ways from switch to switch are remembered: a route costs its length.
  // Threads may share a topology that nobody changes.
  [[nodiscard]] Route route(DeviceId from, DeviceId to, std::uint64_t choice = 0) const;
  [[nodiscard]] PathKind path_kind(DeviceId from, DeviceId to) const;
  // NVLinks (or xGMI links) that two GPUs have towards each other, directly or over a switch: # of NV#.
  [[nodiscard]] int nvlinks(DeviceId from, DeviceId to) const;
  // NICs that a device of a node can reach, nearest first; of equally near ones, each GPU begins at another,
  // so that the GPUs of the node spread over them.
  [[nodiscard]] std::vector<DeviceId> nearest_nics(DeviceId id) const;
  [[nodiscard]] Seconds latency(const Route& route) const;
  [[nodiscard]] BytesPerSecond bandwidth(
      const Route& route) const;  // usable, of its narrowest link; 0 if empty

  // Maximum flow between two groups that share no device, with every link used at once (a collective that
  // takes one kind of link gets less). A flow may pass through switches, sockets and NICs, but not through
  // GPUs, nor through nodes that have no part in the groups; within one node it stays there.
  [[nodiscard]] Cut cut(std::span<const DeviceId> sources, std::span<const DeviceId> sinks) const;

  // What makes it unusable: GPUs in parts that nothing joins, links without bandwidth, links of one
  // direction.
  [[nodiscard]] std::vector<Problem> problems() const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace gpuplan::fabric

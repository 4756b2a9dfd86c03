#include "hwmodels/fabric/node_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace gpuplan::fabric {

namespace {

const Fabric& entry(const Catalogue& catalogue, const std::string& name) {
  const Fabric* found = catalogue.fabric(name);
  if (found == nullptr) {
    throw InputError(Problem{"catalogue fabrics", "no " + name, "an entry for this kind of link", ""});
  }
  return *found;
}

LinkSpec spec_of(const Fabric& fabric, LinkKind kind, BytesPerSecond bandwidth, int width = 1) {
  return {.kind = kind,
          .bandwidth = bandwidth,
          .latency = fabric.latency.value_or(Seconds()),
          .efficiency = fabric.efficiency,
          .width = width};
}

// NVLink generation of a GPU; 0 where its entry states none.
int nvlink_generation(const Gpu& gpu) {
  const json::Value* facts = gpu.raw.find("facts");
  const json::Value* cell = facts != nullptr ? facts->find("nvlink_generation") : nullptr;
  const json::Value* value = cell != nullptr ? cell->find("value") : nullptr;
  return value != nullptr && value->is_integer() ? static_cast<int>(value->integer()) : 0;
}

// Catalogue entry of what joins the GPUs; empty where only PCIe does.
std::string scale_up_entry(const Node& node, const Gpu& gpu) {
  if (gpu.scale_up_bandwidth.si() <= 0.0 || node.scale_up == ScaleUp::pcie) {
    return "";
  }
  const int generation = nvlink_generation(gpu);
  return generation > 0         ? "NVLink-" + std::to_string(generation)
         : gpu.name == "MI250X" ? "xGMI-MI250"
                                : "xGMI-MI300";
}

LinkSpec scale_up_link(const Fabric& fabric, const Node& node, const Gpu& gpu) {
  if (nvlink_generation(gpu) > 0) {
    return spec_of(fabric, LinkKind::nvlink, gpu.scale_up_bandwidth, gpu.scale_up_links);
  }
  // One xGMI link to each other GPU.
  return spec_of(fabric, LinkKind::xgmi, gpu.scale_up_bandwidth / std::max(1, node.gpu_count - 1));
}

// Which of `parts` equal blocks the i-th of `count` falls into.
int block(int i, int count, int parts) { return i * parts / std::max(1, count); }

void add_scale_up(Topology& topology, const Node& node, const LinkSpec& link, int number,
                  const std::vector<DeviceId>& gpus) {
  if (link.bandwidth.si() <= 0.0) {
    return;
  }
  switch (node.scale_up) {
    case ScaleUp::nvswitch: {
      const DeviceId crossbar =
          topology.add({DeviceKind::nvswitch, number, 0, std::max(1, node.nvswitch_count)});
      for (const DeviceId gpu : gpus) {
        topology.connect(gpu, crossbar, link);
      }
      return;
    }
    case ScaleUp::pairs:
      for (std::size_t i = 0; i + 1 < gpus.size(); i += 2) {
        topology.connect(gpus[i], gpus[i + 1], link);
      }
      return;
    case ScaleUp::all_to_all:
      for (std::size_t i = 0; i < gpus.size(); ++i) {
        for (std::size_t j = i + 1; j < gpus.size(); ++j) {
          topology.connect(gpus[i], gpus[j], link);
        }
      }
      return;
    case ScaleUp::pcie:
      return;
  }
}

}  // namespace

NodeLinks node_links(const Catalogue& catalogue, const Node& node, const Gpu& gpu) {
  NodeLinks links;
  const auto used = [&](const std::string& name) -> const Fabric& {
    links.entries.push_back(name);
    return entry(catalogue, name);
  };
  if (const std::string name = scale_up_entry(node, gpu); !name.empty()) {
    links.scale_up = scale_up_link(used(name), node, gpu);
  }
  links.pcie =
      spec_of(used(fmt::format("PCIe-{}-x16", gpu.pcie_generation)), LinkKind::pcie, gpu.pcie_bandwidth);
  if (gpu.c2c_bandwidth.si() > 0.0) {
    links.c2c = spec_of(used("NVLink-C2C"), LinkKind::c2c, gpu.c2c_bandwidth);
  }
  const Fabric& sockets = used("CPU-sockets");
  links.socket = spec_of(sockets, LinkKind::socket, sockets.bandwidth);
  return links;
}

void add_node(Topology& topology, const Node& node, const NodeLinks& links, int nics, int number) {
  const int sockets_count = std::max(1, node.socket_count);
  const int trays = std::clamp(node.tray_count, 1, sockets_count);
  std::vector<DeviceId> gpus, sockets, switches;
  for (int i = 0; i < node.gpu_count; ++i) {
    gpus.push_back(topology.add({DeviceKind::gpu, number, i}));
  }
  add_scale_up(topology, node, links.scale_up, number, gpus);
  for (int i = 0; i < sockets_count; ++i) {
    sockets.push_back(topology.add({DeviceKind::socket, number, i}));
    for (int j = 0; j < i; ++j) {
      if (block(i, sockets_count, trays) == block(j, sockets_count, trays)) {
        topology.connect(sockets[static_cast<std::size_t>(j)], sockets.back(), links.socket);
      }
    }
  }
  int bridges = 0;
  // A PCIe root of socket `socket` with `below` on it.
  const auto add_bridge = [&](int socket, DeviceId below) {
    const DeviceId bridge = topology.add({DeviceKind::host_bridge, number, bridges++});
    LinkSpec inner = links.pcie;
    inner.latency = Seconds();  // of the socket; counted by the link below
    topology.connect(sockets[static_cast<std::size_t>(socket)], bridge, inner);
    topology.connect(bridge, below, links.pcie);
  };
  for (int i = 0; i < node.pcie_switch_count; ++i) {
    switches.push_back(topology.add({DeviceKind::pcie_switch, number, i}));
    add_bridge(block(i, node.pcie_switch_count, sockets_count), switches.back());
  }
  // The i-th of `count` GPUs or NICs.
  const auto attach = [&](DeviceId id, int i, int count) {
    if (!switches.empty()) {
      topology.connect(id, switches[static_cast<std::size_t>(block(i, count, node.pcie_switch_count))],
                       links.pcie);
    } else {
      add_bridge(block(i, count, sockets_count), id);
    }
  };
  for (int i = 0; i < node.gpu_count; ++i) {
    const DeviceId gpu = gpus[static_cast<std::size_t>(i)];
    if (links.c2c.bandwidth.si() > 0.0) {
      topology.connect(gpu, sockets[static_cast<std::size_t>(block(i, node.gpu_count, sockets_count))],
                       links.c2c);
    } else {
      attach(gpu, i, node.gpu_count);
    }
  }
  for (int i = 0; i < nics; ++i) {
    attach(topology.add({DeviceKind::nic, number, i}), i, nics);
  }
}

}  // namespace gpuplan::fabric

// Node and fabric files.
#include <algorithm>

#include "hwmodels/catalogue/entry.h"

namespace gpuplan::catalogue {

namespace {

constexpr json::Range kCount{.min = 1, .max = 1e6};
constexpr json::Range kAmount{.min = 0, .max = 1e9};

}  // namespace

Node read_node(Entry& entry, json::Value raw) {
  Node node;
  node.name = entry.text("name", json::required);
  node.aliases = entry.texts("aliases");
  node.gpus = entry.texts("gpus");
  node.fabric = entry.text("fabric", json::Presence::optional);
  if (node.gpus.empty()) {
    entry.problem("gpus", "nothing", "at least one GPU");
  }
  static const std::map<std::string_view, int Node::*> counts = {
      {"gpu_count", &Node::gpu_count},
      {"nic_count", &Node::nic_count},
      {"nvswitch_count", &Node::nvswitch_count},
      {"socket_count", &Node::socket_count},
      {"pcie_switch_count", &Node::pcie_switch_count},
      {"tray_count", &Node::tray_count}};
  for (const auto& [name, cell] : entry.root().object()) {
    double number = 0;
    if (const auto count = counts.find(name); count != counts.end()) {
      if (entry.number(cell, name, kCount, true, number)) {
        node.*count->second = static_cast<int>(number);
      }
    } else if (name == "nic_bandwidth_gbps") {
      if (entry.number(cell, name, json::positive(), false, number)) {
        node.nic_bandwidth = BytesPerSecond(number * 1e9);
      }
    } else if (name == "host_memory_gb" || name == "nvme_gb") {
      if (entry.number(cell, name, json::positive(), false, number)) {
        (name == "nvme_gb" ? node.nvme : node.host_memory) = Bytes(number * 1e9);
      }
    } else if (name == "host_bandwidth_gbps") {
      if (entry.number(cell, name, json::positive(), false, number)) {
        node.host_bandwidth = BytesPerSecond(number * 1e9);
      }
    } else if (name == "power_w") {
      if (entry.number(cell, name, kAmount, false, number)) {
        node.power = Watts(number);
      }
    } else if (name == "switch_reduction") {
      const json::Value* value = entry.sourced(cell, name);
      if (value != nullptr && value->is_bool()) {
        node.switch_reduction = value->boolean();
      } else {
        entry.problem(name, value == nullptr ? "no value" : json::excerpt(*value), "true or false");
      }
    } else if (name == "scale_up") {
      if (const json::Value* value = entry.sourced(cell, name)) {
        std::vector<Problem> wrong;
        json::Reader reader(entry.root(), entry.path(), wrong);
        reader.read(*value, entry.path() + ".scale_up.value", node.scale_up, {});
        for (const Problem& p : wrong) {
          entry.problem("scale_up.value", p.found, p.expected, p.suggestion);
        }
      }
    } else if (name == "facts") {
      entry.facts(cell);
    } else if (name != "name" && name != "aliases" && name != "order" && name != "gpus" && name != "fabric" &&
               !is_remark(name)) {
      entry.unknown(name, {"name", "aliases", "order", "gpus", "gpu_count", "scale_up", "switch_reduction",
                           "nvswitch_count", "socket_count", "pcie_switch_count", "tray_count", "nic_count",
                           "nic_bandwidth_gbps", "fabric", "power_w", "host_memory_gb", "host_bandwidth_gbps",
                           "nvme_gb", "facts"});
    }
  }
  if (node.gpu_count == 0) {
    entry.problem("gpu_count", "nothing", "a value (the field is required)");
  }
  node.sources = entry.take_sources();
  node.raw = std::move(raw);
  return node;
}

Fabric read_fabric(Entry& entry, json::Value raw) {
  Fabric fabric;
  fabric.name = entry.text("name", json::required);
  fabric.kind = entry.text("kind", json::required);
  fabric.aliases = entry.texts("aliases");
  for (const auto& [name, cell] : entry.root().object()) {
    double number = 0;
    if (name == "bandwidth_gbps") {
      if (entry.number(cell, name, json::positive(), false, number)) {
        fabric.bandwidth = BytesPerSecond(number * 1e9);
      }
    } else if (name == "latency_us") {
      if (entry.number(cell, name, json::not_negative(), false, number)) {
        fabric.latency = Seconds(number * 1e-6);
      }
    } else if (name == "efficiency") {
      if (entry.number(cell, name, {.min = 0.0, .max = 1.0, .open_min = true}, false, number)) {
        fabric.efficiency = number;
      }
    } else if (name == "facts") {
      entry.facts(cell);
    } else if (name != "name" && name != "aliases" && name != "kind" && !is_remark(name)) {
      entry.unknown(name, {"name", "aliases", "kind", "bandwidth_gbps", "latency_us", "efficiency", "facts"});
    }
  }
  if (fabric.bandwidth == BytesPerSecond()) {
    entry.problem("bandwidth_gbps", "nothing", "a value (the field is required)");
  }
  fabric.sources = entry.take_sources();
  fabric.raw = std::move(raw);
  return fabric;
}

}  // namespace gpuplan::catalogue

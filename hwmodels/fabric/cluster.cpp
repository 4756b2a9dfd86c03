#include "hwmodels/fabric/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hwmodels/fabric/network_builder.h"
#include "hwmodels/fabric/node_builder.h"

namespace gpuplan::fabric {

namespace {

constexpr std::array<std::string_view, 4> kFabricNames = {"single_switch", "rail_optimised", "fat_tree",
                                                          "dragonfly"};

std::vector<std::string> network_names(const Catalogue& catalogue) {
  std::vector<std::string> names;
  for (const Fabric& fabric : catalogue.fabrics()) {
    if (fabric.kind == "network") {
      names.push_back(fabric.name);
    }
  }
  return names;
}

void resolve_port(Cluster& cluster, const Catalogue& catalogue, const std::string& path,
                  std::vector<Problem>& problems) {
  if (cluster.spec.nodes == 1 || cluster.node.name.empty()) {
    return;
  }
  if (cluster.nics == 0) {
    problems.push_back({path + ".nics", "none: the catalogue lists no NIC of " + cluster.node.name,
                        "NICs of each node, to join several", ""});
  }
  const std::string& name = cluster.spec.fabric.link;
  const Fabric* fabric = catalogue.fabric(name);
  if (fabric == nullptr || fabric->kind != "network") {
    const std::string found = name.empty() ? "nothing"
                              : fabric != nullptr
                                  ? fmt::format("\"{}\", a link of kind {}", fabric->name, fabric->kind)
                                  : "\"" + name.substr(0, 60) + "\"";
    problems.push_back({path + ".fabric.link", found, "a network of the catalogue (gpuplan catalog fabrics)",
                        did_you_mean(name, network_names(catalogue))});
    return;
  }
  cluster.spec.fabric.link = fabric->name;
  const BytesPerSecond nic = cluster.node.nic_bandwidth;
  cluster.port = {.kind = LinkKind::network,
                  .bandwidth = nic.si() > 0.0 ? min(nic, fabric->bandwidth) : fabric->bandwidth,
                  .latency = fabric->latency.value_or(Seconds()) / 2.0,  // port to port crosses two links
                  .efficiency = cluster.spec.fabric.efficiency.value_or(fabric->efficiency),
                  .width = 1};
}

}  // namespace

std::span<const std::string_view> enum_names(FabricKind /*tag*/) { return kFabricNames; }

Cluster resolve_cluster(const ClusterSpec& spec, const Catalogue& catalogue, const std::string& path) {
  std::vector<Problem> problems;
  Cluster cluster{.spec = spec, .node = {}, .gpu = {}, .nics = 0, .port = {}};
  if (const Node* node = catalogue.node(spec.node)) {
    cluster.node = *node;
    cluster.spec.node = node->name;
    cluster.nics = spec.nics.value_or(node->nic_count);
    const std::string name = spec.gpu.empty() ? node->gpus.front() : spec.gpu;
    if (const Gpu* gpu = catalogue.gpu(name)) {
      cluster.gpu = *gpu;
      cluster.spec.gpu = gpu->name;
    } else {
      problems.push_back({path + ".gpu", "\"" + name.substr(0, 60) + "\"",
                          "a GPU of the catalogue (gpuplan catalog gpus)",
                          did_you_mean(name, catalogue.gpu_names())});
    }
    if (spec.fabric.link.empty()) {
      cluster.spec.fabric.link = node->fabric;
    }
  } else {
    problems.push_back({path + ".node", "\"" + spec.node.substr(0, 60) + "\"",
                        "a node of the catalogue (gpuplan catalog nodes)",
                        did_you_mean(spec.node, catalogue.node_names())});
  }
  resolve_port(cluster, catalogue, path, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return cluster;
}

Cluster read_cluster(const json::Value& document, const Catalogue& catalogue, const std::string& path) {
  ClusterSpec spec;
  std::vector<Problem> problems;
  json::read(document, path, spec, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return resolve_cluster(spec, catalogue, path);
}

Topology build_cluster(const Cluster& cluster, const Catalogue& catalogue, const std::string& path) {
  Topology topology;
  const NodeLinks links = node_links(catalogue, cluster.node, cluster.gpu);
  for (int number = 0; number < cluster.spec.nodes; ++number) {
    add_node(topology, cluster.node, links, cluster.nics, number);
  }
  if (cluster.spec.nodes > 1) {
    add_network(topology, cluster.spec.fabric, cluster.port, cluster.node.tray_count, path + ".fabric");
  }
  return topology;
}

std::vector<std::string> assumptions(const Cluster& cluster, const Catalogue& catalogue) {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  static const Fields of_link = {
      {"bandwidth_gbps", "bandwidth"}, {"latency_us", "latency"}, {"efficiency", "efficiency"}};
  static const Fields of_node = {
      {"nvswitch_count", "NVSwitches"}, {"socket_count", "sockets"}, {"pcie_switch_count", "PCIe switches"},
      {"tray_count", "trays"},          {"nic_count", "NICs"},       {"nic_bandwidth_gbps", "NIC bandwidth"}};
  std::vector<std::string> found;
  const auto add = [&](const std::string& name, const std::map<std::string, Source>& sources,
                       const Fields& fields) {
    std::string which;
    for (const auto& [field, word] : fields) {
      const auto source = sources.find(field);
      if (source != sources.end() && source->second.standing == Standing::assumed) {
        which += (which.empty() ? "" : ", ") + word;
      }
    }
    if (!which.empty()) {
      found.push_back(which + " of " + name);
    }
  };
  add(cluster.node.name, cluster.node.sources, of_node);
  std::vector<std::string> entries = node_links(catalogue, cluster.node, cluster.gpu).entries;
  if (cluster.spec.nodes > 1) {
    entries.push_back(cluster.spec.fabric.link);
  }
  for (const std::string& name : entries) {
    if (const Fabric* fabric = catalogue.fabric(name)) {
      add(fabric->name, fabric->sources, of_link);
    }
  }
  return found;
}

}  // namespace gpuplan::fabric

// A topology as text of at most 80 columns, as JSON and as a DOT graph.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/fabric/topology.h"
#include "hwmodels/json/value.h"

namespace gpuplan::cli {

struct NamedCut {
  std::string name;  // "node0:node1"
  fabric::Cut cut;
};

// "GPU", "leaf switch".
std::string noun_of(fabric::DeviceKind kind);
// "GPU3", "NIC0": as nvidia-smi names the devices of a node.
std::string short_name(const fabric::Device& device);

// Summary, matrix of the first node (as many devices as fit), cut.
std::string topology_text(const fabric::Topology& topology, const std::string& title,
                          const std::optional<NamedCut>& cut, const std::vector<std::string>& notes = {});
json::Value topology_json(const fabric::Topology& topology, const std::optional<NamedCut>& cut,
                          const std::vector<std::string>& notes = {});
// Every device and link, for Graphviz.
std::string topology_dot(const fabric::Topology& topology, const std::string& title);

}  // namespace gpuplan::cli

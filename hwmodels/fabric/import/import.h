// Topologies of real machines, as their tools print them, and back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/fabric/topology.h"

namespace gpuplan::fabric {

struct Imported {
  Topology topology;  // one node, number 0
  std::string format;
  std::vector<BytesPerSecond> nic_bandwidth;  // by index of the NIC; zero where the file does not say
  std::vector<std::string> notes;             // what was assumed, and where the graph differs from the file
};

// The XML that NCCL (and RCCL) writes to NCCL_TOPO_DUMP_FILE. Each <cpu> is a socket, each <pci> directly in
// it has a host bridge of its own; PCIe bandwidth follows from link_speed and link_width, NVLink's from sm
// and count. NVSwitches become one crossbar. Latencies and efficiencies are the catalogue's. Throws
// InputError with "name:line" for each mistake.
Imported import_nccl_xml(std::string_view text, const std::string& name, const Catalogue& catalogue);

// The text of `nvidia-smi topo -m`. Switches, host bridges and sockets are the fewest that give its cells;
// GPUs whose NV# add up to more links than any GPU has are on an NVSwitch. The file tells no bandwidth: notes
// say what was assumed. Throws InputError with "name:line".
Imported import_topo_matrix(std::string_view text, const std::string& name, const Catalogue& catalogue);

// Either, told apart by content.
Imported import_topology(std::string_view text, const std::string& name, const Catalogue& catalogue);

// One node in the two formats; what the format cannot say is lost.
std::string export_nccl_xml(const Topology& topology, int node);
std::string export_topo_matrix(const Topology& topology, int node);

// "NV18", "PIX": a cell of the matrix.
std::string path_text(const Topology& topology, DeviceId a, DeviceId b);

}  // namespace gpuplan::fabric

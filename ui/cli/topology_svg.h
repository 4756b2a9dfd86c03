// A drawing of a topology: the network on top, then of each node NICs, sockets, PCIe switches, GPUs and what
// joins the GPUs. Line widths grow with bandwidth. Of many nodes the first and the last are drawn, of many
// switches those that they reach.
#pragma once

#include <string>

#include "hwmodels/fabric/topology.h"

namespace gpuplan::cli {

std::string topology_svg(const fabric::Topology& topology, const std::string& title);

}  // namespace gpuplan::cli

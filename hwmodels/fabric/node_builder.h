// The inside of a node from its catalogue entry.
//
//   NVLink:  every GPU on the node's NVSwitches (one crossbar), in pairs, or every GPU with every other
//   (xGMI) PCIe:    GPU, NIC - PCIe switch - host bridge - socket; GPUs and NICs dealt to switches (or
//   sockets) in
//            blocks; a host bridge for each switch, or for each device that has no switch; C2C straight to
//            the socket
//   sockets: each with each other of its tray
//
// All numbers are the catalogue's: bandwidths of the GPU's entry, latencies and efficiencies of the fabric
// entries (NVLink-*, xGMI-*, NVLink-C2C, PCIe-*-x16, CPU-sockets). Assumed: a PCIe switch goes up by one x16.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/fabric/topology.h"

namespace gpuplan::fabric {

// What the links of a node are like.
struct NodeLinks {
  LinkSpec scale_up;  // all NVLinks of a GPU, or one xGMI link; no bandwidth where there is none
  LinkSpec pcie;      // x16 of the GPU's generation
  LinkSpec c2c;       // no bandwidth where there is none
  LinkSpec socket;
  std::vector<std::string> entries;  // catalogue fabrics that these come from
};
// Of a node with `gpu`. Throws InputError where the catalogue lacks an entry that this needs.
NodeLinks node_links(const Catalogue& catalogue, const Node& node, const Gpu& gpu);

// Adds node number `number` with `nics` NICs (not yet on a network).
void add_node(Topology& topology, const Node& node, const NodeLinks& links, int nics, int number);

}  // namespace gpuplan::fabric

// The network between nodes: leaf, spine and core switches for the NICs that a topology has.
//
// Uplinks are whole cables of the NICs' speed: a leaf with d ports down has ceil(d / oversubscription) up.
// The cables between two switches are one link of that width.
//   2 levels: every leaf has equally many cables to every spine.
//   3 levels: pods of leaves, each with as many spines as a leaf has uplinks; spine s of every pod meets the
//             others' in core group s, with no oversubscription of its own.
//   dragonfly: p NICs, a - 1 routers of the group and h = p / oversubscription global cables on each router;
//             a = 2p unless given; the a h global cables of a group are dealt evenly to the other groups.
#pragma once

#include <string>

#include "hwmodels/fabric/cluster.h"
#include "hwmodels/fabric/topology.h"

namespace gpuplan::fabric {

// Joins the NICs of all nodes, each of `trays` trays: rail r takes NIC r of each tray. Throws InputError,
// with paths below `path`, where switches of `spec.ports` ports cannot.
void add_network(Topology& topology, const FabricSpec& spec, const LinkSpec& port, int trays,
                 const std::string& path);

}  // namespace gpuplan::fabric

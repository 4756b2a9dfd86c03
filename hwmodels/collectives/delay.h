// What slower answers of links (a fault's extra latency) add to collectives on planned ways: the sum along
// the longest chain of hops that wait for each other.
//
// Hops are pipelined: a link that answers late delays what passes through it, not the next bytes behind it.
// A message so large that buffers run full before the answer comes would lose bandwidth too, which is not
// modelled.
#pragma once

#include "hwmodels/collectives/channels.h"

namespace gpuplan::collectives {

bool any_delay(const fabric::Topology& topology);
Seconds delay_of(const fabric::Topology& topology, const fabric::Route& route);

// A ring of n hops and `steps` steps: a chunk passes as many hops in a row, so that each hop counts
// floor(steps / n) times and the worst stretch of what is left once more.
Seconds delay_of(const fabric::Topology& topology, const RingPlan& plan, int steps);

// Trees: the longest way up to the root, and the longest down.
struct TreeWay {
  bool up = true, down = true;
  bool between_nodes = false;  // only hops from node to node count
};
Seconds delay_of(const fabric::Topology& topology, const TreePlan& plan, const TreeWay& way);

}  // namespace gpuplan::collectives

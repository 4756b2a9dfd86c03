#include "hwmodels/collectives/delay.h"

#include <algorithm>
#include <map>

namespace gpuplan::collectives {

namespace {

using fabric::Topology;

// The most that `count` hops in a row add on a ring.
double longest_stretch(const std::vector<double>& hops, std::size_t count) {
  double sum = 0.0, most = 0.0;
  for (std::size_t i = 0; i < hops.size() + count; ++i) {
    sum += hops[i % hops.size()];
    sum -= i >= count ? hops[(i - count) % hops.size()] : 0.0;
    most = std::max(most, sum);
  }
  return most;
}

// From the root to the GPU farthest from it, each hop given by its child.
double deepest(const Topology& topology, const std::vector<Hop>& hops, bool up, bool between_nodes) {
  std::map<fabric::DeviceId, std::pair<fabric::DeviceId, double>> parent;
  for (const Hop& hop : hops) {
    const bool across = topology.device(hop.from).node != topology.device(hop.to).node;
    const double delay = across || !between_nodes ? delay_of(topology, hop.route).si() : 0.0;
    parent[up ? hop.from : hop.to] = {up ? hop.to : hop.from, delay};
  }
  double most = 0.0;
  for (const auto& [child, edge] : parent) {
    double sum = 0.0;
    for (auto at = parent.find(child); at != parent.end(); at = parent.find(at->second.first)) {
      sum += at->second.second;
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace

bool any_delay(const Topology& topology) {
  const auto links = topology.links();
  return std::any_of(links.begin(), links.end(),
                     [](const fabric::Link& link) { return link.spec.delay.si() > 0.0; });
}

Seconds delay_of(const Topology& topology, const fabric::Route& route) {
  Seconds sum;
  for (const fabric::LinkId link : route) {
    sum += topology.links()[link].spec.delay;
  }
  return sum;
}

Seconds delay_of(const Topology& topology, const RingPlan& plan, int steps) {
  double most = 0.0;
  for (const ChannelRing& ring : plan.channels) {
    std::vector<double> hops;
    double whole = 0.0;
    for (const Hop& hop : ring.hops) {
      hops.push_back(delay_of(topology, hop.route).si());
      whole += hops.back();
    }
    if (whole > 0.0) {
      const auto n = hops.size(), count = static_cast<std::size_t>(steps), rounds = count / n;
      most = std::max(most, whole * static_cast<double>(rounds) + longest_stretch(hops, count % n));
    }
  }
  return Seconds(most);
}

Seconds delay_of(const Topology& topology, const TreePlan& plan, const TreeWay& way) {
  double most = 0.0;
  for (const ChannelTree& tree : plan.trees) {
    most = std::max(most, (way.up ? deepest(topology, tree.up, true, way.between_nodes) : 0.0) +
                              (way.down ? deepest(topology, tree.down, false, way.between_nodes) : 0.0));
  }
  return Seconds(most);
}

}  // namespace gpuplan::collectives

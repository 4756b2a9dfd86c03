// Faults of a fabric: switches, NICs and links that are down, narrower, or slower to answer than they were
// built.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/fabric/topology.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

// A device, with all its links, or one link, both directions alike.
struct LinkFault {
  std::string device;  // "node2/nic3", "spine0"
  std::string to;      // the other end; empty: all links of the device
  std::optional<double>
      bandwidth;       // share that is left, 0 to 1; absent: all where `latency` is given, else 0
  Seconds latency{0};  // added to each passage of each of these links
  [[nodiscard]] double left() const { return bandwidth.value_or(latency.si() > 0.0 ? 1.0 : 0.0); }
};
template <class V>
void describe(V& v, LinkFault& s) {
  v.field("device", s.device, "by its name in `gpuplan topology`, as \"node2/nic3\" or \"spine0\"",
          json::required);
  v.field("to", s.to, "other end of the link; empty: all links of the device");
  v.field("bandwidth", s.bandwidth,
          "share of the bandwidth that is left, in both directions; 0: down; absent: all of it where latency "
          "is given, else down",
          json::Range{.min = 0, .max = 1});
  v.field("latency", s.latency, "added to each passage of the link, in both directions (s)",
          json::not_negative());
}

// Applies faults in place. Throws InputError, whose paths begin with `path` ("S.json: $.faults"): no such
// device, no link between two.
void apply(const std::vector<LinkFault>& faults, fabric::Topology& topology, const std::string& path);

// Throws InputError at `path` where faults leave some of `gpus` no way to others.
void check_reach(const fabric::Topology& topology, std::span<const fabric::DeviceId> gpus,
                 const std::string& path);

}  // namespace gpuplan::sim

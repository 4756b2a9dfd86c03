// What a Topology holds, and its searches. Internal to the fabric.
#pragma once

#include <memory>
#include <mutex>

#include "hwmodels/fabric/topology.h"

namespace gpuplan::fabric {

struct Topology::Graph {
  std::vector<Device> devices;
  std::vector<Link> links;
  std::vector<std::vector<LinkId>> out, in;  // by device
  std::vector<DeviceId> gpus;
  std::vector<std::vector<DeviceId>> nodes;
  std::vector<DeviceId> switches;    // of the network
  std::vector<std::uint32_t> place;  // of a device in its node's list, or in `switches`

  // One of the cheapest ways between devices of one node; `choice` decides wherever several arrive.
  [[nodiscard]] Route within(DeviceId from, DeviceId to, std::uint64_t choice) const;
  // Cost of the way to each device of the node, by place; INT_MAX where there is none.
  [[nodiscard]] std::vector<int> costs_within(DeviceId from) const;
  // Between NICs of different nodes, or switches: fewest hops.
  [[nodiscard]] Route across(DeviceId from, DeviceId to, std::uint64_t choice) const;
  // Full links of a maximum flow.
  [[nodiscard]] std::vector<LinkId> min_cut(std::span<const DeviceId> sources,
                                            std::span<const DeviceId> sinks) const;
  // Number of the part that each device is in; links that are down join nothing.
  [[nodiscard]] std::vector<int> parts() const;
  // The graph has changed.
  void forget() {
    if (!hops_.empty()) {
      hops_.clear();
    }
  }

 private:
  // Hops from each switch to one of them, by place; kFar where there is no way.
  using Hops = std::vector<std::uint16_t>;
  static constexpr std::uint16_t kFar = 0xffff;
  [[nodiscard]] const Hops& hops_to(DeviceId target) const;

  struct Search;  // from one device within its node
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<const Hops>> hops_;  // by place of the target; filled as asked for
};

}  // namespace gpuplan::fabric

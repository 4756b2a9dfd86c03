// Places where flows meet: links, or the single cables of links that are bundles.
//
// Spread evenly, traffic fills a bundle of k cables as if it were one wide link: a place. Under ECMP every
// flow (what one channel, or one pair, sends from a NIC to another) hashes to one cable at every switch and
// takes no other, so that two flows may share a cable while others idle: a bundle is k places then. Hashes of
// switches count as independent of each other; those of real switches may agree (polarisation), which is
// worse.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "hwmodels/fabric/topology.h"

namespace gpuplan::fabric {

using PlaceId = std::uint32_t;  // below the number of links: a link, or its first cable

// Well mixed, of a flow or of what a switch makes of it.
std::uint64_t ecmp_hash(std::uint64_t seed, std::initializer_list<std::uint64_t> parts);

class Lanes {
 public:
  // Every link is one place.
  Lanes() = default;
  // Every cable of a network link is one.
  explicit Lanes(const Topology& topology);

  [[nodiscard]] std::size_t places(const Topology& topology) const {
    return topology.links().size() + link_of_.size();
  }
  [[nodiscard]] LinkId link_of(PlaceId place) const;
  // Places of a link.
  [[nodiscard]] int cables(const Topology& topology, LinkId link) const;
  // Which of them the flow with this hash takes.
  [[nodiscard]] PlaceId place(const Topology& topology, LinkId link, std::uint64_t flow) const;
  // The share of the link that is this place's.
  [[nodiscard]] BytesPerSecond usable(const Topology& topology, PlaceId place) const;
  // "leaf0 -> spine1", "leaf0 -> spine1 cable 3 of 8".
  [[nodiscard]] std::string name(const Topology& topology, PlaceId place) const;

 private:
  std::vector<PlaceId> second_;  // by link: place of its second cable, where it has one; empty: not apart
  std::vector<LinkId> link_of_;  // of the places beyond the links
};

}  // namespace gpuplan::fabric

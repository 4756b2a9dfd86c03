#include "hwmodels/fabric/lanes.h"

#include <fmt/format.h>

namespace gpuplan::fabric {

namespace {

// A step of splitmix64 (Steele, Lea and Flood 2014).
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

}  // namespace

std::uint64_t ecmp_hash(std::uint64_t seed, std::initializer_list<std::uint64_t> parts) {
  std::uint64_t hash = mixed(seed);
  for (const std::uint64_t part : parts) {
    hash = mixed(hash ^ part);
  }
  return hash;
}

Lanes::Lanes(const Topology& topology) {
  const auto links = topology.links();
  second_.assign(links.size(), 0);
  for (LinkId link = 0; link < links.size(); ++link) {
    const LinkSpec& spec = links[link].spec;
    if (spec.kind == LinkKind::network && spec.width > 1) {
      second_[link] = static_cast<PlaceId>(links.size() + link_of_.size());
      link_of_.insert(link_of_.end(), static_cast<std::size_t>(spec.width) - 1, link);
    }
  }
}

LinkId Lanes::link_of(PlaceId place) const {
  if (second_.empty() || place < second_.size()) {
    return place;
  }
  return link_of_[place - second_.size()];
}

int Lanes::cables(const Topology& topology, LinkId link) const {
  return second_.empty() || second_[link] == 0 ? 1 : topology.links()[link].spec.width;
}

PlaceId Lanes::place(const Topology& topology, LinkId link, std::uint64_t flow) const {
  const auto count = static_cast<std::uint64_t>(cables(topology, link));
  const std::uint64_t cable = count == 1 ? 0 : ecmp_hash(flow, {link}) % count;
  return cable == 0 ? link : second_[link] + static_cast<PlaceId>(cable - 1);
}

BytesPerSecond Lanes::usable(const Topology& topology, PlaceId place) const {
  const LinkId link = link_of(place);
  return topology.links()[link].spec.usable() / static_cast<double>(cables(topology, link));
}

std::string Lanes::name(const Topology& topology, PlaceId place) const {
  const LinkId id = link_of(place);
  const Link& link = topology.links()[id];
  const std::string ends = name_of(topology.device(link.from)) + " -> " + name_of(topology.device(link.to));
  const int count = cables(topology, id);
  return count == 1
             ? ends
             : fmt::format("{} cable {} of {}", ends, place == id ? 1 : place - second_[id] + 2, count);
}

}  // namespace gpuplan::fabric

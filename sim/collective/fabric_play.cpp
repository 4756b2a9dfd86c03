#include "sim/collective/fabric_play.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/collective/fabric_flows.h"

namespace gpuplan::sim {

namespace {

using collectives::Algorithm;

}  // namespace

void apply(const std::vector<LinkFault>& faults, fabric::Topology& topology, const std::string& path) {
  std::vector<Problem> problems;
  std::vector<std::string> names;
  for (fabric::DeviceId id = 0; id < topology.device_count(); ++id) {
    names.push_back(name_of(topology.device(id)));
  }
  const auto unknown = [&](std::size_t i, const char* field, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return false;
    }
    problems.push_back({fmt::format("{}[{}].{}", path, i, field), "\"" + name.substr(0, 60) + "\"",
                        "a device of the topology", did_you_mean(name, names)});
    return true;
  };
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const LinkFault& fault = faults[i];
    if (unknown(i, "device", fault.device) || (!fault.to.empty() && unknown(i, "to", fault.to))) {
      continue;
    }
    bool found = false;
    for (fabric::LinkId id = 0; id < topology.links().size(); ++id) {
      const fabric::Link& link = topology.links()[id];
      const std::string &from = names[link.from], &to = names[link.to];
      const bool hit = fault.to.empty() ? from == fault.device || to == fault.device
                                        : (from == fault.device && to == fault.to) ||
                                              (to == fault.device && from == fault.to);
      if (hit) {
        topology.set_bandwidth(id, link.spec.bandwidth * fault.bandwidth);
        found = true;
      }
    }
    if (!found) {
      problems.push_back({fmt::format("{}[{}].to", path, i), "\"" + fault.to + "\"",
                          "a device with a link to " + fault.device, ""});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

FabricPlay::FabricPlay(const fabric::Topology& topology, std::vector<fabric::DeviceId> gpus,
                       std::optional<std::uint64_t> ecmp_seed)
    : topology_(&topology),
      gpus_(std::move(gpus)),
      ecmp_seed_(ecmp_seed),
      rings_(collectives::plan_rings(topology, gpus_, {.ecmp_seed = ecmp_seed})) {}

const collectives::TreePlan& FabricPlay::trees() {
  if (!trees_) {
    trees_ = collectives::plan_trees(*topology_, gpus_, {.ecmp_seed = ecmp_seed_});
  }
  return *trees_;
}

fabric::Route FabricPlay::way(std::size_t from, std::size_t to, std::uint64_t flow) {
  if (doors_.empty()) {
    for (const fabric::DeviceId gpu : gpus_) {
      const std::vector<fabric::DeviceId> nics = topology_->nearest_nics(gpu);
      const fabric::DeviceId nic = nics.empty() ? gpu : nics.front();
      doors_.push_back({nic, topology_->route(gpu, nic), topology_->route(nic, gpu)});
    }
  }
  const Door &leaves = doors_[from], &enters = doors_[to];
  if (topology_->device(gpus_[from]).node != topology_->device(gpus_[to]).node && !leaves.out.empty() &&
      !enters.in.empty()) {
    fabric::Route route = leaves.out;
    const fabric::Route middle = topology_->route(leaves.nic, enters.nic, flow);
    if (!middle.empty()) {
      route.insert(route.end(), middle.begin(), middle.end());
      route.insert(route.end(), enters.in.begin(), enters.in.end());
      return route;
    }
  }
  return topology_->route(gpus_[from], gpus_[to], flow);
}

const std::vector<double>& FabricPlay::pairs() {
  if (pairs_.empty()) {
    pairs_.assign(rings_.lanes.places(*topology_), 0.0);
    for (std::size_t i = 0; i < gpus_.size(); ++i) {
      for (std::size_t j = 0; j < gpus_.size(); ++j) {
        if (i != j) {
          const std::uint64_t flow = ecmp_seed_ ? fabric::ecmp_hash(*ecmp_seed_, {i, j}) : i + j;
          for (const fabric::LinkId link : way(i, j, flow)) {
            pairs_[rings_.lanes.place(*topology_, link, flow)] += 1.0;
          }
        }
      }
    }
  }
  return pairs_;
}

std::optional<Played> FabricPlay::play(const collectives::CollectivePrice& price,
                                       const collectives::CollectiveOperation& operation) {
  const double ranks = static_cast<double>(gpus_.size());
  switch (price.choice.algorithm) {
    case Algorithm::ring: {
      const double channels = static_cast<double>(rings_.channels.size());
      Played out =
          played(price, rings_.hops_by_link, bytes_per_hop(operation, static_cast<int>(ranks)) / channels);
      out.channels = rings_.channels.size();
      return out;
    }
    case Algorithm::nvls_tree:  // trees between nodes; NVSwitches do inside what chains do here, with less
    case Algorithm::tree: {
      const collectives::TreePlan& plan = trees();
      const double count = static_cast<double>(plan.trees.size());
      Played out = played(price, plan.hops_by_link, operation.bytes.si() / count);
      out.channels = plan.trees.size() / 2;
      return out;
    }
    case Algorithm::point_to_point:
      return played(price, pairs(), operation.bytes.si() / ranks);
    case Algorithm::collnet_direct:
    case Algorithm::collnet_chain:
    case Algorithm::nvls:
    case Algorithm::pat:
    case Algorithm::one_shot:
    case Algorithm::two_shot:
    case Algorithm::hierarchical:
    case Algorithm::torus:
      return std::nullopt;
  }
  return std::nullopt;
}

Played FabricPlay::played(const collectives::CollectivePrice& price, const std::vector<double>& hops_by_link,
                          double bytes_per_hop) const {
  const double transfer = price.parts.transfer * 1e-6;
  const LinkUse use{&hops_by_link, bytes_per_hop};
  const std::vector<LinkClass> classes = fold(*topology_, {&use, 1}, rings_.lanes);
  Engine engine;
  CollectiveFlows flows(engine);
  std::vector<CollectiveWork> works = folded_work(engine, *topology_, classes, rings_.lanes);
  Played out;
  if (works.empty()) {
    out.time = price.time;
    return out;
  }
  works.front().alone = Seconds(transfer);
  works.front().latency = Seconds(price.time.si() - transfer);
  flows.start(works.front(), {});
  engine.run();
  out.time = engine.now();
  out.slowdown = out.time.si() / price.time.si();
  double longest = transfer * (1.0 + 1e-9);
  for (const LinkClass& c : classes) {
    const double seconds = c.bytes.front() / rings_.lanes.usable(*topology_, c.like).si();
    if (seconds > longest) {
      longest = seconds;
      out.narrowest = rings_.lanes.name(*topology_, c.like);
    }
  }
  return out;
}

}  // namespace gpuplan::sim

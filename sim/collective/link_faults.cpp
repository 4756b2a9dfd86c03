#include "sim/collective/link_faults.h"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/collectives/channels.h"

namespace gpuplan::sim {

namespace {

using fabric::DeviceId;
using fabric::LinkId;
using fabric::Topology;

std::vector<std::string> names_of(const Topology& topology) {
  std::vector<std::string> names;
  names.reserve(topology.device_count());
  for (DeviceId id = 0; id < topology.device_count(); ++id) {
    names.push_back(name_of(topology.device(id)));
  }
  return names;
}

std::optional<Problem> unknown(const std::string& name, const std::vector<std::string>& names,
                               std::string path) {
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    return std::nullopt;
  }
  return Problem{std::move(path), "\"" + name.substr(0, 60) + "\"", "a device of the topology",
                 did_you_mean(name, names)};
}

// Links of the fault's device, or those to its other end.
std::vector<LinkId> links_of(const LinkFault& fault, const Topology& topology,
                             const std::vector<std::string>& names) {
  std::vector<LinkId> out;
  for (LinkId id = 0; id < topology.links().size(); ++id) {
    const fabric::Link& link = topology.links()[id];
    const std::string &from = names[link.from], &to = names[link.to];
    if (from == fault.device ? fault.to.empty() || to == fault.to
                             : to == fault.device && (fault.to.empty() || from == fault.to)) {
      out.push_back(id);
    }
  }
  return out;
}

std::vector<std::string> neighbours_of(const std::string& device, const Topology& topology,
                                       const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const fabric::Link& link : topology.links()) {
    if (names[link.from] == device) {
      out.push_back(names[link.to]);
    }
  }
  return out;
}

void apply_one(const LinkFault& fault, Topology& topology, const std::vector<LinkId>& links) {
  for (const LinkId id : links) {
    topology.set_bandwidth(id, topology.links()[id].spec.bandwidth * fault.left());
    topology.add_delay(id, fault.latency);
  }
}

}  // namespace

void apply(const std::vector<LinkFault>& faults, Topology& topology, const std::string& path) {
  std::vector<Problem> problems;
  const std::vector<std::string> names = names_of(topology);
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const LinkFault& fault = faults[i];
    const std::string at = fmt::format("{}[{}]", path, i);
    std::optional<Problem> wrong = unknown(fault.device, names, at + ".device");
    if (!wrong && !fault.to.empty()) {
      wrong = unknown(fault.to, names, at + ".to");
    }
    if (wrong) {
      problems.push_back(std::move(*wrong));
      continue;
    }
    const std::vector<LinkId> links = links_of(fault, topology, names);
    if (links.empty()) {
      problems.push_back({at + ".to", "\"" + fault.to + "\"", "a device with a link to " + fault.device,
                          did_you_mean(fault.to, neighbours_of(fault.device, topology, names))});
    }
    apply_one(fault, topology, links);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

void check_reach(const Topology& topology, std::span<const DeviceId> gpus, const std::string& path) {
  try {
    (void)collectives::plan_rings(topology, gpus);
  } catch (const InputError& error) {
    std::vector<Problem> problems = error.problems();
    for (Problem& problem : problems) {
      problem.path = path;
      problem.expected = "faults that leave every GPU a way to every other";
    }
    throw InputError(std::move(problems));
  }
}

}  // namespace gpuplan::sim

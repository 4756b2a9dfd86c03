#include "sim/scenario/collective_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hwmodels/collectives/composed.h"
#include "hwmodels/collectives/delay.h"
#include "sim/scenario/variants.h"

namespace gpuplan::sim {

namespace {

constexpr std::int64_t kSmallest = 1024, kLargest = std::int64_t{1} << 30;

// Fields of the document that a variant may lay something over.
const std::vector<std::string> kVaried = {"name",     "machine", "custom_kernel", "nccl_version", "algorithm",
                                          "protocol", "faults",  "ecmp_seed",     "uneven"};

// What the fields of one document say together.
void check_together(const CollectiveScenarioSpec& spec, const std::string& at,
                    std::vector<Problem>& problems) {
  const auto composed = [](collectives::Algorithm algorithm) { return collectives::is_composed(algorithm); };
  for (const collectives::Collective collective : spec.collectives) {
    const bool together = collective == collectives::Collective::all_reduce ||
                          collective == collectives::Collective::all_gather ||
                          collective == collectives::Collective::reduce_scatter;
    if (!together && ((spec.algorithm && composed(*spec.algorithm)) ||
                      std::any_of(spec.compare.begin(), spec.compare.end(), composed))) {
      problems.push_back({at + (spec.algorithm ? ".algorithm" : ".compare"),
                          "hierarchical or 2d with " + std::string(json::name_of(collective)),
                          "all_reduce, all_gather or reduce_scatter", ""});
    }
  }
}

CollectiveScenario resolve_at(const json::Value& document, const std::string& at, const Library& library) {
  std::vector<Problem> problems;
  CollectiveScenario out;
  json::read(document, at, out.spec, problems);
  CollectiveScenarioSpec& spec = out.spec;
  CollectiveMachineSpec& machine = spec.machine;
  if (spec.kind != "collective") {
    problems.push_back({at + ".kind", "\"" + spec.kind.substr(0, 60) + "\"", "\"collective\"",
                        did_you_mean(spec.kind, {"collective"})});
  }
  if (spec.collectives.empty()) {
    problems.push_back({at + ".collectives", "[]", "at least one collective", ""});
  }
  if (spec.ecmp_seeds && !spec.ecmp_seed) {
    problems.push_back({at + ".ecmp_seeds", std::to_string(*spec.ecmp_seeds) + " without ecmp_seed",
                        "ecmp_seed, the first of the seeds", ""});
  }
  out.gpu = resolve_gpu(machine.gpu, at + ".machine.gpu", library, problems);
  out.node = resolve_node(machine.node, out.gpu, at + ".machine.node", library, problems, out.notes);
  if (problems.empty()) {
    machine.gpus_per_node = machine.gpus_per_node > 0 ? machine.gpus_per_node : out.node.gpu_count;
    machine.nics = machine.nics > 0 ? machine.nics : out.node.nic_count;
    machine.nic_bandwidth = machine.nic_bandwidth.si() > 0.0 ? machine.nic_bandwidth : out.node.nic_bandwidth;
    if (machine.gpus_per_node > out.node.gpu_count) {
      problems.push_back({at + ".machine.gpus_per_node", std::to_string(machine.gpus_per_node),
                          fmt::format("at most the {} GPUs of {}", out.node.gpu_count, out.node.name), ""});
    }
    if (machine.nodes * machine.gpus_per_node < 2) {
      problems.push_back({at + ".machine", "one GPU", "two GPUs or more", ""});
    }
    if (machine.nodes > 1 && (machine.nics < 1 || machine.nic_bandwidth.si() <= 0.0)) {
      problems.push_back({at + ".machine.nics",
                          fmt::format("{} of {:.3g} B/s", machine.nics, machine.nic_bandwidth.si()),
                          "NICs to join the nodes: nics and nic_bandwidth", ""});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  if (spec.bytes.empty() && spec.together.empty()) {
    for (std::int64_t bytes = kSmallest; bytes <= kLargest; bytes *= 4) {
      spec.bytes.push_back(bytes);
    }
  }
  Node node = out.node;
  node.nic_count = machine.nics;
  node.nic_bandwidth = machine.nic_bandwidth;
  out.group = collectives::communicator_on(out.gpu, node, machine.nodes, machine.gpus_per_node);
  out.group.fabric = machine.network;
  out.group.net_latency = machine.net_latency;
  out.group.network_reduces = machine.network_reduces;
  out.group.version = spec.nccl_version;
  check(spec.workloads, spec.uneven, out.gpu, out.group.ranks, at, problems);
  check_together(spec, at, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  out.imbalance = spec.uneven ? imbalance_of(*spec.uneven, out.group.ranks) : 1.0;
  if (machine.fabric || !spec.faults.empty() || spec.ecmp_seed || !spec.together.empty() ||
      !spec.stragglers.empty()) {
    const fabric::ClusterSpec cluster{.node = out.node.name,
                                      .gpu = out.gpu.name,
                                      .nodes = machine.nodes,
                                      .nics = machine.nics,
                                      .fabric = machine.fabric.value_or(fabric::FabricSpec{})};
    const std::string where = at + ".machine";
    fabric::Topology topology =
        build_cluster(fabric::resolve_cluster(cluster, library.hardware, where), library.hardware, where);
    apply(spec.faults, topology, at + ".faults");
    if (!spec.faults.empty()) {
      check_reach(topology, taking_part(topology, out.group), at + ".faults");
    }
    if (!spec.together.empty() && collectives::any_delay(topology)) {
      out.notes.emplace_back("faults: what runs `together` does not wait for the latency of links");
    }
    out.together = resolve_activities(spec.together, topology, machine.gpus_per_node, at + ".together",
                                      library, problems);
    out.stragglers = resolve_stragglers(spec.stragglers, topology, at + ".stragglers", problems);
    if (!problems.empty()) {
      throw InputError(std::move(problems));
    }
    out.topology = std::make_shared<const fabric::Topology>(std::move(topology));
  }
  return out;
}

}  // namespace

std::vector<fabric::DeviceId> taking_part(const fabric::Topology& topology,
                                          const collectives::Communicator& group) {
  std::vector<fabric::DeviceId> gpus;
  for (int node = 0; node < group.nodes; ++node) {
    const auto all = topology.of_node(node, fabric::DeviceKind::gpu);
    gpus.insert(gpus.end(), all.begin(), all.begin() + group.gpus_per_node());
  }
  return gpus;
}

CollectiveScenario resolve_collectives(const json::Value& document, const std::string& name,
                                       const Library& library) {
  const std::string at = name + ": $";
  CollectiveScenario out = resolve_at(document, at, library);
  std::vector<Problem> problems;
  const VariantFields fields{kVaried, "machine, algorithm and other ways to run the same collectives"};
  for (const auto& [merged, path] :
       documents_of_variants(document, out.spec.variants, at, fields, problems)) {
    try {
      out.variants.push_back(resolve_at(merged, path, library));
    } catch (const InputError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

json::Value resolved_json(const CollectiveScenario& scenario) {
  json::Value out = json::write(scenario.spec);
  out["machine"]["gpu"] = shown_gpu(scenario.spec.machine.gpu, scenario.gpu);
  out["machine"]["node"] = scenario.node.name;
  return out;
}

json::Value collective_schema() {
  json::Value schema = json::schema_of<CollectiveScenarioSpec>();
  json::Value out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "gpuplan scenario, kind collective";
  for (const json::Member& member : schema.object()) {
    out[member.first] = member.second;
  }
  json::Value& properties = *out.find("properties");
  (*properties.find("kind"))["const"] = "collective";
  // A variant is a part of this document with a name.
  json::Value variant;
  variant["type"] = "object";
  for (const std::string& field : kVaried) {
    variant["properties"][field] = field == "name" ? *properties.find(field) : json::parse("{}", "any patch");
  }
  variant["required"] = json::Value(json::Array{json::Value("name")});
  variant["additionalProperties"] = false;
  (*properties.find("variants"))["items"] = std::move(variant);
  return out;
}

}  // namespace gpuplan::sim

#include "sim/scenario/training_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "sim/scenario/training_study.h"

namespace gpuplan::sim {

namespace {

// "groups of data, shard have 87.5 % of the network (fullest: ...)": those that lose the same, together.
std::vector<std::string> notes_of(const FabricLosses& losses) {
  std::vector<std::pair<std::string, std::string>> said;  // what is left, and to whom
  for (std::size_t i = 0; i < losses.size(); ++i) {
    const FabricLoss& loss = losses[i];
    std::vector<std::string> parts;
    if (loss.network < 1.0) {
      parts.push_back(
          fmt::format("have {:.1f} % of the network (fullest: {})", 100.0 * loss.network, loss.narrowest));
    }
    if (loss.nvlink < 1.0) {
      parts.push_back(fmt::format("have {:.1f} % of NVLink", 100.0 * loss.nvlink));
    }
    if (loss.pass.si() > 0.0) {
      parts.push_back(fmt::format("wait {:.4g} us longer each time round a ring", loss.pass.si() * 1e6));
    }
    const std::string text = fmt::format("{}", fmt::join(parts, " and "));
    const std::string group(json::name_of(static_cast<Group>(i)));
    const auto same =
        std::find_if(said.begin(), said.end(), [&](const auto& one) { return one.first == text; });
    if (same != said.end()) {
      same->second += ", " + group;
    } else if (!text.empty()) {
      said.emplace_back(text, group);
    }
  }
  std::vector<std::string> out;
  out.reserve(said.size());
  for (const auto& [text, groups] : said) {
    out.push_back(fmt::format("groups of {} {}", groups, text));
  }
  return out;
}

// What faults leave to each group of ranks, on the fabric as the scenario has it.
void resolve_faults(TrainingScenario& out, const std::string& at, const Library& library) {
  const CollectiveMachineSpec& machine = out.spec.machine;
  fabric::ClusterSpec cluster{.node = out.machine.node.name,
                              .gpu = out.machine.gpu.name,
                              .nodes = machine.nodes,
                              .nics = machine.nics,
                              .fabric = machine.fabric.value_or(fabric::FabricSpec{})};
  cluster.fabric.oversubscription = 1.0;  // priced as a narrower NIC already
  const std::string where = at + ".machine";
  const auto build = [&] {
    return build_cluster(fabric::resolve_cluster(cluster, library.hardware, where), library.hardware, where);
  };
  const fabric::Topology built = build();
  fabric::Topology faulted = build();
  apply(out.spec.faults, faulted, at + ".faults");
  std::vector<fabric::DeviceId> gpus;
  for (int node = 0; node < machine.nodes; ++node) {
    const auto all = faulted.of_node(node, fabric::DeviceKind::gpu);
    gpus.insert(gpus.end(), all.begin(), all.begin() + machine.gpus_per_node);
  }
  check_reach(faulted, gpus, at + ".faults");
  out.machine.losses = losses_of(out.job, machine.gpus_per_node, built, faulted);
  out.fault_notes = notes_of(out.machine.losses);
}

// Rules between the blocks around a step.
void check_run(const TrainingSpec& spec, const std::string& at, std::vector<Problem>& problems) {
  if (spec.checkpoint && !spec.checkpoint->interval && !spec.checkpoint->interval_steps &&
      !spec.reliability) {
    problems.push_back({at + ".checkpoint", "no interval",
                        "interval, interval_steps, or reliability, from which the best follows", ""});
  }
  if (spec.checkpoint && spec.checkpoint->interval && spec.checkpoint->interval_steps) {
    problems.push_back({at + ".checkpoint.interval_steps", std::to_string(*spec.checkpoint->interval_steps),
                        "nothing beside interval: one of the two", ""});
  }
  if (spec.reliability && spec.reliability->node_mtbf && spec.reliability->gpu_hours_per_failure) {
    problems.push_back({at + ".reliability.gpu_hours_per_failure",
                        fmt::format("{:g}", *spec.reliability->gpu_hours_per_failure),
                        "nothing beside node_mtbf: one of the two", ""});
  }
  if (spec.run && spec.run->steps.has_value() == spec.run->tokens.has_value()) {
    problems.push_back({at + ".run", spec.run->steps ? "both steps and tokens" : "neither steps nor tokens",
                        "one of steps and tokens", ""});
  }
  if (spec.offload == Offload::none && spec.offload_to) {
    problems.push_back({at + ".offload_to",
                        fmt::format("\"{}\" with offload none", json::name_of(*spec.offload_to)),
                        "offload: optimizer or optimizer_and_weights", ""});
  }
}

void resolve_machine(TrainingScenario& out, const std::string& at, std::vector<Problem>& problems) {
  CollectiveMachineSpec& machine = out.spec.machine;
  TrainingMachine& m = out.machine;
  machine.gpus_per_node = machine.gpus_per_node > 0 ? machine.gpus_per_node : m.node.gpu_count;
  machine.nics = machine.nics > 0 ? machine.nics : m.node.nic_count;
  machine.nic_bandwidth = machine.nic_bandwidth.si() > 0.0 ? machine.nic_bandwidth : m.node.nic_bandwidth;
  if (machine.gpus_per_node > m.node.gpu_count) {
    problems.push_back({at + ".gpus_per_node", std::to_string(machine.gpus_per_node),
                        fmt::format("at most the {} GPUs of {}", m.node.gpu_count, m.node.name), ""});
  }
  if (machine.nodes > 1 && (machine.nics < 1 || machine.nic_bandwidth.si() <= 0.0)) {
    problems.push_back({at + ".nics",
                        fmt::format("{} of {:.3g} B/s", machine.nics, machine.nic_bandwidth.si()),
                        "NICs to join the nodes: nics and nic_bandwidth", ""});
  }
  if (machine.fabric && machine.fabric->oversubscription > 1.0) {
    machine.nic_bandwidth = machine.nic_bandwidth / machine.fabric->oversubscription;
    out.notes.push_back(fmt::format(
        "oversubscription {:g}: every NIC is priced at its share of the uplinks, {:.3g} B/s, as if "
        "all traffic left its leaf",
        machine.fabric->oversubscription, machine.nic_bandwidth.si()));
  }
  m.node.nic_count = machine.nics;
  m.node.nic_bandwidth = machine.nic_bandwidth;
  m.nodes = machine.nodes;
  m.gpus_per_node = machine.gpus_per_node;
  m.network = machine.network;
  m.net_latency = machine.net_latency;
  m.network_reduces = machine.network_reduces;
}

// What trains on images runs in PyTorch, and ResNets with momentum, where the document does not say.
void default_to_torch(const json::Value& document, ModelKind kind, TrainingSpec& spec) {
  const json::Value* software = document.find("software");
  if (software == nullptr || software->find("framework") == nullptr) {
    spec.software.framework = Framework::fsdp;
  }
  if (kind == ModelKind::cnn && document.find("optimizer") == nullptr) {
    spec.optimizer = Optimizer::sgd;
  }
}

// Whether a rule is about what a search sets.
bool is_of_split(std::string_view field) {
  return field.starts_with(".parallelism") || field == ".batch.global_batch" || field == ".recompute_layers";
}

}  // namespace

TrainingScenario resolve_training(const json::Value& document, const std::string& name,
                                  const std::string& base_dir, const Library& library, SplitCheck check) {
  return resolve_training_at(document, name + ": $", base_dir, library, check);
}

TrainingScenario resolve_training_at(const json::Value& document, const std::string& at,
                                     const std::string& base_dir, const Library& library, SplitCheck check) {
  std::vector<Problem> problems;
  TrainingScenario out;
  json::read(document, at, out.spec, problems);
  out.given = out.spec;
  TrainingSpec& spec = out.spec;
  if (spec.kind != "training") {
    problems.push_back({at + ".kind", "\"" + spec.kind.substr(0, 60) + "\"", "\"training\"",
                        did_you_mean(spec.kind, {"training"})});
  }
  out.machine.gpu = resolve_gpu(spec.machine.gpu, at + ".machine.gpu", library, problems);
  out.machine.node =
      resolve_node(spec.machine.node, out.machine.gpu, at + ".machine.node", library, problems, out.notes);
  TrainingJob& job = out.job;
  job.model = resolve_model(spec.model, at + ".model", base_dir, library, problems);
  if (problems.empty()) {
    if (job.model.kind == ModelKind::vision_transformer || job.model.kind == ModelKind::cnn) {
      default_to_torch(document, job.model.kind, spec);
      out.given = spec;
    }
    resolve_machine(out, at + ".machine", problems);
    out.rates = resolve_rates(spec.cost, cost_machine(out.machine.gpu, out.machine.node, out.machine.nodes),
                              library.hardware, at + ".cost", problems);
    job.gpus = out.machine.nodes * out.machine.gpus_per_node;
    job.parallelism = spec.parallelism;
    job.batch = spec.batch;
    job.recompute = spec.recompute;
    job.recompute_layers = spec.recompute_layers;
    job.precision = spec.precision;
    job.optimizer = spec.optimizer;
    job.offload = spec.offload;
    job.offload_to = spec.offload_to.value_or(OffloadTo::host);
    job.input = spec.input;
    out.machine.host = host_of(spec.host.value_or(HostSpec{}), out.machine.node, out.machine.gpu);
    check_run(spec, at, problems);
    job.fine_tune = spec.fine_tune;
    job.software = spec.software;
    job.expert_imbalance = spec.expert_imbalance;
    job.expert_capacity = spec.expert_capacity;
    std::vector<Problem> broken;
    resolve_job(job, at, broken);
    std::copy_if(broken.begin(), broken.end(), std::back_inserter(problems), [&](const Problem& problem) {
      return check == SplitCheck::required || !is_of_split(problem.path.substr(at.size()));
    });
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  if (!spec.faults.empty()) {
    if (check == SplitCheck::required) {
      resolve_faults(out, at, library);
    } else {
      out.notes.emplace_back("faults: splits are compared on the machine as it was built");
    }
  }
  spec.parallelism = job.parallelism;
  spec.batch = job.batch;
  spec.precision = job.precision;
  spec.software = job.software;
  if (job.sees_images()) {
    out.notes.emplace_back("reading and decoding images is taken to keep up with the GPUs");
  }
  const Precision compute = job.precision.compute;
  if (compute != Precision::fp32 && !out.machine.gpu.peak(compute)) {
    out.notes.push_back(fmt::format("{} has no matrix unit for {}: priced as 16 bit", out.machine.gpu.name,
                                    json::name_of(compute)));
  }
  return out;
}

json::Value resolved_json(const TrainingScenario& scenario) {
  json::Value out = json::write(scenario.spec);
  out["machine"]["gpu"] = shown_gpu(scenario.spec.machine.gpu, scenario.machine.gpu);
  out["machine"]["node"] = scenario.machine.node.name;
  if (scenario.job.sees_images()) {
    out["batch"]["seq_len"] = 0;  // follows from the image
  }
  if (scenario.spec.faults.empty()) {
    std::erase_if(out.object(), [](const json::Member& member) { return member.first == "faults"; });
  }
  return out;
}

json::Value training_schema() {
  json::Value schema = json::schema_of<TrainingSpec>();
  json::Value out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "gpuplan scenario, kind training";
  for (const json::Member& member : schema.object()) {
    out[member.first] = member.second;
  }
  json::Value& properties = *out.find("properties");
  (*properties.find("kind"))["const"] = "training";
  // A variant is a part of this document with a name.
  json::Value variant;
  variant["type"] = "object";
  for (const std::string& field : training_variant_fields().names) {
    variant["properties"][field] = field == "name" ? *properties.find(field) : json::parse("{}", "any patch");
  }
  variant["required"] = json::Value(json::Array{json::Value("name")});
  variant["additionalProperties"] = false;
  (*properties.find("variants"))["items"] = std::move(variant);
  return out;
}

}  // namespace gpuplan::sim

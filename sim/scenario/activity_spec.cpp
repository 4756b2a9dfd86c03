#include "sim/scenario/activity_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hwmodels/fabric/summary.h"

namespace gpuplan::sim {

namespace {

using fabric::DeviceId;
using fabric::DeviceKind;

// GPUs `first` to `last` of each node.
std::vector<DeviceId> of_each_node(const fabric::Topology& topology, int first, int last) {
  std::vector<DeviceId> out;
  for (const DeviceId gpu : topology.gpus()) {
    const int index = topology.device(gpu).index;
    if (index >= first && index <= last) {
      out.push_back(gpu);
    }
  }
  return out;
}

std::vector<DeviceId> group(const fabric::Topology& topology, int per_node, const std::string& on,
                            const std::string& path, std::vector<Problem>& problems) {
  if (on == "all") {
    return of_each_node(topology, 0, per_node - 1);
  }
  if (on.starts_with("rail") && on.size() > 4 && on.size() < 9 &&
      on.find_first_not_of("0123456789", 4) == std::string::npos) {
    const int index = std::stoi(on.substr(4));
    std::vector<DeviceId> found = of_each_node(topology, index, index);
    if (found.empty()) {
      problems.push_back({path, "\"" + on + "\"", "a GPU that each node has", ""});
    }
    return found;
  }
  std::vector<DeviceId> out;
  try {
    for (const DeviceId id : fabric::parse_group(topology, on, path)) {
      if (topology.device(id).kind == DeviceKind::gpu) {
        out.push_back(id);
      }
    }
  } catch (const InputError& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    return {};
  }
  if (out.empty()) {
    problems.push_back({path, "\"" + on.substr(0, 60) + "\"", "a group with GPUs", ""});
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Collectives need two GPUs or more, as many of each node.
void check_ranks(const Activity& a, const fabric::Topology& topology, const std::string& path,
                 std::vector<Problem>& problems) {
  std::map<int, int> per_node;
  for (const DeviceId gpu : a.gpus) {
    ++per_node[topology.device(gpu).node];
  }
  const bool even = std::all_of(per_node.begin(), per_node.end(),
                                [&](const auto& node) { return node.second == per_node.begin()->second; });
  if (a.gpus.size() < 2) {
    problems.push_back({path, "one GPU", "two or more for a collective", ""});
  } else if (!even) {
    problems.push_back({path, "more GPUs of one node than of another", "as many of each node", ""});
  }
}

void read_kernel(const json::Value& document, const std::string& path, const Library& library, Activity& out,
                 std::vector<Problem>& problems) {
  const json::Value* op = document.find("op");
  if (op == nullptr || !op->is_string()) {
    problems.push_back({path + ".op", op == nullptr ? "nothing" : json::excerpt(*op),
                        "an operation of kernel scenarios (gpuplan schema kernel)", ""});
    return;
  }
  const OperationKind* kind = operation_kind(op->string());
  if (kind == nullptr || op->string() == "all_reduce") {
    unknown_name(problems, path + ".op", op->string(), "a kernel or copy (collectives: \"collective\")",
                 operation_names());
    return;
  }
  json::Value fields(json::Object{});
  for (const json::Member& member : document.object()) {
    if (member.first != "op") {
      fields.object().push_back(member);
    }
  }
  out.kernel = kind->read({fields, path, ".", library, 1}, problems);
  out.name = out.name.empty() ? op->string() : out.name;
  if (out.kernel && op->string() == "copy") {
    const json::Value resolved = out.kernel->resolved();
    const std::string& way = resolved.find("path")->string();
    out.host_copy = way != "device_to_device";
    out.to_host = way == "device_to_host";
  }
}

}  // namespace

std::vector<Activity> resolve_activities(const std::vector<ActivitySpec>& specs,
                                         const fabric::Topology& topology, int per_node,
                                         const std::string& path, const Library& library,
                                         std::vector<Problem>& problems) {
  std::vector<Activity> out;
  std::set<std::string> names;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const ActivitySpec& spec = specs[i];
    const std::string at = fmt::format("{}[{}]", path, i);
    Activity a;
    a.name = spec.name;
    a.start = spec.start;
    a.count = spec.count;
    const std::size_t before = problems.size();
    a.gpus = group(topology, per_node, spec.on, at + ".on", problems);
    if (spec.collective.has_value() == spec.kernel.has_value()) {
      problems.push_back({at, spec.kernel ? "both" : "neither", "one of collective and kernel", ""});
    } else if (spec.collective) {
      a.collective =
          collectives::CollectiveOperation{*spec.collective, Bytes(static_cast<double>(spec.bytes))};
      a.name = a.name.empty() ? std::string(json::name_of(*spec.collective)) : a.name;
      if (spec.bytes < 1) {
        problems.push_back({at + ".bytes", "nothing", "the size of the collective (B)", ""});
      }
      if (problems.size() == before) {
        check_ranks(a, topology, at + ".on", problems);
      }
    } else {
      read_kernel(*spec.kernel, at + ".kernel", library, a, problems);
    }
    if (!names.insert(a.name).second) {
      problems.push_back({at + ".name", "\"" + a.name.substr(0, 60) + "\" again", "a name of its own", ""});
    }
    out.push_back(std::move(a));
  }
  return out;
}

std::vector<Straggler> resolve_stragglers(const std::vector<StragglerSpec>& specs,
                                          const fabric::Topology& topology, const std::string& path,
                                          std::vector<Problem>& problems) {
  std::vector<Straggler> out(topology.device_count());
  std::vector<std::string> names;
  for (const DeviceId gpu : topology.gpus()) {
    names.push_back(name_of(topology.device(gpu)));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto found = std::find(names.begin(), names.end(), specs[i].gpu);
    if (found == names.end()) {
      problems.push_back({fmt::format("{}[{}].gpu", path, i), "\"" + specs[i].gpu.substr(0, 60) + "\"",
                          "a GPU of the topology", did_you_mean(specs[i].gpu, names)});
    } else if (specs[i].clock <= 0.0) {
      problems.push_back(
          {fmt::format("{}[{}].clock", path, i), fmt::format("{}", specs[i].clock), "a share above 0", ""});
    } else {
      out[topology.gpus()[static_cast<std::size_t>(found - names.begin())]] = {specs[i].clock, specs[i].late};
    }
  }
  return out;
}

}  // namespace gpuplan::sim

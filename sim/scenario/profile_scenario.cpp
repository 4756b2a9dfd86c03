#include "sim/scenario/profile_scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/collectives/communicator.h"
#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::sim {

namespace {

BytesPerSecond copy_rate(const kernels::KernelModel& model, bool pinned) {
  kernels::Copy copy;
  copy.bytes = Bytes(256e6);
  copy.pinned = pinned;
  return copy.bytes / model.price(copy).time;
}

Capacities capacities_of(const Gpu& gpu, const Node& node, Watts limit, const std::string& data_dir) {
  const auto model = kernels::KernelModel::for_gpu(gpu, data_dir);
  Capacities c;
  c.pcie_pinned = copy_rate(model, true);
  c.pcie_pageable = copy_rate(model, false);
  c.nvlink = gpu.scale_up_bandwidth;
  if (node.gpu_count > 0 && node.nic_count > 0) {
    c.network = node.nic_bandwidth * (static_cast<double>(node.nic_count) / node.gpu_count);
  }
  c.tensor = gpu.peak(Precision::bf16).value_or(gpu.peak(Precision::fp16).value_or(FlopsPerSecond(0.0)));
  c.hbm = gpu.memory_bandwidth;
  c.power = limit.si() > 0.0 ? limit : gpu.tdp;
  c.clock = gpu.boost_clock;
  const int channels =
      node.gpu_count > 1 ? collectives::communicator_on(gpu, node, 1, node.gpu_count).channels : 2;
  c.collective_sms = gpu.sm_count > 0 ? std::min(1.0, static_cast<double>(channels) / gpu.sm_count) : 0.1;
  return c;
}

// Shares above what the machine can do: the profile and the machine are not of each other.
void check(const ProfileScenario& scenario, const std::string& at, std::vector<Problem>& problems) {
  constexpr double kMost = 1.25;  // tools round, clocks boost
  for (std::size_t i = 0; i < kCounters; ++i) {
    const auto& share = scenario.observation.shares[i];
    if (share && *share > kMost) {
      problems.push_back({scenario.observation.derived[i]
                              ? at + ".step"
                              : fmt::format("{}.observed.{}", at, enum_names(Counter{})[i]),
                          fmt::format("{:.2f} times what {} does", *share, scenario.gpu.name),
                          "at most what the machine can do", ""});
    }
  }
}

}  // namespace

ProfileScenario resolve_profile(const json::Value& document, const std::string& name,
                                const Library& library) {
  const std::string at = name + ": $";
  std::vector<Problem> problems;
  ProfileScenario out;
  json::read(document, at, out.spec, problems);
  ProfileScenarioSpec& spec = out.spec;
  if (spec.kind != "profile") {
    problems.push_back({at + ".kind", "\"" + spec.kind.substr(0, 60) + "\"", "\"profile\"",
                        did_you_mean(spec.kind, {"profile"})});
  }
  if (!spec.machine.gpu.is_null()) {
    out.gpu = resolve_gpu(spec.machine.gpu, at + ".machine.gpu", library, problems);
    out.node = resolve_node(spec.machine.node, out.gpu, at + ".machine.node", library, problems, out.notes);
  }
  if (problems.empty()) {
    out.capacities =
        capacities_of(out.gpu, out.node, spec.machine.power_limit.value_or(Watts(0.0)), library.data_dir);
    out.capacities.gpus = spec.machine.gpus;
    out.observation = observation(spec.observed, spec.step, out.capacities);
    check(out, at, problems);
    const auto& shares = out.observation.shares;
    if (std::none_of(shares.begin(), shares.end(), [](const auto& s) { return s.has_value(); })) {
      problems.push_back({at + ".observed", "no counter that says something about this machine",
                          "at least one, as sm_active", ""});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

json::Value profile_schema() {
  json::Value schema = json::schema_of<ProfileScenarioSpec>();
  json::Value out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "gpuplan profile, for diagnose";
  for (const json::Member& member : schema.object()) {
    out[member.first] = member.second;
  }
  (*out.find("properties")->find("kind"))["const"] = "profile";
  return out;
}

}  // namespace gpuplan::sim

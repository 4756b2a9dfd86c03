// A utilisation profile: what was seen of a GPU at work, for `gpuplan diagnose`.
//
//   {"schema": 1, "kind": "profile", "machine": {"gpu": "A100-SXM4-80GB"},
//    "observed": {"sm_active": 0.35, "pcie_rx": 16.2e9}, "step": {"time": 0.199}}
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/diagnose/counters.h"
#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

struct ProfileMachineSpec {
  json::Value gpu;
  std::string node;
  int gpus = 0;
  std::optional<Watts> power_limit;
};
template <class V>
void describe(V& v, ProfileMachineSpec& s) {
  v.field("gpu", s.gpu, "GPU by catalogue name, or {\"base\": name, and fields to override}", json::required);
  v.field("node", s.node, "node by catalogue name; empty: the first catalogue node sold with that GPU");
  v.field("gpus", s.gpus, "that the job runs on; 1: no collectives; 0: unknown",
          json::Range{.min = 0, .max = 1e6});
  v.field("power_limit", s.power_limit, "of the GPU (W); default: its TDP", json::positive());
}

struct ProfileScenarioSpec {
  int schema = 1;
  std::string kind = "profile";
  std::string name = "unnamed", description;
  ProfileMachineSpec machine;
  ObservedSpec observed;
  std::optional<StepSpec> step;
};
template <class V>
void describe(V& v, ProfileScenarioSpec& s) {
  v.field("schema", s.schema, "version of this format", json::Range{.min = 1, .max = 1}, json::required);
  v.field("kind", s.kind, "what is described", json::required);
  v.field("name", s.name, "shown in reports");
  v.field("description", s.description, "what was run");
  v.field("machine", s.machine, "what it ran on", json::required);
  v.field("observed", s.observed, "means over a while of steady work", json::required);
  v.field("step", s.step, "what a step does, where known: fills counters that were not measured");
}

struct ProfileScenario {
  ProfileScenarioSpec spec;
  Gpu gpu;
  Node node;
  Capacities capacities;
  Observation observation;
  std::vector<std::string> notes;
};

// Validates and resolves. Throws InputError with all problems of the document at once.
ProfileScenario resolve_profile(const json::Value& document, const std::string& name, const Library& library);
json::Value profile_schema();

}  // namespace gpuplan::sim

// A silicon scenario: a GPU, changes of its die, and the work that it is bought for.
//
//   {"schema": 1, "kind": "silicon", "name": "...", "machine": {"gpu": "H100-SXM5-80GB"},
//    "base": {"fp8_rate": 0},
//    "changes": [{"name": "fp8", "silicon": {"fp8_rate": 2}, "set": {"serving": {"precision.weights":
//    "fp8"}}}], "budget": {"area_mm2": 25}, "workloads": [{"scenario": "../serving/llama3-70b-tp8.json",
//    "weight": 1}]}
//
// Each workload is a scenario of its own that runs on the base and on each changed GPU.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/silicon/silicon_model.h"
#include "sim/cost/cost_model.h"
#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

struct SiliconMachineSpec {
  json::Value gpu = json::Value("H100-SXM5-80GB");
  std::string node;
};
template <class V>
void describe(V& v, SiliconMachineSpec& s) {
  v.field("gpu", s.gpu, "GPU by catalogue name, of which a die is known; or {\"base\": name, and fields}");
  v.field("node", s.node, "node by catalogue name; empty: the first catalogue node sold with that GPU");
}

struct SiliconWorkloadSpec {
  std::string name;
  json::Value scenario;
  double weight = 1.0;
  std::string metric;
  json::Value set;
};
template <class V>
void describe(V& v, SiliconWorkloadSpec& s) {
  v.field("name", s.name, "shown in reports; default: the scenario's");
  v.field("scenario", s.scenario,
          "a file, relative to this one, or a scenario itself: serving, training, kernel "
          "or collective",
          json::required);
  v.field("weight", s.weight, "share of the fleet's GPU hours that it takes on the base", json::positive());
  v.field("metric", s.metric,
          "what counts; default: output tokens per second and GPU, tokens per second and GPU, kernel.time, "
          "collective.time");
  v.field("set", s.set, "fields laid over the scenario, {\"path\": value}");
}

struct SiliconChangeSpec {
  std::string name;
  silicon::SiliconChange silicon;
  std::string fill;
  json::Value set;
};
template <class V>
void describe(V& v, SiliconChangeSpec& s) {
  v.field("name", s.name, "shown in reports", json::required);
  v.field("silicon", s.silicon, "what changes on the die", json::required);
  v.field("fill", s.fill,
          "a field of `silicon` that is sized so that the change takes the whole area of the budget: l2_mib, "
          "shared_memory_kib_per_sm or register_kib_per_sm");
  v.field("set", s.set,
          "fields that workloads need to use it, by kind: {\"serving\": {\"precision.weights\": \"fp8\"}}");
}

struct SiliconBudgetSpec {
  std::optional<double> area_mm2, usd, watts;
};
template <class V>
void describe(V& v, SiliconBudgetSpec& s) {
  v.field("area_mm2", s.area_mm2, "die area that may be added (mm2)", json::positive());
  v.field("usd", s.usd, "cost of a unit that may be added (USD)", json::positive());
  v.field("watts", s.watts, "power limit that may be added (W)", json::positive());
}

struct SiliconScenarioSpec {
  int schema = 1;
  std::string kind = "silicon";
  std::string name, description;
  SiliconMachineSpec machine;
  silicon::SiliconChange base;
  std::vector<SiliconChangeSpec> changes;
  SiliconBudgetSpec budget;
  std::vector<SiliconWorkloadSpec> workloads;
  CostSpec cost;
  double fleet_gpus = 10000.0;
  std::vector<double> price_per_unit_cost = {1.0, 3.0, 8.0};
  silicon::SiliconOptions model;
  std::int64_t seed = 1;
};
template <class V>
void describe(V& v, SiliconScenarioSpec& s) {
  v.field("schema", s.schema, "version of this format", json::Range{.min = 1, .max = 1}, json::required);
  v.field("kind", s.kind, "what is asked", json::required);
  v.field("name", s.name, "shown in reports", json::required);
  v.field("description", s.description, "what the scenario is for");
  v.field("machine", s.machine, "the GPU", json::required);
  v.field("base", s.base, "changes of the die that all are compared with; default: the die as it is sold");
  v.field("changes", s.changes, "what could be built instead", json::required);
  v.field("budget", s.budget, "what a change may take");
  v.field("workloads", s.workloads, "what the GPU is bought for");
  v.field("cost", s.cost, "money, as in serving and training scenarios; the fleet is owned");
  v.field("fleet_gpus", s.fleet_gpus, "base GPUs of the fleet whose cost a year is shown", json::positive());
  v.field("price_per_unit_cost", s.price_per_unit_cost,
          "USD that a buyer pays for each USD that a unit costs more to make: low, median, high; default 1 "
          "(passed "
          "on), 3, 8 (an H100's price over its cost), assumed",
          json::not_negative());
  v.field("model", s.model, "draws and inputs of the silicon models");
  v.field("seed", s.seed, "of the draws of money and performance", json::not_negative());
}

// A workload as it runs on the base.
struct SiliconWorkload {
  std::string name, kind, metric;  // metric: empty, the kind's first
  double weight = 1.0;             // of all, 1 in sum
  json::Value document;
  std::string path, base_dir;
};

struct SiliconCase {
  std::string name;
  silicon::SiliconChange change;  // sized, where it fills the budget
  std::string filled;             // "l2_mib = 1.21", where it does
  silicon::Design design;
  json::Value overrides;  // catalogue fields of the changed GPU over the base GPU's
  json::Value set;
  Gpu gpu;

  // Whether it changes the GPU at all, and not its software alone.
  [[nodiscard]] bool scales() const { return !overrides.object().empty(); }
};

struct SiliconScenario {
  SiliconScenarioSpec spec;
  std::string base_dir;
  silicon::SiliconModel model;
  Gpu gpu;  // the base: as sold, with `base` applied
  Node node;
  silicon::Design base;
  json::Value base_overrides;
  std::vector<SiliconCase> changes;
  std::vector<SiliconWorkload> workloads;
  std::vector<std::string> notes;
};

// Validates and resolves, workloads included. Throws InputError with all problems of the document.
SiliconScenario resolve_silicon(const json::Value& document, const std::string& name,
                                const std::string& base_dir, const Library& library);

// `over` laid over `base`, member by member; null is a value (a format that is removed).
json::Value laid_over(const json::Value& base, const json::Value& over);

json::Value resolved_json(const SiliconScenario& scenario);
json::Value silicon_schema();

}  // namespace gpuplan::sim

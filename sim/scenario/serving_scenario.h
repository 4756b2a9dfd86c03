// A serving scenario with every name resolved and every default filled: what the simulation runs on.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "sim/cost/cost_model.h"
#include "sim/scenario/resolve_parts.h"
#include "sim/scenario/scenario_file.h"
#include "sim/scenario/serving_spec.h"
#include "sim/serving/engine_profile.h"
#include "workloads/lowering/iteration.h"
#include "workloads/memory/serving_memory.h"
#include "workloads/models/model.h"

namespace gpuplan::sim {

struct ServingScenario {
  ServingSpec spec;      // resolved: optional engine fields hold the values used
  std::string base_dir;  // directory of the scenario file, for relative paths in it
  Gpu gpu;
  Node node;
  Model model;
  Deployment deployment;
  int replicas = 1;
  EngineProfile profile;
  GpuRates rates;
  std::vector<std::string> notes;  // what a reader must know of how it was resolved

  [[nodiscard]] ServingMemorySpec memory_spec() const;
  [[nodiscard]] int gpus_used() const { return replicas * deployment.tensor_parallel; }
};

// Validates and resolves. Throws InputError with all problems of the document at once.
ServingScenario resolve_serving(const json::Value& document, const std::string& name,
                                const std::string& base_dir, const Library& library);

// JSON Schema of scenarios.
json::Value serving_schema();

}  // namespace gpuplan::sim

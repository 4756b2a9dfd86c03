// Training scenarios of the repository, changed and resolved as a user's are.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/serving_scenario.h"
#include "sim/scenario/training_scenario.h"
#include "tests/sim/sim_testing.h"

// scenarios/training/<name>.json with `changes` made, each `path=value`.
inline gpuplan::json::Value file(const std::string& name, const std::vector<std::string>& changes = {}) {
  gpuplan::json::Value document =
      gpuplan::json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/training/" + name + ".json");
  for (const std::string& change : changes) {
    gpuplan::sim::set_path(document, change);
  }
  return document;
}

inline gpuplan::sim::TrainingScenario scenario_of(const gpuplan::json::Value& document) {
  return gpuplan::sim::resolve_training(document, "test", ".", library());
}

// Measured training steps (rows as training/measured.jsonl) against the analytic estimate, and the naive
// baselines beside it.
//
// A row is expressed as a training scenario: its model's shape laid over the nearest catalogue model, its
// network from the words of `interconnect`, software defaults by framework. What cannot be expressed is
// counted by reason.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "calibrate/validate/error_summary.h"
#include "hwmodels/json/value.h"
#include "sim/scenario/resolve_parts.h"
#include "sim/training/step_constants.h"

namespace gpuplan::calibrate {

// Whether the first row of `path` has parallelism and metrics; false too where it cannot be read.
bool is_training_rows(const std::string& path);

// Keys: family, gpu, framework, metric, model, tensor, pipeline. `where`: key = value, all must hold. Throws
// InputError with "file:line".
ValidationRows validate_training_rows(const std::string& path, const sim::Library& library,
                                      const std::vector<std::pair<std::string, std::string>>& where = {},
                                      const sim::StepConstants& constants = {});

// The scenario of a row; empty, and `reason` filled, where it cannot be expressed.
json::Value training_scenario_of(const json::Value& row, std::string& reason);

// Step time from FLOPs alone: FLOPs / (GPUs peak efficiency), with the efficiency that makes a family's
// median error least (A), that times the pipeline bubble (B), and B with the efficiency of SC21's rows, 0.479
// as TRAINING_FACTS has it, for all (C).
struct Baseline {
  std::string family;
  ErrorStatistics ours, fitted, fitted_bubble, transfer;
};
std::vector<Baseline> training_baselines(const ValidationRows& rows);
json::Value to_json(const std::vector<Baseline>& baselines);
std::string to_text(const std::vector<Baseline>& baselines);

}  // namespace gpuplan::calibrate

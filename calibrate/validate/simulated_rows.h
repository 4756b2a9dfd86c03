// Scenarios simulated for the figures that were measured of them, in worker processes (the engine keeps one
// clock per process).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "calibrate/validate/error_summary.h"
#include "sim/scenario/serving_scenario.h"

namespace gpuplan::calibrate {

struct MeasuredMetric {
  std::string id;                          // unique within a validation
  std::string metric;                      // "serving.tpot.mean"
  double value = 0.0;                      // SI, above zero
  std::map<std::string, std::string> key;  // what groups are made of
};

// One scenario and all that was measured of it.
struct SimulatedCase {
  json::Value scenario;  // of any kind that can be simulated
  std::string where;     // "file:line", for messages
  std::string base_dir;  // paths in the scenario are relative to it
  std::vector<MeasuredMetric> metrics;
};

// A row for each metric; those that cannot be predicted are counted by reason.
ValidationRows simulate_cases(const std::vector<SimulatedCase>& cases, const sim::Library& library, int jobs);

}  // namespace gpuplan::calibrate

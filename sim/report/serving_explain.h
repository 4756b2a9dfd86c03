// Where a number comes from: the formula with the numbers in it, and the standing of each input.
#pragma once

#include <string>
#include <vector>

#include "sim/report/result.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/serving/outcome.h"
#include "sim/serving/step_cost.h"

namespace gpuplan::sim {

struct ExplanationText {
  std::string title;               // "serving.tpot.mean = 21.3 ms  [19.1 ms .. 23.9 ms]"
  std::vector<std::string> lines;  // derivation, one step a line
};

// Explains one metric of `result`. InputError, with the nearest names, where there is no such metric.
ExplanationText explain_metric(const ServingScenario& scenario, const ServingOutcome& outcome,
                               const Result& result, StepCost& cost, const std::string& metric);

// The metrics that a page on the whole scenario explains, in reading order.
std::vector<std::string> headline_metrics();

}  // namespace gpuplan::sim

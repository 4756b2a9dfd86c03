// From the raw outcome of a serving run to its metrics, intervals, bottlenecks and warnings.
#pragma once

#include "sim/report/result.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/serving/outcome.h"

namespace gpuplan::sim {

Result report_serving(const ServingScenario& scenario, ServingOutcome& outcome, const Library& library);

// Resolved scenario as JSON: defaults filled, catalogue entries by name.
json::Value resolved_json(const ServingScenario& scenario);

// Mean electrical power of the GPUs and their share of the hosts (W), a model with assumed constants:
// TDP (0.15 idle + 0.55 HBM utilisation + 0.30 matrix utilisation), hosts at the node's maximum less the
// TDPs.
Watts mean_power(const ServingScenario& scenario, const ServingOutcome& outcome);

// Half width of the 80 % interval of step times as |ln ratio|, propagated from the validation errors of the
// kernel models: errors of one family are taken as common to all its calls, families as independent.
double kernel_half_width(const StepUse& use);

}  // namespace gpuplan::sim

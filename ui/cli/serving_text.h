// The serving report as text of 80 columns.
#pragma once

#include "sim/report/result.h"
#include "sim/serving/simulation.h"

namespace gpuplan::cli {

std::string serving_text(const sim::ServingScenario& scenario, const sim::ServingOutcome& outcome,
                         const sim::Result& result);
std::string misfit_text(const sim::ServingScenario& scenario, const sim::DoesNotFit& misfit);
json::Value misfit_json(const sim::ServingScenario& scenario, const sim::DoesNotFit& misfit);

}  // namespace gpuplan::cli

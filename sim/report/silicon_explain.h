// Where the numbers of a silicon study come from: for each metric the formula with its numbers in it.
#pragma once

#include "sim/report/serving_explain.h"
#include "sim/silicon/study.h"

namespace gpuplan::sim {

// Metrics that `explain` shows when none is asked for.
std::vector<std::string> silicon_headlines(const SiliconScenario& scenario);

// Throws InputError for a metric that the result has not.
ExplanationText explain_silicon(const SiliconScenario& scenario, const SiliconStudy& study,
                                const Result& result, const std::string& metric);

}  // namespace gpuplan::sim

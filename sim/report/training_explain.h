// Where the numbers of a training result come from: for each metric the formula with its numbers in it.
#pragma once

#include "sim/report/serving_explain.h"
#include "sim/report/training_report.h"

namespace gpuplan::sim {

// Metrics that `explain` shows when none is asked for.
const std::vector<std::string>& training_headlines();

// Throws InputError for a metric that the result has not.
ExplanationText explain_training(const TrainingScenario& scenario, const TrainingOutcome& outcome,
                                 const Result& result, const TrainingEstimator& estimator,
                                 const std::string& metric);

}  // namespace gpuplan::sim

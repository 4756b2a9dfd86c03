// What surrounds a training step, as metrics and as derivations: input, offloaded state, faults, checkpoints,
// failures, what 16-bit gradients lose.
#pragma once

#include "sim/report/training_report.h"

namespace gpuplan::sim {

// Adds nothing where the scenario has none of it.
void report_surroundings(const TrainingScenario& scenario, const TrainingOutcome& outcome,
                         std::optional<double> usd_per_gpu_hour, Result& result);

// Appends to the derivation of the step: offloaded state, input, faults.
void explain_host(const TrainingScenario& scenario, const TrainingOutcome& outcome,
                  const TrainingEstimator& estimator, std::vector<std::string>& lines);

// The derivation of a metric that report_surroundings added; false where it is another's.
bool explain_surroundings(const TrainingScenario& scenario, const TrainingOutcome& outcome,
                          const TrainingEstimator& estimator, const std::string& metric,
                          std::vector<std::string>& lines);

// The experiment for this job's micro-batches; of fewer elements where those are many.
numerics::AccumulationSpec accumulation_of(const TrainingScenario& scenario, Precision buffer);

// "gradients of 64 micro-batches summed in bf16: ..."; empty where they are summed in fp32.
std::string accumulation_text(const TrainingScenario& scenario, const TrainingOutcome& outcome);

}  // namespace gpuplan::sim

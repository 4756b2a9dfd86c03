// What surrounds a training step, as text: input, offloaded state, faults, checkpoints, failures.
#pragma once

#include <string>

#include "sim/report/training_report.h"

namespace gpuplan::cli {

// Empty where the scenario has none of it.
std::string training_run_text(const sim::TrainingScenario& scenario, const sim::TrainingOutcome& outcome,
                              const sim::Result& result);

}  // namespace gpuplan::cli

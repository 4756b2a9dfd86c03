// Text of a training scenario's result, at most 80 columns.
#pragma once

#include <string>

#include "sim/report/training_report.h"

namespace gpuplan::cli {

std::string training_text(const sim::TrainingScenario& scenario, const sim::TrainingOutcome& outcome,
                          const sim::Result& result);
std::string misfit_text(const sim::TrainingScenario& scenario, const sim::TrainingMisfit& misfit);

}  // namespace gpuplan::cli

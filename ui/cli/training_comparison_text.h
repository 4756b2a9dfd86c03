// A comparison of training variants as text.
#pragma once

#include <string>

#include "sim/plan/training_comparison.h"

namespace gpuplan::cli {

std::string training_comparison_text(const sim::TrainingStudy& study,
                                     const sim::TrainingComparison& comparison);

}  // namespace gpuplan::cli

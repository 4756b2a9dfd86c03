// A collective scenario's result as text of at most 80 columns, in the shape of nccl-tests.
#pragma once

#include <string>

#include "sim/report/collective_report.h"

namespace gpuplan::cli {

std::string collective_text(const sim::CollectiveScenario& scenario,
                            const std::vector<sim::CollectiveRow>& rows, const sim::CollectiveReport& report);

}  // namespace gpuplan::cli

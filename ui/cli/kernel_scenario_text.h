// A kernel scenario's result as text of at most 80 columns.
#pragma once

#include <string>

#include "sim/report/kernel_report.h"

namespace gpuplan::cli {

std::string kernel_scenario_text(const sim::KernelScenario& scenario, const std::vector<sim::KernelRow>& rows,
                                 const sim::KernelReport& report);

}  // namespace gpuplan::cli

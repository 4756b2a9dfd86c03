// A cost report as text for a terminal of 80 columns.
#pragma once

#include <string>
#include <vector>

#include "sim/cost/cost_report.h"

namespace gpuplan::cli {

// `sources`: and each input with its range, standing and source.
std::string cost_text(const sim::CostReport& report, bool sources);

// Several machines side by side, the first as the base.
std::string cost_comparison_text(const std::vector<sim::CostReport>& reports);

}  // namespace gpuplan::cli

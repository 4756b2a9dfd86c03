// The text of a collective scenario that compares machines, algorithms or what they cost a step.
#pragma once

#include <string>
#include <vector>

#include "sim/report/collective_comparison.h"

namespace gpuplan::cli {

std::string collective_comparison_text(const sim::CollectiveScenario& scenario,
                                       const sim::CollectiveComparison& comparison);

// Arithmetic of a workload: its computation, each of its collectives, what is hidden.
std::vector<std::string> explain_workload(const sim::CollectiveScenario& variant,
                                          const sim::CommunicationSpec& spec,
                                          const sim::CommunicationCost& cost);

}  // namespace gpuplan::cli

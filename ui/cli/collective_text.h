// A collective scenario's result as text of at most 80 columns, in the shape of nccl-tests.
#pragma once

#include <optional>
#include <string>

#include "sim/report/together_report.h"

namespace gpuplan::cli {

std::string collective_text(const sim::CollectiveScenario& scenario,
                            const std::vector<sim::CollectiveRow>& rows, const sim::CollectiveReport& report,
                            const std::optional<sim::TogetherResult>& together = std::nullopt);

}  // namespace gpuplan::cli

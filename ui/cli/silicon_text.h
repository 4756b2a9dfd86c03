// A silicon study as text.
#pragma once

#include <string>

#include "sim/silicon/study.h"

namespace gpuplan::cli {

std::string silicon_text(const sim::SiliconScenario& scenario, const sim::SiliconStudy& study);

}  // namespace gpuplan::cli

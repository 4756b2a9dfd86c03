// Which metric a command takes where its user names none.
#pragma once

#include <string>

#include "sim/report/result.h"

namespace gpuplan::sim {

// What its kind is asked for first; of a table of rows the time of the last. Empty where there is neither.
std::string default_metric(const Result& result);

}  // namespace gpuplan::sim

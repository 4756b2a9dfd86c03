// Which metric a command takes where its user names none.
#pragma once

#include <string>
#include <string_view>

#include "sim/report/result.h"

namespace gpuplan::sim {

// The metric to ask for where none is named: the first headline that the result has, else the time of the
// last row of a table. Empty where there is neither.
std::string default_metric(std::string_view kind, const Result& result);

}  // namespace gpuplan::sim

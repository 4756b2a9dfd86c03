// Our own rows of published figures, JSON lines:
//   {"id": "...", "source": "...", "scenario": {...}, "metric": "serving.tpot.mean", "value": 0.0123}
// Paths inside a scenario are relative to the file. Empty lines and lines that start with # are skipped.
#pragma once

#include <string>

#include "calibrate/validate/simulated_rows.h"

namespace gpuplan::calibrate {

// Whether the first row of `path` has a scenario, a metric and a value; false too where it cannot be read.
bool is_own_rows(const std::string& path);

// Keys of the rows: gpu, kind, metric, source. Throws InputError with "file:line".
ValidationRows validate_own_rows(const std::string& path, const sim::Library& library, int jobs);

}  // namespace gpuplan::calibrate

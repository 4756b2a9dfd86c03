// What a sweep shows: the table as text or JSON, files, plots. It depends on the table alone.
#pragma once

#include "sim/sweep/table.h"
#include "ui/cli/sweep/arguments.h"

namespace gpuplan::cli {

// Prints and writes what `view` asks for. Returns 0; where no run is answered 4 (some do not fit), 3 (the
// scenarios are refused) or 1 (their processes died).
// InputError for a metric or an axis that there is none of.
int show_table(const sweep::SweepTable& table, const ViewArguments& view);

}  // namespace gpuplan::cli

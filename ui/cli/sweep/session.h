// One sweep from its arguments to its table.
#pragma once

#include "sim/sweep/workforce.h"
#include "ui/cli/sweep/arguments.h"

namespace gpuplan::cli {

// Runs what the journal does not hold yet and shows the table. Returns the exit code: 3 where every scenario
// is refused, 4 where none fits, 128 + N when stopped by signal N.
int run_sweep(const SweepArguments& arguments, const sweep::Design& design, sweep::Workforce& workforce);

}  // namespace gpuplan::cli

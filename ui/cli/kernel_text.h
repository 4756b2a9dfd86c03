// The table of a run's kernels as text of 80 columns.
#pragma once

#include <string>

#include "sim/report/kernel_table.h"

namespace gpuplan::cli {

// Kernel, calls, time, share of the time, shares of peak of matrix units, HBM and L2, occupancy, what limits;
// a line for all together. "-": the kernel's model does not say.
std::string kernel_table_text(const sim::KernelTable& table, BytesPerSecond hbm);

}  // namespace gpuplan::cli

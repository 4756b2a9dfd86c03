// Plots on a terminal of 80 columns, in characters; colour only where it is wanted, and never needed.
#pragma once

#include <string>

#include "ui/cli/sweep/plot.h"

namespace gpuplan::cli {

std::string plot_text(const PlotData& plot);

}  // namespace gpuplan::cli

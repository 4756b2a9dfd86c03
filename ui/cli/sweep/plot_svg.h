// Plots as SVG: one picture, the plots below each other. Readable on light and on dark pages: it brings its
// own ground, and takes a dark one where the reader's page asks for that.
#pragma once

#include <string>
#include <vector>

#include "ui/cli/sweep/plot.h"

namespace gpuplan::cli {

std::string plots_svg(const std::vector<PlotData>& plots);

}  // namespace gpuplan::cli

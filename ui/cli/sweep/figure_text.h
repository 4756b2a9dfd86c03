// Figures as readers of tables and plots see them.
#pragma once

#include <string>

namespace gpuplan::cli {

// A figure of `metric` in its unit: "58.3 ms", "97.5 %", "$1.68", "1,982"; of anything else a plain number.
std::string figure_text(const std::string& metric, double value);

}  // namespace gpuplan::cli

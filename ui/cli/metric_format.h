// Metrics as readers of tables and plots see them.
#pragma once

#include <string>

namespace gpuplan::cli {

// "12.3 ms", "45.6 %", "1,234": by the unit of the metric.
std::string metric_text(const std::string& metric, double value);
// "ttft.mean" of "serving.ttft.mean" in a serving scenario; other groups keep their name.
std::string short_name(const std::string& metric, const std::string& kind);

}  // namespace gpuplan::cli

// Metrics and scenarios as commands that run many of them print and run them.
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "sim/run/evaluate_all.h"

namespace gpuplan::cli {

// "12.3 ms", "45.6 %", "1,234": by the unit of the metric.
std::string metric_text(const std::string& metric, double value);
// "ttft.mean" of "serving.ttft.mean" in a serving scenario; other groups keep their name.
std::string short_name(const std::string& metric, const std::string& kind);

// Cores of this machine.
int default_jobs();
// --jobs as the options have it. UsageError for a bad one.
sim::EvaluateAllOptions evaluate_options(const boost::program_options::variables_map& options);
// Runs scenarios so, with a progress bar unless --quiet.
std::vector<sim::Answer> evaluate_here(const std::vector<sim::Asked>& asked, const sim::Library& library,
                                       const boost::program_options::variables_map& options);

}  // namespace gpuplan::cli

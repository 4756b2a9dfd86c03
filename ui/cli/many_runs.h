// Scenarios as commands that run many of them run them.
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "sim/run/evaluate_all.h"

namespace gpuplan::cli {

// Cores of this machine.
int default_jobs();
// --jobs as the options have it. UsageError for a bad one.
sim::EvaluateAllOptions evaluate_options(const boost::program_options::variables_map& options);
// Runs scenarios so, with a progress bar unless --quiet.
std::vector<sim::Answer> evaluate_here(const std::vector<sim::Asked>& asked, const sim::Library& library,
                                       const boost::program_options::variables_map& options);

}  // namespace gpuplan::cli

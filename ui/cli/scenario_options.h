// Options of every command that reads a scenario: --set and --seed.
#pragma once

#include <boost/program_options.hpp>
#include <string>

#include "sim/scenario/scenario_file.h"

namespace gpuplan::cli {

void add_scenario_options(boost::program_options::options_description& options);
// The file with the options applied.
sim::ScenarioFile any_scenario_file(const boost::program_options::variables_map& options,
                                    const std::string& path);
// The same; InputError where its kind is none that this version simulates.
sim::ScenarioFile scenario_file(const boost::program_options::variables_map& options,
                                const std::string& path);

}  // namespace gpuplan::cli

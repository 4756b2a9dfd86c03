#include "ui/cli/scenario_options.h"

#include "ui/cli/command.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

void add_scenario_options(po::options_description& options) {
  auto add = options.add_options();
  add("set", po::value<std::vector<std::string>>()->composing(),
      "PATH=VALUE: override a field, e.g. traffic.arrivals.rate=10");
  add("seed", po::value<std::int64_t>(), "seed of the random streams (overrides the scenario's)");
}

sim::ScenarioFile any_scenario_file(const po::variables_map& options, const std::string& path) {
  std::vector<std::string> overrides = texts_of(options, "set");
  if (options.count("seed") > 0) {
    overrides.push_back("seed=" + std::to_string(options["seed"].as<std::int64_t>()));
  }
  return sim::load_scenario_file(path, overrides);
}

}  // namespace gpuplan::cli

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

sim::ScenarioFile scenario_file(const po::variables_map& options, const std::string& path) {
  std::vector<std::string> overrides = texts_of(options, "set");
  if (options.count("seed") > 0) {
    overrides.push_back("seed=" + std::to_string(options["seed"].as<std::int64_t>()));
  }
  sim::ScenarioFile file = sim::load_scenario_file(path, overrides);
  if (file.kind != "serving" && file.kind != "training" && file.kind != "kernel" &&
      file.kind != "collective") {
    throw InputError(Problem{file.name + ": $.kind", "\"" + file.kind.substr(0, 60) + "\"",
                             "a kind that this version simulates: serving, training, kernel or collective",
                             did_you_mean(file.kind, {"serving", "training", "kernel", "collective"})});
  }
  return file;
}

}  // namespace gpuplan::cli

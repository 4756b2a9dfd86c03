#include "ui/cli/scenario_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/run/evaluate.h"
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
  const std::vector<std::string>& kinds = sim::evaluated_kinds();
  if (std::find(kinds.begin(), kinds.end(), file.kind) == kinds.end()) {
    throw InputError(Problem{file.name + ": $.kind", "\"" + file.kind.substr(0, 60) + "\"",
                             fmt::format("a kind that this version simulates: {}", fmt::join(kinds, ", ")),
                             did_you_mean(file.kind, kinds)});
  }
  return file;
}

}  // namespace gpuplan::cli

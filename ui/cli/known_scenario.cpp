// Scenarios of the kinds that this version simulates.
#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/json/problem.h"
#include "sim/run/evaluate.h"
#include "ui/cli/scenario_options.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

sim::ScenarioFile scenario_file(const po::variables_map& options, const std::string& path) {
  sim::ScenarioFile file = any_scenario_file(options, path);
  const std::vector<std::string>& kinds = sim::evaluated_kinds();
  if (std::find(kinds.begin(), kinds.end(), file.kind) == kinds.end()) {
    throw InputError(Problem{file.name + ": $.kind", "\"" + file.kind.substr(0, 60) + "\"",
                             fmt::format("a kind that this version simulates: {}", fmt::join(kinds, ", ")),
                             did_you_mean(file.kind, kinds)});
  }
  return file;
}

}  // namespace gpuplan::cli

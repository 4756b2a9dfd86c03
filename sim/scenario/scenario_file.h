// A scenario as it lies in a file, of any kind, with what the command line sets.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/path.h"

namespace gpuplan::sim {

// A scenario file, or "-" for standard input. `overrides` are PATH=VALUE texts (--set), applied in order.
struct ScenarioFile {
  json::Value document;
  std::string name;      // for messages
  std::string base_dir;  // of relative paths
  std::string kind;
};
// InputError where it cannot be read, is no object or has no kind.
ScenarioFile load_scenario_file(const std::string& path, const std::vector<std::string>& overrides);

using json::set_path;
using json::set_value;

}  // namespace gpuplan::sim

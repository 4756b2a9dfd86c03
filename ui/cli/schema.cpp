// gpuplan schema: JSON Schema of scenario and cluster files, generated from the very description the loader
// reads by.
#include <optional>

#include "hwmodels/fabric/cluster.h"
#include "sim/scenario/collective_scenario.h"
#include "sim/scenario/kernel_scenario.h"
#include "sim/scenario/profile_scenario.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/scenario/silicon_scenario.h"
#include "sim/scenario/training_scenario.h"
#include "ui/cli/command.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {
po::options_description described() {
  po::options_description options("options");
  options.add_options()("help", "this text");
  return options;
}
}  // namespace

std::vector<std::string> schema_options() { return long_options(described()); }

int schema_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("schema"), described(), "kind", options)) {
    return kDone;
  }
  const auto kinds = texts_of(options, "kind", {"serving"});
  const auto schema = [](const std::string& kind) -> std::optional<json::Value> {
    if (kind == "serving") {
      return sim::serving_schema();
    }
    if (kind == "kernel") {
      return sim::kernel_schema();
    }
    if (kind == "collective") {
      return sim::collective_schema();
    }
    if (kind == "training") {
      return sim::training_schema();
    }
    if (kind == "silicon") {
      return sim::silicon_schema();
    }
    if (kind == "profile") {
      return sim::profile_schema();
    }
    return kind == "cluster" ? std::optional(json::schema_of<fabric::ClusterSpec>()) : std::nullopt;
  };
  const std::optional<json::Value> found = kinds.size() == 1 ? schema(kinds[0]) : std::nullopt;
  if (!found) {
    throw UsageError{"schema: unknown kind '" + kinds.back() +
                     "'; kinds: serving, training, kernel, collective, silicon, profile, cluster"};
  }
  print(json::dump(*found, 2) + "\n");
  return kDone;
}

}  // namespace gpuplan::cli

// gpuplan schema: JSON Schema of scenario files, generated from the very description the loader reads by.
#include "sim/scenario/collective_scenario.h"
#include "sim/scenario/kernel_scenario.h"
#include "sim/scenario/serving_scenario.h"
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
  const bool kernel = kinds[0] == "kernel", collective = kinds[0] == "collective";
  if (kinds.size() != 1 || (kinds[0] != "serving" && !kernel && !collective)) {
    throw UsageError{"schema: unknown kind '" + kinds[0] + "'; kinds: serving, kernel, collective"};
  }
  print(json::dump(kernel       ? sim::kernel_schema()
                   : collective ? sim::collective_schema()
                                : sim::serving_schema(),
                   2) +
        "\n");
  return kDone;
}

}  // namespace gpuplan::cli

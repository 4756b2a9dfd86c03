#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "hwmodels/json/problem.h"
#include "ui/cli/command.h"
#include "ui/cli/sweep/arguments.h"

namespace gpuplan::cli {

namespace {

constexpr std::array kCommands = {
    Command{"run", "SCENARIO.json", "simulate a scenario and report", run_command, run_options},
    Command{"explain", "SCENARIO.json [METRIC...]", "where a number comes from: formula, inputs, provenance",
            explain_command, explain_options},
    Command{"catalog", "[gpus|nodes|fabrics|models|prices] [NAME]", "what the catalogue holds, with sources",
            catalog_command, catalog_options},
    Command{"topology", "NODE|FILE", "how GPUs reach each other, and where it is narrow", topology_command,
            topology_options},
    Command{"diagnose", "PROFILE.json", "why a GPU is not busy, from what its counters show",
            diagnose_command, diagnose_options},
    Command{"schema", "[serving|...]", "JSON Schema of scenario and cluster files", schema_command,
            schema_options},
    Command{"plan", "SCENARIO.json", "the best splits of a training job over its GPUs", plan_command,
            plan_options},
    kSweepCommand,
    kMergeCommand,
    Command{"compare", "A.json B.json...", "every metric beside each other, and what lies inside the error",
            compare_command, compare_options},
    Command{"sensitivity", "SCENARIO.json [METRIC]",
            "what a metric hangs on: elasticities, bounds, the best single changes", sensitivity_command,
            sensitivity_options},
    Command{"cost", "SCENARIO.json...", "what the work costs by every way to have the machine; rent or buy",
            cost_command, cost_options},
    Command{"validate", "FILE...", "predictions against measured tables", validate_command, validate_options},
    Command{"calibrate", "fit --gpu NAME --data DIR --out FILE", "fit a kernel profile to measured tables",
            calibrate_command, calibrate_options},
    Command{"completion", "bash", "shell completion script", completion_command, completion_options},
};

std::string overview() {
  std::string text =
      "gpuplan simulates GPU clusters and answers design questions about them.\n\nusage: gpuplan COMMAND "
      "[ARGUMENTS]\n\n";
  for (const Command& command : kCommands) {
    text += fmt::format("  {:<11} {}\n", command.name, command.summary);
  }
  return text +
         "\n'gpuplan COMMAND --help' tells more. Exit codes: 0 done, 1 a check failed,\n"
         "2 wrong usage, 3 bad input, 4 the model does not fit, 130 and 143 stopped by a signal.\n";
}

int dispatch(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print(overview());
    return words.empty() ? kUsage : kDone;
  }
  if (words[0] == "--version") {
    print(fmt::format("gpuplan {}\n", kVersion));
    return kDone;
  }
  if (words[0] == "sweep-worker") {  // started by sweeps, for nobody to type
    return sweep_worker_command({words.begin() + 1, words.end()});
  }
  const auto found =
      std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == words[0]; });
  if (found == kCommands.end()) {
    const std::string hint = did_you_mean(words[0], command_names());
    throw UsageError{fmt::format("unknown command '{}'{}", words[0], hint.empty() ? "" : "; " + hint)};
  }
  return found->run({words.begin() + 1, words.end()});
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  names.reserve(kCommands.size());
  for (const Command& command : kCommands) {
    names.emplace_back(command.name);
  }
  return names;
}

const Command& command_named(std::string_view name) {
  return *std::find_if(kCommands.begin(), kCommands.end(), [&](const Command& c) { return c.name == name; });
}

int main_of(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // a closed pager ends the program quietly
  return exit_code_of([&] { return dispatch({argv + 1, argv + argc}); });
}

}  // namespace gpuplan::cli

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "hwmodels/json/problem.h"
#include "ui/cli/command.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

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
         "2 wrong usage, 3 bad input, 4 the model does not fit.\n";
}

int dispatch(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print(overview());
    return words.empty() ? kUsage : kDone;
  }
  if (words[0] == "--version") {
    print("gpuplan 0.1.0\n");
    return kDone;
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

std::vector<std::string> long_options(const po::options_description& described) {
  std::vector<std::string> names;
  for (const auto& option : described.options()) {
    names.push_back("--" + option->long_name());
  }
  return names;
}

bool parse_options(const std::vector<std::string>& arguments, const Command& command,
                   const po::options_description& described, const char* positional_name,
                   po::variables_map& out) {
  po::options_description all;
  all.add(described);
  all.add_options()(positional_name, po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add(positional_name, -1);
  if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
    print(fmt::format("usage: gpuplan {} {} [OPTIONS]\n{}\n\n", command.name, command.arguments,
                      command.summary));
    std::ostringstream text;
    text << described;
    print(text.str());
    return false;
  }
  try {
    // No prefix guessing: a typo gets a suggestion instead of another option's meaning.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(all).positional(positional).style(style).run(), out);
    po::notify(out);
  } catch (const po::unknown_option& error) {
    const std::string hint = did_you_mean(error.get_option_name(), long_options(described));
    throw UsageError{fmt::format("{}: unknown option '{}'{}", command.name, error.get_option_name(),
                                 hint.empty() ? "" : "; " + hint)};
  } catch (const po::error& error) {
    throw UsageError{fmt::format("{}: {}", command.name, error.what())};
  }
  return true;
}

std::vector<std::string> texts_of(const po::variables_map& options, const char* name,
                                  const std::vector<std::string>& otherwise) {
  return options.count(name) > 0 ? options[name].as<std::vector<std::string>>() : otherwise;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) {
    throw InputError(Problem{path, std::strerror(errno), "a file that can be written", ""});
  }
}

void print(std::string_view text) {
  const bool ok = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!ok) {
    throw InputError(Problem{"standard output", std::strerror(errno), "room to write", ""});
  }
}

int main_of(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // a closed pager ends the program quietly
  try {
    return dispatch({argv + 1, argv + argc});
  } catch (const UsageError& error) {
    std::cerr << "gpuplan: " << error.message << "\n";
    return kUsage;
  } catch (const InputError& error) {
    for (const Problem& problem : error.problems()) {
      std::cerr << to_string(problem) << "\n";
    }
    return kBadInput;
  } catch (const std::bad_alloc&) {
    std::cerr << "gpuplan: out of memory on this machine\n";
    return kBadInput;
  }
}

}  // namespace gpuplan::cli

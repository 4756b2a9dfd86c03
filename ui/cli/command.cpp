#include "ui/cli/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "hwmodels/json/problem.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

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

int exit_code_of(const std::function<int()>& work) {
  try {
    return work();
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

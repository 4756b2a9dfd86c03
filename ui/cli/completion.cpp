// gpuplan completion bash: a script generated from the command table, so that it knows every option.
#include <fmt/format.h>

#include "ui/cli/command.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  options.add_options()("help", "how to install it");
  return options;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

std::string bash_script() {
  std::string cases;
  for (const Command& command : commands()) {
    std::vector<std::string> words = command.options();
    if (command.name == "catalog") {
      words.insert(words.end(), {"gpus", "nodes", "fabrics", "models", "prices"});
    }
    if (command.name == "schema") {
      words.insert(words.end(), {"serving", "kernel", "cluster"});
    }
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command.name, join(words));
  }
  return fmt::format(
      R"(# bash completion of gpuplan; install: gpuplan completion bash > ~/.local/share/bash-completion/completions/gpuplan
_gpuplan() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current")) ;;
  esac
}}
complete -o filenames -F _gpuplan gpuplan ./gpuplan
)",
      join(command_names()), cases);
}

}  // namespace

std::vector<std::string> completion_options() { return long_options(described()); }

int completion_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("completion"), described(), "shell", options)) {
    return kDone;
  }
  const auto shells = texts_of(options, "shell", {"bash"});
  if (shells.size() != 1 || shells[0] != "bash") {
    throw UsageError{"completion: known shells: bash"};
  }
  print(bash_script());
  return kDone;
}

}  // namespace gpuplan::cli

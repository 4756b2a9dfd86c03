// Commands of the gpuplan command line. To add one, write its file and add its line in commands.cpp.
#pragma once

#include <boost/program_options.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan::cli {

inline constexpr std::string_view kVersion = "0.1.0";

// Exit codes (the contract): 0 done, 1 a check failed (validate --fail-above), 2 wrong usage, 3 bad input,
// 4 the model does not fit; 128 + N: stopped by signal N, and what was done is kept.
enum ExitCode { kDone = 0, kCheckFailed = 1, kUsage = 2, kBadInput = 3, kDoesNotFit = 4 };

// Wrong usage: what was typed cannot be understood.
struct UsageError {
  std::string message;
};

struct Command {
  std::string_view name;
  std::string_view arguments;  // "SCENARIO.json"
  std::string_view summary;    // one line
  int (*run)(const std::vector<std::string>& arguments);
  std::vector<std::string> (*options)();  // long options, for completion
};
std::span<const Command> commands();
std::vector<std::string> command_names();

int run_command(const std::vector<std::string>& arguments);
int catalog_command(const std::vector<std::string>& arguments);
int schema_command(const std::vector<std::string>& arguments);
int explain_command(const std::vector<std::string>& arguments);
int compare_command(const std::vector<std::string>& arguments);
int sensitivity_command(const std::vector<std::string>& arguments);
int plan_command(const std::vector<std::string>& arguments);
int sweep_command(const std::vector<std::string>& arguments);
int merge_command(const std::vector<std::string>& arguments);
int sweep_worker_command(const std::vector<std::string>& arguments);
int validate_command(const std::vector<std::string>& arguments);
int calibrate_command(const std::vector<std::string>& arguments);
int diagnose_command(const std::vector<std::string>& arguments);
int topology_command(const std::vector<std::string>& arguments);
int cost_command(const std::vector<std::string>& arguments);
int completion_command(const std::vector<std::string>& arguments);
std::vector<std::string> run_options();
std::vector<std::string> catalog_options();
std::vector<std::string> schema_options();
std::vector<std::string> explain_options();
std::vector<std::string> compare_options();
std::vector<std::string> sensitivity_options();
std::vector<std::string> plan_options();
std::vector<std::string> sweep_options();
std::vector<std::string> merge_options();
std::vector<std::string> validate_options();
std::vector<std::string> calibrate_options();
std::vector<std::string> diagnose_options();
std::vector<std::string> topology_options();
std::vector<std::string> cost_options();
std::vector<std::string> completion_options();

// Parses `arguments` by `described`; positional ones go to `positional_name`. Prints help and returns false
// for --help. UsageError, with the nearest option, where something is unknown or malformed.
bool parse_options(const std::vector<std::string>& arguments, const Command& command,
                   const boost::program_options::options_description& described, const char* positional_name,
                   boost::program_options::variables_map& out);
// The texts given for `name`, or `otherwise` where there are none.
std::vector<std::string> texts_of(const boost::program_options::variables_map& options, const char* name,
                                  const std::vector<std::string>& otherwise = {});
const Command& command_named(std::string_view name);
std::vector<std::string> long_options(const boost::program_options::options_description& described);

// Runs the command line; prints problems; returns the exit code.
int main_of(int argc, char** argv);
// What `work` returns, or the exit code of what it throws, whose problems are printed.
int exit_code_of(const std::function<int()>& work);

// Writes a file; InputError with its path where that cannot be.
void write_file(const std::string& path, const std::string& text);

// Writes to standard output; a full disk or a closed pipe raises InputError naming it.
void print(std::string_view text);

}  // namespace gpuplan::cli

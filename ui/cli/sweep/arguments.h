// Arguments of `gpuplan sweep`, `gpuplan-mpi sweep` and `gpuplan merge`.
#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/sweep/design.h"
#include "ui/cli/command.h"

namespace gpuplan::cli {

inline constexpr Command kSweepCommand{"sweep", "SCENARIO.json",
                                       "a scenario over values of its fields: table, best points, plots",
                                       sweep_command, sweep_options};
inline constexpr Command kMergeCommand{"merge", "JOURNAL...", "the table of a sweep from its journals",
                                       merge_command, merge_options};

// What is made of the table.
struct ViewArguments {
  std::vector<std::string> metrics;  // with "min:" or "max:"; none: the kind's headline metrics
  std::string csv, svg;              // files; empty: none
  bool json = false;
  std::size_t rows = 40;  // of the text; 0: all
  std::vector<std::string> plots;
};

struct Shard {
  std::size_t index = 0, count = 1;  // runs with number % count == index
};

struct SweepArguments {
  sweep::SweepSpec spec;
  ViewArguments view;
  std::optional<Shard> shard;
  std::size_t jobs = 1;
  std::string journal;  // empty: by name and definition
  bool resume = false;  // the journal must be there
  bool retry_failed = false;
  bool quiet = false;
};

void add_view_options(boost::program_options::options_description& options);
ViewArguments view_arguments(const boost::program_options::variables_map& options);

// `jobs`: worker processes where --jobs does not say.
boost::program_options::options_description sweep_described(std::size_t jobs);
// nullopt after --help. UsageError for what cannot be understood, InputError for the scenario and the axes.
std::optional<SweepArguments> sweep_arguments(const std::vector<std::string>& arguments, std::size_t jobs);

}  // namespace gpuplan::cli

// gpuplan merge: the table of a sweep from the journals of its shards, the same to the byte as from one run.
#include <fmt/format.h>

#include <iostream>

#include "sim/sweep/definition.h"
#include "sim/sweep/journal.h"
#include "ui/cli/sweep/arguments.h"
#include "ui/cli/sweep/view.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  add_view_options(options);
  options.add_options()("help", "this text");
  return options;
}

// "4, 9-12, 20", at most ten of them.
std::string ranges_of(const std::vector<std::size_t>& runs) {
  std::string out;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < runs.size();) {
    std::size_t end = i + 1;
    while (end < runs.size() && runs[end] == runs[end - 1] + 1) {
      ++end;
    }
    if (++shown > 10) {
      return out + ", ...";
    }
    out += (out.empty() ? "" : ", ") +
           (end - i > 1 ? fmt::format("{}-{}", runs[i], runs[end - 1]) : std::to_string(runs[i]));
    i = end;
  }
  return out;
}

}  // namespace

std::vector<std::string> merge_options() { return long_options(described()); }

int merge_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, kMergeCommand, described(), "journal", options)) {
    return kDone;
  }
  const std::vector<std::string> files = texts_of(options, "journal");
  if (files.empty()) {
    throw UsageError{"merge: the journals of one sweep are wanted"};
  }
  const ViewArguments view = view_arguments(options);
  sweep::JournalText all = sweep::read_journal_file(files[0]);
  for (std::size_t i = 1; i < files.size(); ++i) {
    sweep::JournalText one = sweep::read_journal_file(files[i]);
    if (one.definition != all.definition) {
      std::string found = "the journal of another sweep than " + files[0];
      for (const std::string& difference : sweep::differences(one.definition, all.definition)) {
        found += "; " + difference;
      }
      throw InputError(Problem{files[i], found, "journals of one sweep", ""});
    }
    all.answers.insert(all.answers.end(), std::make_move_iterator(one.answers.begin()),
                       std::make_move_iterator(one.answers.end()));
  }
  sweep::SweepSpec spec = sweep::spec_of(all.definition, files[0]);
  const sweep::Design design(spec);
  const sweep::SweepTable table(std::move(spec), design,
                                sweep::by_run(std::move(all.answers), design.runs(), files[0]));
  const int code = show_table(table, view);
  const std::vector<std::size_t> missing = table.missing();
  if (!missing.empty()) {
    std::cerr << wrap(fmt::format("{} of {} runs are missing: {}", missing.size(), design.runs(),
                                  ranges_of(missing)),
                      80, 2)
              << "\n";
    return kCheckFailed;
  }
  return code;
}

}  // namespace gpuplan::cli

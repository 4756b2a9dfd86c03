#include "ui/cli/sweep/arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "hwmodels/json/problem.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/sweep/plot.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

std::size_t whole(const std::string& text, const std::string& option, std::size_t least, std::size_t most) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most) {
    throw UsageError{fmt::format("{} takes {} to {}, not '{}'", option, least, most, text.substr(0, 40))};
  }
  return value;
}

std::string text_of(const po::variables_map& options, const char* name) {
  return options.count(name) > 0 ? options[name].as<std::string>() : "";
}

// A file that is written at the end: its folder must be there now.
void check_folder(const std::string& file, const std::string& option) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
    throw InputError(
        Problem{option + " " + file, "no folder " + folder.string(), "a folder that exists", ""});
  }
}

// "lhs:200"
std::size_t samples_of(const std::string& text) {
  if (!text.starts_with("lhs:")) {
    throw UsageError{
        fmt::format("--sample takes lhs:N (a Latin hypercube of N points), not '{}'", text.substr(0, 40))};
  }
  return whole(text.substr(4), "--sample lhs:N", 1, 1'000'000);
}

// "2/16"
Shard shard_of(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) {
    throw UsageError{fmt::format("--shard takes I/N such as 1/16, not '{}'", text.substr(0, 40))};
  }
  const std::size_t count = whole(text.substr(slash + 1), "--shard I/N", 1, 1'000'000);
  return {whole(text.substr(0, slash), "--shard I/N", 1, count) - 1, count};
}

}  // namespace

void add_view_options(po::options_description& options) {
  using Texts = std::vector<std::string>;
  auto add = options.add_options();
  add("metric", po::value<Texts>()->composing(),
      "[min:|max:]NAME: a metric to show, and which way is better (repeatable)");
  add("csv", po::value<std::string>(), "FILE: every run with every metric");
  add("json", "print one JSON object: columns, rows, best points, Pareto set");
  add("rows", po::value<std::string>()->default_value("40"), "N: points in the text table; 0: all");
  add("plot", po::value<Texts>()->composing(),
      "pareto:X,Y | heat:X,Y,METRIC | line:X,METRIC | tornado:METRIC (repeatable)");
  add("svg", po::value<std::string>(), "FILE: the plots as SVG");
}

ViewArguments view_arguments(const po::variables_map& options) {
  ViewArguments view;
  view.metrics = texts_of(options, "metric");
  view.csv = text_of(options, "csv");
  view.svg = text_of(options, "svg");
  view.json = options.count("json") > 0;
  view.rows = whole(options["rows"].as<std::string>(), "--rows", 0, 1'000'000);
  view.plots = texts_of(options, "plot");
  check_folder(view.csv, "--csv");
  check_folder(view.svg, "--svg");
  for (const std::string& plot : view.plots) {
    check_plot(plot);
  }
  if (!view.svg.empty() && view.plots.empty()) {
    throw UsageError{"--svg: of which --plot?"};
  }
  return view;
}

po::options_description sweep_described(std::size_t jobs) {
  po::options_description options("options");
  auto add = options.add_options();
  add("vary", po::value<std::vector<std::string>>()->composing(),
      "PATH=a,b,c | PATH=low:high:count[:log] | PATH=[...]: values of a field (repeatable: every "
      "combination)");
  add("sample", po::value<std::string>(),
      "lhs:N: N points of a Latin hypercube instead, drawn from the ranges and lists by the seed");
  add("repeat", po::value<std::string>()->default_value("1"),
      "N: each point with N seeds, the scenario's and those after it");
  add_scenario_options(options);
  add_view_options(options);
  add("jobs", po::value<std::string>()->default_value(std::to_string(jobs)), "N: worker processes");
  add("journal", po::value<std::string>(),
      "FILE: where results are kept as they come (default: by the scenario's name and what is swept); the "
      "same "
      "sweep goes on from it");
  add("resume", "only go on: the journal must be there");
  add("retry-failed", "do runs again whose process died");
  add("shard", po::value<std::string>(),
      "I/N: only every N-th run, for a Slurm array: --shard $SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT of "
      "--array=1-N; then gpuplan merge");
  add("quiet", "no progress, no remarks on standard error");
  add("help", "this text");
  return options;
}

std::optional<SweepArguments> sweep_arguments(const std::vector<std::string>& arguments, std::size_t jobs) {
  po::variables_map options;
  if (!parse_options(arguments, kSweepCommand, sweep_described(jobs), "scenario", options)) {
    return std::nullopt;
  }
  const std::vector<std::string> files = texts_of(options, "scenario");
  if (files.size() != 1) {
    throw UsageError{fmt::format("sweep takes one scenario file, not {}", files.size())};
  }
  SweepArguments out;
  out.view = view_arguments(options);
  out.jobs = whole(options["jobs"].as<std::string>(), "--jobs", 1, 4096);
  out.journal = text_of(options, "journal");
  out.resume = options.count("resume") > 0;
  out.retry_failed = options.count("retry-failed") > 0;
  out.quiet = options.count("quiet") > 0;
  out.spec.repeat = whole(options["repeat"].as<std::string>(), "--repeat", 1, 100'000);
  if (options.count("sample") > 0) {
    out.spec.samples = samples_of(text_of(options, "sample"));
  }
  if (options.count("shard") > 0) {
    out.shard = shard_of(text_of(options, "shard"));
  }
  std::vector<Problem> problems;
  for (const std::string& text : texts_of(options, "vary")) {
    try {
      out.spec.axes.push_back(sweep::parse_axis(text));
    } catch (const InputError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  sim::ScenarioFile file = any_scenario_file(options, files[0]);
  out.spec.document = std::move(file.document);
  // Without its folder: what is said of a run must not depend on where the file lies.
  out.spec.name = std::filesystem::path(file.name).filename().string();
  out.spec.base_dir = file.base_dir;
  return out;
}

}  // namespace gpuplan::cli

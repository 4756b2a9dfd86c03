// gpuplan validate: predictions against measured tables, by group, with what was left out and why.
#include <fmt/format.h>

#include <algorithm>

#include "calibrate/validate/condition.h"
#include "calibrate/validate/kernel_tables.h"
#include "calibrate/validate/own_rows.h"
#include "calibrate/validate/pairs.h"
#include "calibrate/validate/serving_rows.h"
#include "calibrate/validate/training_rows.h"
#include "hwmodels/collectives/communicator.h"
#include "ui/cli/command.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add("gpu", po::value<std::string>()->default_value(""),
      "NAME: GPU of a kernel table (default: the folder it lies in)");
  add("op", po::value<std::string>()->default_value(""),
      "OP: operation a kernel table must hold (gemm, attention_prefill, ...; collectives: all of them)");
  add("where", po::value<std::vector<std::string>>()->composing(),
      "FIELD=VALUE: only rows in which FIELD is VALUE (may be repeated); kernel tables also take !=, <, <=, "
      "> and >=, and the columns of the shape: 'm>=512'");
  add("leave-one-out", po::value<std::string>()->implicit_value("gpu"),
      "[gpu|architecture]: price each kernel row as though nobody had measured its GPU, or any of its "
      "architecture: with constants predicted from the datasheet and the other GPUs");
  add("group-by", po::value<std::string>()->default_value(""),
      "FIELD,FIELD: what makes a group (default: gpu, op or framework, dtype or metric)");
  add("pairs", po::value<std::string>(),
      "FILE: pairs of rows that differ by one knob; how often the faster is named right");
  add("worst", po::value<std::size_t>()->default_value(10), "N: worst rows to show");
  add("fail-above", po::value<std::vector<std::string>>()->composing(),
      "FIGURE=VALUE: exit 1 when an overall figure (median, mean, p90, bias) is above, as a fraction");
  add("jobs", po::value<int>()->default_value(2), "N: worker processes for simulations");
  add("help", "this text");
  return options;
}

std::vector<std::pair<std::string, std::string>> pairs_of(const po::variables_map& options,
                                                          const char* name) {
  std::vector<std::pair<std::string, std::string>> out;
  if (options.count(name) > 0) {
    for (const std::string& text : options[name].as<std::vector<std::string>>()) {
      const std::size_t equals = text.find('=');
      if (equals == std::string::npos || equals == 0) {
        throw UsageError{fmt::format("validate --{}: '{}' is not NAME=VALUE", name, text)};
      }
      out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

std::vector<calibrate::Condition> conditions_of(const po::variables_map& options) {
  std::vector<calibrate::Condition> out;
  if (options.count("where") > 0) {
    for (const std::string& text : options["where"].as<std::vector<std::string>>()) {
      try {
        out.push_back(calibrate::read_condition(text, "validate --where"));
      } catch (const InputError& error) {
        const Problem& problem = error.problems().front();
        throw UsageError{
            fmt::format("validate --where: {} in '{}' is not {}", problem.found, text, problem.expected)};
      }
    }
  }
  return out;
}

// Columns and values of `conditions`, for serving tables, which only compare texts.
std::vector<std::pair<std::string, std::string>> equalities(
    const std::vector<calibrate::Condition>& conditions) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const calibrate::Condition& condition : conditions) {
    if (condition.comparison != calibrate::Condition::Comparison::equal) {
      throw UsageError{fmt::format("validate --where: serving tables take {}=VALUE only", condition.field)};
    }
    out.emplace_back(condition.field, condition.value);
  }
  return out;
}

// What --leave-one-out leaves out. Its value may be missing: then what follows it is the first file.
kernels::LeaveOut left_out(const po::variables_map& options, std::vector<std::string>& files) {
  if (options.count("leave-one-out") == 0) {
    return kernels::LeaveOut::nothing;
  }
  const std::string value = options["leave-one-out"].as<std::string>();
  if (value == "architecture") {
    return kernels::LeaveOut::architecture;
  }
  if (value != "gpu") {
    files.insert(files.begin(), value);
  }
  return kernels::LeaveOut::gpu;
}

double figure_of(const calibrate::ErrorStatistics& errors, const std::string& name) {
  if (name == "median") {
    return errors.median;
  }
  if (name == "mean") {
    return errors.mean;
  }
  if (name == "p90") {
    return errors.p90;
  }
  if (name == "max") {
    return errors.max;
  }
  if (name == "bias") {
    return std::abs(errors.bias);
  }
  throw UsageError{
      fmt::format("validate --fail-above: unknown figure '{}'; figures: median, mean, p90, max, bias", name)};
}

// Whether `op` names a collective, all of which --op collectives asks for.
bool collective(const std::string& op) {
  const auto names = collectives::enum_names(collectives::Collective{});
  return std::find(names.begin(), names.end(), op) != names.end();
}

}  // namespace

std::vector<std::string> validate_options() { return long_options(described()); }

int validate_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("validate"), described(), "files", options)) {
    return kDone;
  }
  auto files = texts_of(options, "files");
  const kernels::LeaveOut leave_out = left_out(options, files);
  if (files.empty()) {
    throw UsageError{
        "validate takes measured tables: kernel CSV(.gz), serving CSV, training rows, or own rows in JSON "
        "lines"};
  }
  const auto where = conditions_of(options);
  const auto limits = pairs_of(options, "fail-above");
  const sim::Library library = sim::Library::load(data_root());
  const std::string op = options["op"].as<std::string>();

  calibrate::ValidationRows rows;
  bool serving = false, training = false;
  for (const std::string& file : files) {
    const bool serves = calibrate::is_serving_table(file), own = calibrate::is_own_rows(file);
    const bool trains = !serves && !own && calibrate::is_training_rows(file);
    if (leave_out != kernels::LeaveOut::nothing && (serves || own || trains)) {
      throw UsageError{fmt::format("validate --leave-one-out takes kernel tables, not '{}'", file)};
    }
    if (serves) {
      serving = true;
      rows.append(calibrate::validate_serving_table(
          file, library, {.jobs = options["jobs"].as<int>(), .where = equalities(where)}));
      continue;
    }
    calibrate::ValidationRows table;
    if (trains) {
      training = true;
      table = calibrate::validate_training_rows(file, library);
    } else if (own) {
      serving = true;
      table = calibrate::validate_own_rows(file, library, options["jobs"].as<int>());
    } else if (calibrate::is_kernel_table(file)) {
      table = calibrate::validate_kernel_table(file, {.gpu = options["gpu"].as<std::string>(),
                                                      .catalogue = &library.hardware,
                                                      .data_dir = library.data_dir,
                                                      .leave_out = leave_out});
    } else {
      json::read_file(file, std::size_t{1} << 30);  // says when it cannot be read at all
      throw InputError(Problem{
          file, "no table that validation knows",
          "the columns of a kernel or serving table, training rows, or rows with a scenario each", ""});
    }
    std::erase_if(table.rows, [&](const calibrate::ValidationRow& row) {
      const auto found = row.key.find("op");
      const bool named = found != row.key.end() &&
                         (op == found->second || (op == "collectives" && collective(found->second)));
      return (!op.empty() && !named) ||
             !std::all_of(where.begin(), where.end(), [&](const calibrate::Condition& condition) {
               return condition.holds(row.key, row.shape);
             });
    });
    rows.append(std::move(table));
  }

  calibrate::SummaryOptions summary_options;
  summary_options.worst = options["worst"].as<std::size_t>();
  summary_options.group_by = split(options["group-by"].as<std::string>());
  if (summary_options.group_by.empty() && serving) {
    summary_options.group_by = {"gpu", "framework", "metric"};
  }
  if (summary_options.group_by.empty() && training) {
    summary_options.group_by = {"family", "metric"};
  }
  const calibrate::ErrorSummary summary = calibrate::summarise(rows, summary_options);
  json::Value as_json = calibrate::to_json(summary);
  std::string as_text = calibrate::to_text(summary, serving || training ? "SI" : "s");
  if (training) {
    const auto baselines = calibrate::training_baselines(rows);
    as_json["baselines"] = calibrate::to_json(baselines);
    as_text += calibrate::to_text(baselines);
  }
  if (options.count("pairs") > 0) {
    const calibrate::PairSummary pairs =
        calibrate::compare_pairs(calibrate::read_pairs(options["pairs"].as<std::string>()), rows);
    as_json["pairs"] = calibrate::to_json(pairs);
    as_text += calibrate::to_text(pairs);
  }
  print(options.count("json") > 0 ? json::dump(as_json, 2) + "\n" : as_text);
  for (const auto& [name, limit] : limits) {
    char* end = nullptr;
    const double most = std::strtod(limit.c_str(), &end);
    if (limit.empty() || *end != '\0') {
      throw UsageError{fmt::format("validate --fail-above: '{}' is no number", limit)};
    }
    if (summary.overall.count == 0 || figure_of(summary.overall, name) > most) {
      return kCheckFailed;
    }
  }
  return kDone;
}

}  // namespace gpuplan::cli

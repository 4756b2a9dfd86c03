// gpuplan cost: what a scenario's work costs, by every way to have its machine, and where owning pays.
#include <fmt/format.h>

#include <algorithm>

#include "sim/plan/training_comparison.h"
#include "sim/run/evaluate.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/scenario/training_study.h"
#include "ui/cli/command.h"
#include "ui/cli/cost_text.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add("api-price", po::value<std::vector<std::string>>()->composing(),
      "IN/OUT: USD per million input and output tokens of an API to set beside, or a seller or model of the "
      "table (default: the table's prices of the scenario's model)");
  add("sources", "and each input with its range, standing and source");
  add("estimate", "training: the analytic formula instead of a simulation");
  add_scenario_options(options);
  add("help", "this text");
  return options;
}

// The scenario as costs see it; nothing where it does not fit, with the reason in `why`.
std::optional<sim::CostSubject> subject_of(const sim::ScenarioFile& file, const sim::Library& library,
                                           bool formula, std::string& why) {
  if (file.kind != "serving" && file.kind != "training") {
    throw InputError(Problem{file.name + ": $.kind", "\"" + file.kind.substr(0, 60) + "\"",
                             "a kind whose work costs something: serving or training",
                             did_you_mean(file.kind, {"serving", "training"})});
  }
  if (file.kind == "training" && sim::compares_training(file.document)) {
    throw InputError(Problem{file.name + ": $", "variants or values to sweep",
                             "one scenario; gpuplan cost takes several files", ""});
  }
  const sim::Evaluation evaluation =
      sim::evaluate(file.document, file.name, file.base_dir, library, {.formula = formula});
  if (!evaluation.fits) {
    why = evaluation.why_not;
    return std::nullopt;
  }
  if (file.kind == "serving") {
    return sim::cost_subject(sim::resolve_serving(file.document, file.name, file.base_dir, library),
                             evaluation.result);
  }
  return sim::cost_subject(sim::resolve_training(file.document, file.name, file.base_dir, library),
                           evaluation.result);
}

std::vector<sim::ApiPrice> apis_for(const sim::CostSubject& subject, const std::vector<sim::ApiPrice>& all,
                                    const std::vector<std::string>& asked) {
  if (asked.empty()) {
    return sim::api_prices_of(all, subject.model, subject.spec.date);
  }
  std::vector<sim::ApiPrice> out;
  for (const std::string& text : asked) {
    const std::vector<sim::ApiPrice> found = sim::asked_api_prices(all, text, "--api-price");
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

std::string json_text(const std::vector<sim::CostReport>& reports) {
  if (reports.size() == 1) {
    return json::dump(sim::cost_json(reports.front()), 2) + "\n";
  }
  json::Value out;
  out["schema"] = 1;
  json::Array all;
  for (const sim::CostReport& report : reports) {
    all.push_back(sim::cost_json(report));
  }
  out["scenarios"] = json::Value(std::move(all));
  return json::dump(out, 2) + "\n";
}

std::string text_of(const std::vector<sim::CostReport>& reports, bool sources) {
  std::string text;
  for (const sim::CostReport& report : reports) {
    text += cost_text(report, sources) + (reports.size() > 1 ? "\n" : "");
  }
  const auto alike = [&](const sim::CostReport& one) {
    const sim::CostWork &work = one.subject.work, &first = reports.front().subject.work;
    return work.unit == first.unit && (work.output_per_s > 0.0) == (first.output_per_s > 0.0);
  };
  const bool compare = reports.size() > 1 && std::all_of(reports.begin(), reports.end(), alike);
  return compare ? text + cost_comparison_text(reports) : text;
}

}  // namespace

std::vector<std::string> cost_options() { return long_options(described()); }

int cost_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("cost"), described(), "scenario", options)) {
    return kDone;
  }
  const std::vector<std::string> paths = texts_of(options, "scenario");
  if (paths.empty()) {
    throw UsageError{"cost takes a scenario file, or several to set side by side"};
  }
  const sim::Library library = sim::Library::load(data_root());
  const std::vector<sim::ApiPrice> apis = sim::load_api_prices(library.data_dir);
  std::vector<sim::CostReport> reports;
  for (const std::string& path : paths) {
    std::string why;
    const auto subject =
        subject_of(scenario_file(options, path), library, options.count("estimate") > 0, why);
    if (!subject) {
      print(fmt::format("{}: {}\n", path, why));
      return kDoesNotFit;
    }
    reports.push_back(sim::report_cost(*subject, library.hardware,
                                       apis_for(*subject, apis, texts_of(options, "api-price"))));
  }
  print(options.count("json") > 0 ? json_text(reports) : text_of(reports, options.count("sources") > 0));
  return kDone;
}

}  // namespace gpuplan::cli

// gpuplan explain: run the scenario and show where its numbers come from.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "sim/report/serving_explain.h"
#include "sim/report/serving_report.h"
#include "sim/serving/simulation.h"
#include "ui/cli/command.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/serving_text.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print one JSON object instead of text");
  add_scenario_options(options);
  add("help", "this text");
  return options;
}

}  // namespace

std::vector<std::string> explain_options() { return long_options(described()); }

int explain_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("explain"), described(), "words", options)) {
    return kDone;
  }
  auto words = texts_of(options, "words");
  if (words.empty()) {
    throw UsageError{"explain takes a scenario file, and metrics such as serving.tpot.mean"};
  }
  // The scenario may stand anywhere among the metrics; without a word that looks like a file, it is the
  // first.
  auto scenario_word = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word.ends_with(".json") || std::filesystem::exists(word);
  });
  if (scenario_word == words.end()) {
    scenario_word = words.begin();
  }
  const sim::ScenarioFile file = serving_file(options, *scenario_word);
  const sim::Library library = sim::Library::load(data_root());
  const sim::ServingScenario scenario =
      sim::resolve_serving(file.document, file.name, file.base_dir, library);
  if (const std::optional<sim::DoesNotFit> misfit = sim::check_fit(scenario, library)) {
    print(misfit_text(scenario, *misfit));
    return kDoesNotFit;
  }
  sim::ServingOutcome outcome;
  {
    ProgressBar progress;
    outcome = sim::simulate_serving(scenario, library.data_dir, nullptr,
                                    [&](double fraction) { progress.show(fraction); });
  }
  const sim::Result result = sim::report_serving(scenario, outcome, library);
  sim::StepCost cost = sim::make_step_cost(scenario, library.data_dir);

  words.erase(scenario_word);
  const std::vector<std::string> metrics = words.empty() ? sim::headline_metrics() : words;
  json::Array parts;
  std::string text;
  for (const std::string& metric : metrics) {
    if (words.empty() && result.find(metric) == nullptr) {
      continue;  // a headline that this scenario has not, such as a cost without a price
    }
    const sim::ExplanationText explanation = sim::explain_metric(scenario, outcome, result, cost, metric);
    text += (text.empty() ? "" : "\n") + styled(explanation.title, Style::heading) + "\n";
    json::Array lines;
    for (const std::string& line : explanation.lines) {
      text += "  " + (columns(line) > 78 ? wrap(line, 78, 6) : line) + "\n";
      lines.emplace_back(line);
    }
    json::Value part;
    part["metric"] = metric;
    part["value"] = result.find(metric)->value;
    part["derivation"] = json::Value(std::move(lines));
    parts.push_back(std::move(part));
  }
  if (options.count("json") > 0) {
    json::Value out;
    out["schema"] = 1;
    out["explanations"] = json::Value(std::move(parts));
    out["provenance"] = result.provenance;
    text = json::dump(out, 2) + "\n";
  }
  print(text);
  return kDone;
}

}  // namespace gpuplan::cli

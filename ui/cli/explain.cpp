// gpuplan explain: run the scenario and show where its numbers come from.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "sim/plan/training_plan.h"
#include "sim/report/kernel_report.h"
#include "sim/report/serving_explain.h"
#include "sim/report/serving_report.h"
#include "sim/report/silicon_explain.h"
#include "sim/report/silicon_report.h"
#include "sim/report/together_report.h"
#include "sim/report/training_explain.h"
#include "sim/scenario/training_study.h"
#include "sim/serving/simulation.h"
#include "ui/cli/collective_comparison_text.h"
#include "ui/cli/command.h"
#include "ui/cli/scenario_options.h"
#include "ui/cli/serving_text.h"
#include "ui/cli/terminal.h"
#include "ui/cli/training_text.h"

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

struct Part {
  std::string name;
  json::Value value;
  std::string title;
  std::vector<std::string> lines;
};

void print_parts(const std::vector<Part>& parts, const char* key, const json::Value& provenance,
                 bool as_json) {
  std::string text;
  json::Array values;
  for (const Part& part : parts) {
    text += (text.empty() ? "" : "\n") + styled(wrap(part.title, 80, 4), Style::heading) + "\n";
    json::Array lines;
    for (const std::string& line : part.lines) {
      text += "  " + (columns(line) > 78 ? wrap(line, 78, 6) : line) + "\n";
      lines.emplace_back(line);
    }
    json::Value one;
    one[key] = part.name;
    one["value"] = part.value;
    one["derivation"] = json::Value(std::move(lines));
    values.push_back(std::move(one));
  }
  if (as_json) {
    json::Value out;
    out["schema"] = 1;
    out["explanations"] = json::Value(std::move(values));
    out["provenance"] = provenance;
    text = json::dump(out, 2) + "\n";
  }
  print(text);
}

int explain_serving(const sim::ScenarioFile& file, const std::vector<std::string>& words, bool as_json) {
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
  const std::vector<std::string> metrics = words.empty() ? sim::headline_metrics() : words;
  std::vector<Part> parts;
  for (const std::string& metric : metrics) {
    if (words.empty() && result.find(metric) == nullptr) {
      continue;  // a headline that this scenario has not, such as a cost without a price
    }
    sim::ExplanationText explanation = sim::explain_metric(scenario, outcome, result, cost, metric);
    parts.push_back(
        {metric, result.find(metric)->value, std::move(explanation.title), std::move(explanation.lines)});
  }
  print_parts(parts, "metric", result.provenance, as_json);
  return kDone;
}

// Cases that `word` names: "int4", "int4[m=16]", "kernel.int4[m=16].time", or a part of such a name.
bool names_case(const std::string& word, const sim::KernelCase& one) {
  const std::string name = one.name();
  return name.find(word) != std::string::npos || word.find("kernel." + name + ".") == 0 ||
         (word.starts_with("kernel.") && word.find('[') == std::string::npos && one.at.empty());
}

int explain_kernels(const sim::ScenarioFile& file, const std::vector<std::string>& words, bool as_json) {
  const sim::Library library = sim::Library::load(data_root());
  const sim::KernelScenario scenario = sim::resolve_kernels(file.document, file.name, file.base_dir, library);
  const sim::KernelPricer pricer(scenario, library);
  const std::vector<sim::KernelRow> rows = sim::price_kernels(scenario, pricer);
  const sim::KernelReport report = sim::report_kernels(scenario, rows, pricer, library);
  std::vector<std::string> names;
  for (const sim::KernelCase& one : scenario.cases) {
    names.push_back(one.name());
  }
  for (const std::string& word : words) {
    if (std::none_of(scenario.cases.begin(), scenario.cases.end(),
                     [&](const sim::KernelCase& one) { return names_case(word, one); })) {
      throw InputError(Problem{"kernel", "\"" + word.substr(0, 60) + "\"", "a case of this scenario",
                               did_you_mean(word, names)});
    }
  }
  constexpr std::size_t most = 6;  // without a choice
  std::vector<Part> parts;
  std::size_t left_out = 0;
  for (const sim::KernelRow& row : rows) {
    const sim::KernelCase& one = scenario.cases[row.index];
    if (!words.empty() && std::none_of(words.begin(), words.end(),
                                       [&](const std::string& word) { return names_case(word, one); })) {
      continue;
    }
    if (words.empty() && parts.size() == most) {
      ++left_out;
      continue;
    }
    sim::KernelExplanation explanation = sim::explain_kernel(scenario, row, pricer);
    parts.push_back({one.name(), json::Value(row.outcome.price.time.si()), std::move(explanation.title),
                     std::move(explanation.lines)});
  }
  for (const std::string& finding : report.findings) {
    parts.empty() || parts.back().name != "findings"
        ? parts.push_back({"findings", json::Value(), "what the scenario shows", {finding}})
        : parts.back().lines.push_back(finding);
  }
  if (left_out > 0) {
    parts.push_back({"left out",
                     json::Value(left_out),
                     fmt::format("{} more cases: gpuplan explain {} CASE", left_out, file.name),
                     {}});
  }
  print_parts(parts, "kernel", report.result.provenance, as_json);
  return kDone;
}

Part part_of(const std::string& name, const sim::CollectiveRow& row) {
  std::string limits = std::string(json::name_of(row.price.limiter));
  if (row.played && !row.played->narrowest.empty()) {
    limits = row.played->narrowest;
  }
  return {name, json::Value(row.time().si()),
          fmt::format("{} = {:.2f} us, limited by {}", name, row.time().si() * 1e6, limits), row.why.lines};
}

// Rows of every variant, named "variant: row", and its workloads.
std::vector<Part> parts_of(const sim::CollectiveScenario& scenario,
                           const sim::CollectiveComparison& comparison) {
  std::vector<Part> out;
  for (const sim::VariantOutcome& variant : comparison.variants) {
    const std::string prefix = scenario.variants.empty() ? "" : variant.scenario->spec.name + ": ";
    for (std::size_t i = 0; i < variant.workloads.size(); ++i) {
      const sim::CommunicationCost& cost = variant.workloads[i];
      out.push_back({prefix + cost.name, json::Value(cost.step().si()),
                     fmt::format("{}{}: collectives {}, exposed {}", prefix, cost.name,
                                 si(cost.communication.si(), "s"), si(cost.exposed.si(), "s")),
                     explain_workload(*variant.scenario, scenario.spec.workloads[i], cost)});
    }
    for (const sim::CollectiveRow& row : variant.rows) {
      out.push_back(part_of(prefix + row.name(), row));
    }
  }
  return out;
}

int explain_collectives(const sim::ScenarioFile& file, const std::vector<std::string>& words, bool as_json) {
  const sim::Library library = sim::Library::load(data_root());
  const sim::CollectiveScenario scenario = sim::resolve_collectives(file.document, file.name, library);
  std::vector<Part> all;
  json::Value provenance;
  if (sim::compares(scenario)) {
    const sim::CollectiveComparison comparison = sim::compare_collectives(scenario, library);
    all = parts_of(scenario, comparison);
    provenance = comparison.result.provenance;
  } else {
    const std::vector<sim::CollectiveRow> rows = sim::price_collectives(scenario, library);
    for (const sim::CollectiveRow& row : rows) {
      all.push_back(part_of(row.name(), row));
    }
    provenance = sim::report_collectives(scenario, rows, library).result.provenance;
  }
  std::vector<Part> parts;
  std::vector<std::string> names;
  for (Part& part : all) {
    names.push_back(part.name);
    const bool wanted =
        words.empty() || std::any_of(words.begin(), words.end(), [&](const std::string& word) {
          return part.name.find(word) != std::string::npos;
        });
    if (wanted) {
      parts.push_back(std::move(part));
    }
  }
  if (const std::optional<sim::TogetherResult> together = sim::play_together(scenario, library)) {
    for (const sim::ActivityResult& a : together->activities) {
      names.push_back(a.name);
      if (words.empty() || std::find(words.begin(), words.end(), a.name) != words.end()) {
        parts.push_back({a.name, json::Value(a.time().si()),
                         fmt::format("{} = {:.2f} us together with the others", a.name, a.time().si() * 1e6),
                         sim::why_of(a)});
      }
    }
  }
  if (parts.empty()) {
    throw InputError(Problem{"collective", "\"" + words.front().substr(0, 60) + "\"",
                             "a row of this scenario", did_you_mean(words.front(), names)});
  }
  print_parts(parts, "collective", provenance, as_json);
  return kDone;
}

// Headlines, or the metrics asked for, of each variant that fits: "variant: metric".
int explain_training_study(const sim::ScenarioFile& file, const std::vector<std::string>& words,
                           bool as_json) {
  const sim::Library library = sim::Library::load(data_root());
  const sim::TrainingStudy study =
      sim::resolve_training_study(file.document, file.name, file.base_dir, library);
  const auto collectives = collectives::CollectiveModel::load(library.data_dir);
  std::vector<Part> parts;
  json::Value provenance;
  for (const sim::TrainingCase& one : study.variants) {
    sim::TrainingScenario s = *one.scenario;
    const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library.data_dir);
    if (one.search) {
      const sim::TrainingPlan plan = sim::plan_training(s, kernels, collectives);
      if (plan.top.empty()) {
        continue;
      }
      s = sim::with_split(s, plan.top[plan.chosen]);
    }
    if (!plan_training_memory(s.machine.gpu, s.job).fits()) {
      continue;
    }
    const sim::TrainingEstimator estimator(s.machine, kernels, collectives);
    const sim::TrainingOutcome outcome = sim::simulate_training(s, kernels, collectives);
    const sim::Result result = sim::report_training(s, outcome, library);
    provenance = result.provenance;
    for (const std::string& metric : words.empty() ? sim::training_headlines() : words) {
      sim::ExplanationText text = sim::explain_training(s, outcome, result, estimator, metric);
      parts.push_back({one.name + ": " + metric, result.find(metric)->value, one.name + ": " + text.title,
                       std::move(text.lines)});
    }
  }
  print_parts(parts, "metric", provenance, as_json);
  return parts.empty() ? kDoesNotFit : kDone;
}

int explain_training(const sim::ScenarioFile& file, const std::vector<std::string>& words, bool as_json) {
  if (sim::compares_training(file.document)) {
    return explain_training_study(file, words, as_json);
  }
  const sim::Library library = sim::Library::load(data_root());
  const sim::TrainingScenario scenario =
      sim::resolve_training(file.document, file.name, file.base_dir, library);
  if (const std::optional<sim::TrainingMisfit> misfit = sim::check_training_fit(scenario, library)) {
    print(misfit_text(scenario, *misfit));
    return kDoesNotFit;
  }
  const auto kernels = kernels::KernelModel::for_gpu(scenario.machine.gpu, library.data_dir);
  const auto collectives = collectives::CollectiveModel::load(library.data_dir);
  const sim::TrainingEstimator estimator(scenario.machine, kernels, collectives);
  const sim::TrainingOutcome outcome = sim::simulate_training(scenario, kernels, collectives);
  const sim::Result result = sim::report_training(scenario, outcome, library);
  std::vector<Part> parts;
  for (const std::string& metric : words.empty() ? sim::training_headlines() : words) {
    sim::ExplanationText text = sim::explain_training(scenario, outcome, result, estimator, metric);
    parts.push_back({metric, result.find(metric)->value, std::move(text.title), std::move(text.lines)});
  }
  print_parts(parts, "metric", result.provenance, as_json);
  return kDone;
}

int explain_silicon(const sim::ScenarioFile& file, const std::vector<std::string>& words, bool as_json) {
  const sim::Library library = sim::Library::load(data_root());
  const sim::SiliconScenario scenario =
      sim::resolve_silicon(file.document, file.name, file.base_dir, library);
  const sim::SiliconStudy study = sim::study_silicon(scenario, library);
  const sim::Result result = sim::report_silicon(scenario, study);
  std::vector<Part> parts;
  for (const std::string& metric : words.empty() ? sim::silicon_headlines(scenario) : words) {
    sim::ExplanationText text = sim::explain_silicon(scenario, study, result, metric);
    parts.push_back({metric, result.find(metric)->value, std::move(text.title), std::move(text.lines)});
  }
  print_parts(parts, "metric", result.provenance, as_json);
  return kDone;
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
  const sim::ScenarioFile file = scenario_file(options, *scenario_word);
  words.erase(scenario_word);
  const bool as_json = options.count("json") > 0;
  if (file.kind == "collective") {
    return explain_collectives(file, words, as_json);
  }
  if (file.kind == "training") {
    return explain_training(file, words, as_json);
  }
  if (file.kind == "silicon") {
    return explain_silicon(file, words, as_json);
  }
  return file.kind == "kernel" ? explain_kernels(file, words, as_json)
                               : explain_serving(file, words, as_json);
}

}  // namespace gpuplan::cli

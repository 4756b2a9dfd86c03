#include "sim/run/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hwmodels/json/problem.h"
#include "sim/plan/training_comparison.h"
#include "sim/report/collective_comparison.h"
#include "sim/report/kernel_report.h"
#include "sim/report/serving_report.h"
#include "sim/report/silicon_report.h"
#include "sim/report/together_report.h"
#include "sim/report/training_report.h"
#include "sim/serving/simulation.h"

namespace gpuplan::sim {

namespace {

struct Question {
  const json::Value& document;
  const std::string& name;
  const std::string& base_dir;
  const Library& catalogues;
  const EvaluateOptions& options;
};

Evaluation ran(Result result) { return {true, "", std::move(result)}; }
Evaluation refused(std::string why) { return {false, std::move(why), {}}; }

std::string gigabytes(Bytes bytes) { return fmt::format("{:.1f} GB", bytes.si() * 1e-9); }

Evaluation serving(const Question& q) {
  const ServingScenario scenario = resolve_serving(q.document, q.name, q.base_dir, q.catalogues);
  if (q.options.resolve_only) {
    return {};
  }
  if (const std::optional<DoesNotFit> misfit = check_fit(scenario, q.catalogues)) {
    return refused("does not fit: " + gigabytes(misfit->short_by) + " short");
  }
  ServingOutcome outcome = simulate_serving(scenario, q.catalogues.data_dir);
  return ran(report_serving(scenario, outcome, q.catalogues));
}

Evaluation training_study(const Question& q) {
  const TrainingStudy study = resolve_training_study(q.document, q.name, q.base_dir, q.catalogues);
  if (q.options.resolve_only) {
    return {};
  }
  ComparisonOptions how;
  how.formula = q.options.formula;
  const TrainingComparison comparison = compare_training(study, q.catalogues, how);
  const CaseOutcome& first = comparison.variants.front();
  return first.runs() ? ran(first.result) : refused(first.why_not);
}

Evaluation training(const Question& q) {
  if (compares_training(q.document)) {
    return training_study(q);
  }
  const TrainingScenario scenario = resolve_training(q.document, q.name, q.base_dir, q.catalogues);
  if (q.options.resolve_only) {
    return {};
  }
  if (const std::optional<TrainingMisfit> misfit = check_training_fit(scenario, q.catalogues)) {
    return refused(fmt::format("does not fit: {} short in {}", gigabytes(misfit->short_by), misfit->place));
  }
  const TrainingOutcome outcome = q.options.formula ? estimate_training(scenario, q.catalogues)
                                                    : simulate_training(scenario, q.catalogues);
  return ran(report_training(scenario, outcome, q.catalogues));
}

Evaluation kernel(const Question& q) {
  const KernelScenario scenario = resolve_kernels(q.document, q.name, q.base_dir, q.catalogues);
  if (q.options.resolve_only) {
    return {};
  }
  const KernelPricer pricer(scenario, q.catalogues);
  const std::vector<KernelRow> rows = price_kernels(scenario, pricer);
  if (std::none_of(rows.begin(), rows.end(),
                   [](const KernelRow& row) { return row.outcome.refusal.empty(); })) {
    return refused(rows.empty() ? "no kernels" : rows.front().outcome.refusal);
  }
  return ran(report_kernels(scenario, rows, pricer, q.catalogues).result);
}

Evaluation collective(const Question& q) {
  const CollectiveScenario scenario = resolve_collectives(q.document, q.name, q.catalogues);
  if (q.options.resolve_only) {
    return {};
  }
  if (compares(scenario)) {
    return ran(compare_collectives(scenario, q.catalogues).result);
  }
  const std::vector<CollectiveRow> rows = price_collectives(scenario, q.catalogues);
  CollectiveReport report = report_collectives(scenario, rows, q.catalogues);
  if (const std::optional<TogetherResult> together = play_together(scenario, q.catalogues)) {
    report_together(report, *together);
  }
  return ran(std::move(report.result));
}

Evaluation silicon(const Question& q) {
  const SiliconScenario scenario = resolve_silicon(q.document, q.name, q.base_dir, q.catalogues);
  if (q.options.resolve_only) {
    return {};
  }
  return ran(report_silicon(scenario, study_silicon(scenario, q.catalogues, {.jobs = 1, .progress = {}})));
}

struct Kind {
  const char* name;
  Evaluation (*answer)(const Question&);
};
constexpr std::array kKinds = {Kind{"serving", serving}, Kind{"training", training}, Kind{"kernel", kernel},
                               Kind{"collective", collective}, Kind{"silicon", silicon}};

}  // namespace

const std::vector<std::string>& evaluated_kinds() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    out.reserve(kKinds.size());
    for (const Kind& kind : kKinds) {
      out.emplace_back(kind.name);
    }
    return out;
  }();
  return names;
}

Evaluation evaluate(const json::Value& document, const std::string& name, const std::string& base_dir,
                    const Library& library, const EvaluateOptions& options) {
  const json::Value* kind = document.find("kind");
  const std::string text = kind != nullptr && kind->is_string() ? kind->string() : "";
  for (const Kind& one : kKinds) {
    if (text == one.name) {
      return one.answer({document, name, base_dir, library, options});
    }
  }
  throw InputError(
      Problem{name + ": $.kind", kind == nullptr ? "nothing" : json::excerpt(*kind),
              "a kind that is simulated: " + fmt::format("{}", fmt::join(evaluated_kinds(), ", ")),
              did_you_mean(text, evaluated_kinds())});
}

}  // namespace gpuplan::sim

// What a training study shows: each variant's step, who wins, by how much and why, and where the lead changes
// over what is varied. Variants are ranked by tokens per second of the whole job, so that those with other
// batches or sequences compare too. What does not fit in memory is a row that says by how much.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "sim/plan/crossover.h"
#include "sim/plan/training_plan.h"
#include "sim/scenario/training_study.h"

namespace gpuplan::sim {

// A part of a step that the compute stream of the slowest stage spends, s.
struct StepShare {
  std::string what;
  double seconds = 0.0;
};

struct CaseOutcome {
  std::string name;
  std::string split;    // what a search chose; empty without one
  std::string why_not;  // it is refused, or which tensors do not fit; empty: it runs
  Bytes memory, usable, short_by;
  Result result;                  // metrics of the contract; without a step, its memory alone
  std::vector<StepShare> shares;  // their sum is the step
  double step = 0.0, tokens = 0.0, spread80 = 0.0, flops_again = 0.0;
  int gpus = 0;
  [[nodiscard]] bool runs() const { return why_not.empty(); }
  [[nodiscard]] double tokens_per_s() const { return runs() ? tokens / step : 0.0; }
};

// A variant that loses: by how much, and the largest differences in where its time goes.
struct Loser {
  std::size_t index = 0;
  double ratio = 1.0;             // its time per token over the winner's
  std::vector<StepShare> why;     // its share less the winner's, for the winner's tokens; largest first
  bool intervals_overlap = true;  // 80 % intervals of the two times
};

struct SweepOutcome {
  std::string path;
  std::vector<json::Value> values;
  std::vector<std::vector<CaseOutcome>> cases;
  Leads leads;
};

struct TrainingComparison {
  std::vector<CaseOutcome> variants;
  std::optional<std::size_t> winner, cheapest;  // cheapest: USD per token, where prices are known
  std::vector<Loser> losers;                    // in the order of the variants
  std::vector<SweepOutcome> sweeps;
  // Closer than this, the models cannot tell.
  static constexpr double kTooClose = TrainingPlan::kTooClose;
};

struct ComparisonOptions {
  TrainingOptions training;
  bool formula = false;                  // instead of the engine
  std::function<void(double)> progress;  // fraction done
};

TrainingComparison compare_training(const TrainingStudy& study, const Library& library,
                                    const ComparisonOptions& options = {});

// What the comparison says, a sentence each: the winner with its margin, then the crossovers.
std::vector<std::string> findings_of(const TrainingComparison& comparison);
// "50 GB/s" of machine.nic_bandwidth, "llama-2-13b", "64".
std::string value_text(const std::string& path, const json::Value& value);

// The object of the contract: metrics are the first variant's; `variants`, `verdict`, `vary` and `findings`
// besides.
json::Value comparison_json(const TrainingStudy& study, const TrainingComparison& comparison);

}  // namespace gpuplan::sim

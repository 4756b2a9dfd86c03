// The best splits of a training job: the formula searches all of them, the engine decides between the best.
#pragma once

#include "sim/plan/training_search.h"
#include "sim/report/training_report.h"

namespace gpuplan::sim {

// A candidate with what the engine says of it.
struct PlannedSplit {
  PlanCandidate candidate;
  TrainingJob job;
  Seconds step;
  double mfu = 0.0;
  double tokens_per_s_per_gpu = 0.0;
  double samples_per_s_per_gpu = 0.0;
  std::optional<double> usd_per_million_tokens;  // none: no price is known
  double spread80 = 0.0;  // 80 % of measurements lie within step / (1 + s) .. step (1 + s)
};

struct StrategyPlan {
  Strategy strategy = Strategy::data;
  std::int64_t legal = 0, fit = 0;
  std::optional<PlannedSplit> best;
  std::string why;  // it loses, or does not fit; empty for the winner
};

struct TrainingPlan {
  SearchResult search;
  std::vector<PlannedSplit> top;  // fastest first, by the engine
  std::size_t chosen = 0;         // of `top`: the simplest of those as good as the fastest
  std::vector<StrategyPlan> strategies;
  std::vector<PlannedSplit> by_nodes;    // the fastest on each number of nodes, where several are tried
  std::optional<PlannedSplit> cheapest;  // by the formula, of those that fit
  std::optional<PlannedSplit> own;       // the scenario's, where it is legal and fits the GPU
  Bytes usable, margin;
  // Step of the best split with tensor parallelism over that of the best FSDP-only one; 0 where one does not
  // fit. Within 3 % the models cannot tell.
  double tensor_over_fsdp = 0.0;
  static constexpr double kTooClose = 0.03;
};

TrainingPlan plan_training(const TrainingScenario& scenario, const Library& library,
                           const SearchOptions& options = {});
// The same with models at hand.
TrainingPlan plan_training(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
                           const collectives::CollectiveModel& collectives,
                           const SearchOptions& options = {});

// The scenario with a split in place, to run as it is.
TrainingScenario with_split(const TrainingScenario& scenario, const PlannedSplit& split);
json::Value plan_json(const TrainingScenario& scenario, const TrainingPlan& plan);
// "tensor 2 x pipeline 4 (2 chunks) x data 8, micro-batch 1, fsdp, recompute full"
std::string text_of(const PlanPoint& point);

}  // namespace gpuplan::sim

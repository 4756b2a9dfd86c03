// The search for the best split of a training job: every point of the space by the formula, in parallel
// processes, and what a reader wants of them: the best, the Pareto front, the best of each strategy, and why
// the others lose.
#pragma once

#include <array>
#include <csignal>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/collectives/collective_model.h"
#include "sim/plan/training_space.h"
#include "sim/training/step_cost_cache.h"

namespace gpuplan::sim {

// A point and what the formula says of it.
struct PlanCandidate {
  PlanPoint point;
  double step = 0.0;    // s
  double memory = 0.0;  // bytes of the fullest stage, margin not counted
  double cost = 0.0;    // USD per million tokens; GPU seconds, where no price is known
  // Where the step goes, s: computing in the passes, collectives that nothing hides, pipeline bubble, the
  // rest.
  double compute = 0.0, exposed = 0.0, bubble = 0.0, rest = 0.0;
  double again = 0.0;  // computed twice, a share of the model's FLOPs
};

// How a job is split, in a reader's words.
enum class Strategy {
  data,
  sharded,
  tensor,
  tensor_sharded,
  pipeline,
  tensor_pipeline,
  pipeline_sharded,
  all
};
inline constexpr std::size_t kStrategies = 8;
std::span<const std::string_view> enum_names(Strategy tag);
Strategy strategy_of(const PlanPoint& point);

struct StrategyResult {
  std::int64_t legal = 0, fit = 0;
  std::optional<PlanCandidate> best;      // that fits
  std::optional<PlanCandidate> smallest;  // of those that do not fit
};

struct SearchResult {
  std::int64_t candidates = 0, legal = 0, fit = 0;
  std::size_t splits = 0, splits_done = 0;
  std::vector<PlanCandidate> best;   // fastest first, of those that fit
  std::vector<PlanCandidate> front;  // no other is faster, smaller and cheaper at once; fastest first
  // The cheapest that fits, on the front; the fastest of equals.
  [[nodiscard]] const PlanCandidate* cheapest() const;
  std::map<int, PlanCandidate> by_nodes;  // the fastest that fits on so many nodes
  std::array<StrategyResult, kStrategies> strategies;
  std::map<std::string, std::int64_t> illegal;  // first rule broken, by scenario field
  [[nodiscard]] bool complete() const { return splits_done == splits; }
};

struct SearchOptions {
  int jobs = 1;
  const volatile std::sig_atomic_t* stop = nullptr;  // set: what is done so far is returned
  std::function<void(double, double)> progress;      // fraction done, seconds left (< 0: unknown)
};

SearchResult search_training(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
                             const collectives::CollectiveModel& collectives,
                             const SearchOptions& options = {}, const StepConstants& constants = {});

// One point by the formula: nothing where it is illegal.
class PlanEvaluator {
 public:
  PlanEvaluator(const TrainingSpace& space, const kernels::KernelModel& kernels,
                const collectives::CollectiveModel& collectives, const StepConstants& constants, int nodes);
  // The field of the first rule broken, or "".
  std::string_view check(const PlanPoint& point);
  // Of the point checked last.
  PlanCandidate price(const PlanPoint& point);
  [[nodiscard]] double memory() const;
  [[nodiscard]] const TrainingJob& job() const { return job_; }

 private:
  const TrainingSpace& space_;
  TrainingEstimator estimator_;
  StepCostCache cache_;
  TrainingJob job_;
  std::vector<Problem> problems_;
  std::string broken_;
};

// Whether `a` comes before `b`: faster; then simpler; then by its fields.
bool before(const PlanCandidate& a, const PlanCandidate& b);
// The simplest of those within `tie` of the fastest. `best` is not empty.
const PlanCandidate& recommended(const std::vector<PlanCandidate>& best, double tie);

}  // namespace gpuplan::sim

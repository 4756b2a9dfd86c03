// The splits of a training job that a search tries: what is varied, and one point of it.
#pragma once

#include <compare>
#include <functional>
#include <vector>

#include "sim/scenario/plan_spec.h"
#include "sim/scenario/training_scenario.h"

namespace gpuplan::sim {

// One candidate: every field of a job that the search may set.
struct PlanPoint {
  int nodes = 1;
  int tensor = 1, context = 1, pipeline = 1, expert = 1, data = 1;
  int virtual_stages = 1, micro_batch = 1, shard_group = 0, recompute_layers = 0;
  PipelineSchedule schedule = PipelineSchedule::one_forward_one_backward;
  Sharding sharding = Sharding::ddp;
  Recompute recompute = Recompute::none;
  Offload offload = Offload::none;
  bool sequence_parallel = false, reshard = true;
  int order = 0;  // of the groups, an index of placement_orders(); kOwnOrder: as the scenario has it
  bool overlap_gradients = true, overlap_parameters = true, overlap_tensor = false, overlap_pipeline = true;
  auto operator<=>(const PlanPoint&) const = default;
};

inline constexpr int kOwnOrder = -1;
// Orders of the groups from neighbouring GPUs outwards; the first is the usual one. Data and context stay
// side by side, for the ranks that hold the same weights are one group.
const std::vector<std::vector<Group>>& placement_orders();

// Knobs that differ from the plain data-parallel job: how much a reader has to understand. Ties go to fewer.
int complexity(const PlanPoint& point);

// What stands for all points with the same tensor, context, pipeline and expert parallelism on so many nodes.
struct PlanSplit {
  int nodes = 1, tensor = 1, context = 1, pipeline = 1, expert = 1, data = 1;
};

class TrainingSpace {
 public:
  explicit TrainingSpace(const TrainingScenario& scenario);
  [[nodiscard]] const std::vector<PlanSplit>& splits() const { return splits_; }
  // Every candidate of a split, legal or not; `visit` sees each once, in a fixed order, until it says false.
  void each(const PlanSplit& split, const std::function<bool(const PlanPoint&)>& visit) const;
  // How many that are.
  [[nodiscard]] std::int64_t size_of(const PlanSplit& split) const;
  // The point that the scenario itself describes.
  [[nodiscard]] PlanPoint own() const;
  // The scenario's job with a point in place; `out` is a job of this space, whose other fields stay.
  void apply(const PlanPoint& point, TrainingJob& out) const;
  [[nodiscard]] const TrainingScenario& scenario() const { return scenario_; }

 private:
  const TrainingScenario& scenario_;
  std::vector<PlanSplit> splits_;
};

}  // namespace gpuplan::sim

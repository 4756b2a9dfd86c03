// A training step's estimate as the metrics of the contract, and whether it fits.
#pragma once

#include "sim/report/result.h"
#include "sim/scenario/training_scenario.h"
#include "sim/training/host_fit.h"
#include "sim/training/step_play.h"
#include "sim/training/training_run.h"
#include "workloads/memory/training_memory.h"
#include "workloads/numerics/gradient_accumulation.h"

namespace gpuplan::sim {

struct TrainingOutcome {
  TrainingStep step;
  StepEstimate estimate;  // as simulated, where it was
  TrainingMemory memory;
  std::optional<StepProgram> program;
  std::optional<PlayedStep> played;
  Seconds analytic;            // the formula's step
  std::size_t operations = 0;  // of all ranks simulated
  int ranks = 0;
  InputCost input;                                          // all zero where the scenario says nothing of it
  std::optional<TrainingRun> run;                           // what surrounds the step
  std::optional<Seconds> unharmed;                          // the step without the scenario's faults
  std::optional<numerics::AccumulationError> accumulation;  // of gradients summed in 16 bits
};
// By the formula alone, for searches.
TrainingOutcome estimate_training(const TrainingScenario& scenario, const Library& library);
// The same with models at hand.
TrainingOutcome estimate_training(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
                                  const collectives::CollectiveModel& collectives,
                                  const StepConstants& constants = {});

struct TrainingOptions {
  bool all_ranks = false;  // every rank, with slow nodes drawn at random; else one of each pipeline stage
  bool record = false;     // when each operation ran (one rank of each stage only)
};
// On the engine. Where its schedule cannot be laid out, by the formula, with no `played`.
TrainingOutcome simulate_training(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
                                  const collectives::CollectiveModel& collectives,
                                  const TrainingOptions& options = {}, const StepConstants& constants = {});
TrainingOutcome simulate_training(const TrainingScenario& scenario, const Library& library,
                                  const TrainingOptions& options = {});

Result report_training(const TrainingScenario& scenario, const TrainingOutcome& outcome,
                       const Library& library);

// What a step's time is made of (s), each part once: kernels by TrainingPart, "exposed", "bubble", ...
std::vector<std::pair<std::string_view, double>> step_parts(const StepEstimate& estimate);

// Share of the step that kernels run, as power is counted.
double busy_share(const StepEstimate& estimate);

// The peak FLOP/s that MFU is a share of: of the compute format, dense.
FlopsPerSecond training_peak(const TrainingScenario& scenario);

// The memory of a stage as metrics of the contract, for results that have no step.
void add_memory_metrics(const StageMemory& memory, Result& out);
// The class of tensors that takes most of it: "optimizer".
std::string largest_class(const StageMemory& memory);

struct TrainingMisfit {
  TrainingMemory memory;
  Bytes short_by;
  std::string culprit;        // the largest class of tensors: "optimizer"
  std::string place = "GPU";  // what is too small, or "host memory", "NVMe drives" of a node
  HostUse host;
  std::vector<std::string> remedies;  // --set arguments of one change each that fits, cheapest in time first
};
// Nothing where it fits.
std::optional<TrainingMisfit> check_training_fit(const TrainingScenario& scenario, const Library& library);
json::Value misfit_json(const TrainingScenario& scenario, const TrainingMisfit& misfit);

}  // namespace gpuplan::sim

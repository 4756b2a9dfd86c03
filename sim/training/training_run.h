// A whole training run around one step: what a checkpoint costs, how often it is written, what failures leave
// of the time, by formula and by simulated trials.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/training_run_spec.h"
#include "sim/training/estimate.h"
#include "sim/training/failure_play.h"

namespace gpuplan::sim {

struct CheckpointCost {
  Bytes bytes;                 // of the job
  Seconds copy;                // of a rank's share to host memory, over PCIe
  Seconds write;               // to storage, all nodes at once
  Seconds read;                // of it, at a restart
  Seconds stop;                // what the job stands still for
  bool writer_limits = false;  // the interval is as long as writing takes: it cannot be shorter
  std::string rule;            // how the interval was found
};

// 10th and 90th percentile of simulated runs, and their mean.
struct Spread {
  double low = 0.0, mean = 0.0, high = 0.0;
};

struct TrainingRun {
  std::optional<CheckpointCost> checkpoint;
  std::int64_t interval_steps = 0;  // 0: no checkpoints
  FailureModel model;
  bool fails = false;
  Seconds detect, reschedule, load, warm_up;  // parts of a restart
  double goodput = 1.0;
  double failures_per_day = 0.0;
  bool has_length = false;  // of the run; else the trials compute for 30 days
  double steps = 0.0, tokens = 0.0;
  Seconds useful, wall;
  double failures = 0.0;
  int trials = 0;
  Spread goodput_spread, wall_spread, failures_spread;
  std::uint64_t events = 0;  // of all trials
};

// GPU-hours between unexpected interruptions of Llama 3 405B's pre-training: 54 days x 24 x 16,384 GPUs / 419
// (The Llama 3 Herd of Models, 2024, section 3.3.4, table 5).
inline constexpr double kLlama3GpuHours = 54.0 * 24.0 * 16384.0 / 419.0;

// Bytes of weights and optimiser state, each once, as the memory model counts them; LoRA: the additions.
Bytes checkpoint_bytes(const TrainingJob& job);

struct TrainingRunSpecs {
  std::optional<CheckpointSpec> checkpoint;
  std::optional<ReliabilitySpec> reliability;
  std::optional<RunSpec> run;
};
// Nothing where no spec is given.
std::optional<TrainingRun> plan_training_run(const TrainingRunSpecs& specs,
                                             const TrainingEstimator& estimator, const TrainingJob& job,
                                             Seconds step, std::uint64_t seed);

}  // namespace gpuplan::sim

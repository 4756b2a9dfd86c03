// How long a schedule takes, and what it holds, when every pass takes the same time wherever it runs.
#pragma once

#include <vector>

#include "workloads/pipeline/schedule.h"

namespace gpuplan::pipeline {

// Times in any unit.
struct PassTimes {
  double forward = 1.0;  // of one model chunk
  double backward_input = 1.0;
  double backward_weight = 1.0;  // a whole backward pass is the sum
  double transfer = 0.0;         // of activations or gradients between neighbours; hides behind nothing
};

struct PlayedPass {
  PipelineOp op;
  double begin = 0.0, end = 0.0;
};

struct PlayedSchedule {
  double time = 0.0;
  double bubble = 0.0;                          // idle share of stages x time
  std::vector<int> in_flight;                   // of each stage: most chunk activations held at once
  std::vector<std::vector<PlayedPass>> stages;  // when each stage ran what
};

// Throws std::logic_error where the order deadlocks.
PlayedSchedule play(const PipelineSchedule& schedule, const PassTimes& times);

}  // namespace gpuplan::pipeline

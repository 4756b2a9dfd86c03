// Timeline of a simulated training step as Chrome trace JSON (opens in Perfetto and chrome://tracing): a
// process for each pipeline stage with a lane for each stream, sends as arrows to whom they let start, and
// the operations that set the step's time marked. Times in microseconds.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/value.h"
#include "sim/training/step_play.h"

namespace gpuplan::sim {

json::Value training_trace(const StepProgram& program, const PlayedStep& played);

// The critical path by kind of work, longest first.
struct CriticalShare {
  std::string name;
  double seconds = 0.0;
  std::size_t operations = 0;
};
std::vector<CriticalShare> critical_shares(const StepProgram& program, const PlayedStep& played);

}  // namespace gpuplan::sim

// Observers watch a serving run from outside: timeline, progress. The simulation calls, never asks.
#pragma once

#include <cstdint>

#include "hwmodels/units/units.h"
#include "sim/serving/state.h"

namespace gpuplan::sim {

// One step, or a run of equal decode steps played as one.
struct StepRecord {
  std::size_t replica = 0;
  Seconds start, end;
  std::int64_t steps = 1;
  std::int64_t decodes = 0;         // sequences that decode
  std::int64_t prefill_tokens = 0;  // prompt tokens in the step
  std::int64_t prefills = 0;
  std::int64_t running = 0, waiting = 0;
  std::int64_t kv_blocks_used = 0;
  bool copy = false;  // a swap copy, not a step
};

struct RequestRecord {
  std::int64_t order = 0;
  std::size_t replica = 0;
  std::int32_t prompt = 0, output = 0, preemptions = 0;
  Seconds arrival, admitted, first_token, finish;
};

class ServingObserver {
 public:
  virtual ~ServingObserver() = default;
  virtual void on_step(const StepRecord& /*step*/) {}
  virtual void on_finish(const RequestRecord& /*request*/) {}
};

}  // namespace gpuplan::sim

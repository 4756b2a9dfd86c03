// A training run with failures, on the engine: failures drawn from the seed, restarts, spare nodes and
// repairs as timers. Between two failures intervals and checkpoints follow from the time passed.
//
// The same model as goodput.h, played instead of summed; tests hold them together. Time to repair is
// exponential. Failures happen while the job computes, saves or starts again, not while it waits for a node.
#pragma once

#include <cstdint>

#include "sim/training/goodput.h"

namespace gpuplan::sim {

struct PlayedRun {
  Seconds wall;      // until `work` is done
  Seconds computed;  // work, what was done again included
  Seconds saving, restarting, waiting;
  std::int64_t failures = 0, checkpoints = 0;
  std::uint64_t events = 0;
};
// Streams of one seed are independent trials. Gives up at `longest`: wall = longest then.
PlayedRun play_run(const FailureModel& model, Seconds work, std::uint64_t seed, std::uint64_t trial,
                   Seconds longest);

}  // namespace gpuplan::sim

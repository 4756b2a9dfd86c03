// Who does the runs of a sweep: processes on this machine, or on many.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sim/sweep/definition.h"

namespace gpuplan::sweep {

// A run that was handed out has ended.
struct Reply {
  std::size_t run = 0;
  std::string line;   // the answer, one line of JSON; empty where its process died
  std::string death;  // "killed by signal 9 (Killed)"; empty where it answered
};

class Workforce {
 public:
  virtual ~Workforce() = default;
  // The program that answers; all workers are of it. InputError where none can be started.
  virtual const Build& build() = 0;
  // Runs that can be handed out now.
  [[nodiscard]] virtual std::size_t idle() const = 0;
  // Hands `line` (a Request) for `run` to an idle worker.
  virtual void hand(std::size_t run, const std::string& line) = 0;
  // Waits until a run ends, at most so long. InputError where a worker is of another build than the first.
  virtual std::vector<Reply> wait(std::chrono::microseconds longest) = 0;
};

}  // namespace gpuplan::sweep

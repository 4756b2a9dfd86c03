// Hands out the runs of a sweep one at a time to whoever is idle, until all have an answer. A run whose
// worker dies is done again; one that two workers have died of is given up, with that reason.
#pragma once

#include <csignal>
#include <functional>
#include <vector>

#include "sim/sweep/answer.h"
#include "sim/sweep/workforce.h"

namespace gpuplan::sweep {

struct Dispatch {
  std::vector<std::size_t> runs;
  bool check_only = false;                           // resolve their scenarios, do not run them
  std::function<Request(std::size_t run)> request;   // of a run: its settings
  std::function<void(Answer answer)> on_answer;      // in the order in which they come
  const volatile std::sig_atomic_t* stop = nullptr;  // set: return at once, leaving what is going on
};

// True when all runs were answered, false when stopped.
bool work_off(const Dispatch& dispatch, Workforce& workforce);

}  // namespace gpuplan::sweep

// Many scenarios at once, over the cores of the machine: what comparisons, sensitivities and silicon studies
// run. Answers come in the order asked, and do not depend on the number of processes.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "hwmodels/json/problem.h"
#include "sim/run/evaluate.h"

namespace gpuplan::sim {

struct Asked {
  json::Value document;
  std::string name, base_dir;  // of its file
};

struct Answer {
  enum class Kind { ran, does_not_fit, refused };
  Kind kind = Kind::ran;
  std::string why;                // it does not fit, or the first thing that is wrong
  std::vector<Problem> problems;  // all that is wrong
  Result result;                  // without provenance
  [[nodiscard]] bool ran() const { return kind == Kind::ran; }
};

struct EvaluateAllOptions {
  EvaluateOptions each;
  int jobs = 1;
  std::function<void(double)> progress;  // fraction done
  const volatile std::sig_atomic_t* stop = nullptr;
};

std::vector<Answer> evaluate_all(const std::vector<Asked>& asked, const Library& library,
                                 const EvaluateAllOptions& options);

}  // namespace gpuplan::sim

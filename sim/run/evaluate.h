// One call that answers a scenario of any kind: what sweeps, comparisons and sensitivities run at each point.
// The same document gives the same result to the last bit, whatever ran before in the process.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/value.h"
#include "sim/report/result.h"
#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

struct Evaluation {
  bool fits = true;     // it could run: memory holds it
  std::string why_not;  // what does not fit and by how much; empty where it fits
  Result result;        // without a run: empty
};

struct EvaluateOptions {
  bool formula = false;       // training: the analytic step instead of the engine
  bool resolve_only = false;  // only whether the document is valid; the evaluation is empty
};

// Kinds that `evaluate` answers.
const std::vector<std::string>& evaluated_kinds();

// Resolves and runs `document`. `name` and `base_dir` are those of its file. A scenario with variants gives
// the metrics of the first. Throws InputError with all problems of the document.
Evaluation evaluate(const json::Value& document, const std::string& name, const std::string& base_dir,
                    const Library& library, const EvaluateOptions& options = {});

}  // namespace gpuplan::sim

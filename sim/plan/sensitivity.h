// What a metric of a scenario hangs on: the elasticity of every parameter, what would be left if a resource
// were free (Amdahl's bound, by running with a thousandfold of it), and the single changes that gain most.
//
//   elasticity = d ln metric / d ln parameter, by central differences of +-10 % (counts: whole numbers near,
//   or half and double) at the same seed, so that the noise of the random streams cancels for the most part
//
// Each answer is a run of the simulator, never an extrapolation of another one.
#pragma once

#include <functional>

#include "sim/plan/parameters.h"
#include "sim/plan/single_changes.h"
#include "sim/run/evaluate_all.h"

namespace gpuplan::sim {

struct Elasticity {
  std::string name, group;
  double value = 0.0;                  // of the parameter; matrix_peak_tflops: 1, all formats at once
  double low = 0.0, high = 0.0;        // what was tried; the value itself on a side that is not valid
  double at_low = 0.0, at_high = 0.0;  // the metric there
  double elasticity = 0.0;
};

// A resource with a thousand times its speed, or none of its cost.
struct FreeResource {
  std::string name;
  double metric = 0.0;  // then
  double gain = 1.0;    // at best: how many times better the metric gets; 1 where it gets worse
};

struct ChangeOutcome {
  SingleChange move;
  double metric = 0.0;
  double gain = 1.0;  // > 1: better
  std::optional<std::array<double, 2>> gain80;
  std::optional<double> cost_ratio;  // of USD per million tokens, after over before
};

struct Sensitivity {
  std::string metric;
  Metric base;
  Result result;                         // of the scenario as it is
  double noise = 0.0;                    // standard deviation of ln(metric) over other seeds
  std::vector<Elasticity> elasticities;  // strongest first
  std::vector<std::string> fixed;        // parameters that no change alone leaves valid
  std::vector<FreeResource> limits;      // largest gain first
  std::vector<ChangeOutcome> moves;      // best first; those that gain
  std::size_t moves_tried = 0, moves_refused = 0, runs = 0;
};

// `metric` must be one of the result's numbers (empty: the first headline): InputError with the nearest where
// it is not. A scenario that does not fit in memory is an InputError too.
Sensitivity sensitivity_of(const Asked& scenario, const std::string& metric, const Library& library,
                           const EvaluateAllOptions& options);

json::Value sensitivity_json(const Sensitivity& sensitivity);

}  // namespace gpuplan::sim

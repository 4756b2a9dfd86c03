// A serving run: traffic through a router into replicas, on the engine, until every request is answered.
#pragma once

#include <functional>

#include "sim/scenario/serving_scenario.h"
#include "sim/serving/observer.h"
#include "sim/serving/outcome.h"

namespace gpuplan::sim {

// The model does not fit the GPUs: an answer, not a failure. Everything per GPU.
struct DoesNotFit {
  ServingMemory memory;
  Bytes short_by;                     // to hold one sequence of the shortest useful length
  std::vector<std::string> remedies;  // cheapest first
};

// Whether the scenario's KV budget holds at least one block per sequence of one token; remedies from the
// catalogue where not.
std::optional<DoesNotFit> check_fit(const ServingScenario& scenario, const Library& library);

// Cost model of one replica's steps.
StepCost make_step_cost(const ServingScenario& scenario, const std::string& data_dir);

using Progress = std::function<void(double done_fraction)>;

// Runs the scenario to its end. check_fit() must have passed. InputError where the trace is broken.
ServingOutcome simulate_serving(const ServingScenario& scenario, const std::string& data_dir,
                                ServingObserver* observer = nullptr, const Progress& progress = {});

}  // namespace gpuplan::sim

// Money in a result: the metrics of the chosen acquisition, with intervals that combine the error of the
// simulated performance and the range of prices.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/cost/cost_model.h"
#include "sim/report/result.h"

namespace gpuplan::sim {

struct CostedRun {
  const CostSpec& spec;
  const CostMachine& machine;
  int gpus = 1;
  double busy_watts = 0.0;                               // per GPU with its share of the node
  std::vector<std::pair<std::string, double>> per_hour;  // metric, and what is done in an hour of the machine
  Uncertain performance;                                 // relative
  std::uint64_t seed = 1;
};

// Adds cost.usd_per_hour, the cost of each of `per_hour` that is done at all, and cost.capex: the outlay for
// buying the machine. Nothing where no price is known.
void add_cost_metrics(const CostedRun& run, const Catalogue& catalogue, Result& result);

// The interval of cost.usd_to_train, where there is one: errors of the time to train and of the hour's cost
// are independent.
void add_run_interval(Result& result);

// A performance that is right but for a factor of exp(+-half width) at 80 %.
Uncertain relative(double half_width);

}  // namespace gpuplan::sim

// A cost as a derivation: the formula of the model with its numbers in it, one step a line.
#pragma once

#include <string>
#include <vector>

#include "sim/cost/cost_model.h"

namespace gpuplan::sim {

// USD per GPU and working hour at the medians, while a GPU draws `busy_watts`. Ends with where prices are
// from.
std::vector<std::string> explain_way(const CostWay& way, double busy_watts);

// What buying a GPU with its share of server, network and storage takes.
std::vector<std::string> explain_outlay(const CostWay& owned);

}  // namespace gpuplan::sim

// Where the inputs of a cost come from: the scenario, the price table or tco.json, each with its range.
#pragma once

#include "hwmodels/json/problem.h"
#include "sim/cost/cost_model.h"

namespace gpuplan::sim {

// What a scenario's `cost` says that cannot be: dates, sellers that nobody knows, two answers to one
// question, ranges that do not hold their value.
void check_cost(const CostSpec& spec, const Catalogue& catalogue, const std::string& path,
                std::vector<Problem>& problems);

}  // namespace gpuplan::sim

// A silicon study as metrics of the contract, JSON and sentences.
//
// silicon.base.* is the die as it is; silicon.change.<name>.* each change; the plain names of the contract
// (silicon.die_area, .die_cost, .yield, .delta.*) are those of the best change within the budget, or of the
// first in the ranking where none is cheaper than the base. Deltas are fractions of the base.
#pragma once

#include "sim/report/result.h"
#include "sim/silicon/study.h"

namespace gpuplan::sim {

Result report_silicon(const SiliconScenario& scenario, const SiliconStudy& study);

// What the study says, a sentence each: the best change with its range, what produces it, what dominates,
// what would make another the best.
std::vector<std::string> findings_of(const SiliconScenario& scenario, const SiliconStudy& study);

// The object of `gpuplan run --json`: the result with `base`, `changes`, `ranking`, `flips` and `findings`.
json::Value silicon_json(const SiliconScenario& scenario, const SiliconStudy& study);

}  // namespace gpuplan::sim

// What to do about a diagnosis, and what each change would leave of the step time, by arithmetic on the
// shares of its phases: what is hidden behind kernels costs only what is longer than they are.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "sim/diagnose/counters.h"

namespace gpuplan::sim {

struct Move;

// `shares` as in explanations(): matrix kernels, memory-bound kernels, and what is wrong.
std::vector<Move> moves_for(std::string_view id, const std::array<double, 3>& shares,
                            const Capacities& capacities);

}  // namespace gpuplan::sim

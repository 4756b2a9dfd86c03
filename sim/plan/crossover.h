// Who leads at each value of a knob, and where the lead changes.
//
//   between two listed values the logarithm of the ratio of two costs is taken as linear in the logarithm of
//   the value (in the value itself where one is not positive), so the crossover is where that is 0. Exact for
//   costs that are powers of the value; for others no better than the values are close.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace gpuplan::sim {

inline constexpr double kCannotRun = std::numeric_limits<double>::infinity();

struct Crossing {
  std::size_t before = 0, after = 0;  // who leads
  std::size_t index = 0;              // between values[index] and values[index + 1]
  std::optional<double> at;  // none: the values are no numbers, or one of the two cannot run at both ends
};

struct Leads {
  std::vector<std::optional<std::size_t>> leaders;  // at each value; none: nobody can run
  std::vector<Crossing> crossings;
};

// Costs by value, then alternative. Of equal costs the first leads. One that is nowhere `clear` ahead of the
// leader before it takes no lead in `crossings`: the models cannot tell.
Leads leads_of(const std::vector<std::optional<double>>& values,
               const std::vector<std::vector<double>>& costs, double clear = 0.03);

}  // namespace gpuplan::sim

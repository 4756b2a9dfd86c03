// Which explanations fit what the counters of a GPU show, how well, what would tell them apart, and what to
// do about the likeliest.
//
// Every explanation mixes its phases in shares that add up to 1 (phases.h). For each mixture the counters
// are normal around the mixture's means; an explanation's weight is its likelihood averaged over all
// mixtures (so that more phases are no advantage in themselves), all explanations equally likely before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/diagnose/phases.h"

namespace gpuplan::sim {

struct PhaseShare {
  std::string_view phase;
  double share = 0.0;  // of the time, in the mixture that fits best
};

// What an explanation expects of a counter that was seen, in the mixture that fits best.
struct Evidence {
  Counter counter = Counter::gpu_active;
  double seen = 0.0, expected = 0.0;
  double deviations = 0.0;  // (seen - expected) over the standard deviation
};

// A change and the step time after it, as a share of the present one.
struct Move {
  std::string what;
  double time = 1.0;
};

struct Diagnosis {
  std::string_view id, verdict;
  double probability = 0.0;        // among the explanations known
  std::vector<PhaseShare> phases;  // those of 1 % or more
  std::vector<Evidence> evidence;  // the most deviating first
  std::vector<Move> moves;         // the greatest gain first
};

// What to measure next, to tell the likeliest from `instead`.
struct NextMeasurement {
  Counter counter = Counter::gpu_active;
  std::string_view instead;                     // the id of an explanation
  double if_likeliest = 0.0, if_instead = 0.0;  // what it would show
};

struct Diagnoses {
  std::vector<Diagnosis> ranked;        // the likeliest first
  std::optional<NextMeasurement> next;  // nothing where every counter is known or none would tell
};

// Throws std::logic_error where no counter is known.
Diagnoses diagnose(const Observation& observation, const Capacities& capacities);

}  // namespace gpuplan::sim

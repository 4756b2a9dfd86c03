// When requests arrive: open-loop processes. Closed loops and replays have no process of their own.
#pragma once

#include <cstdint>
#include <memory>

#include "hwmodels/units/units.h"
#include "workloads/traffic/traffic_spec.h"

namespace gpuplan {

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  // The time of the next arrival, never before the last one; false when there are no more.
  virtual bool next(Seconds& time) = 0;
};

// Poisson, gamma and staged start with a gap, constant at 0 (then 1/rate, 2/rate, ...); burst and closed_loop
// always give 0.
std::unique_ptr<Arrivals> make_arrivals(const ArrivalSpec& spec, std::uint64_t seed);

}  // namespace gpuplan

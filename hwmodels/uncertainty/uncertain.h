// A number that is not known exactly, and what follows from several of them.
//
// An input is its median and the bounds that 80 % of cases lie between, drawn from their split distribution
// (spread.h) and cut at the limits that its meaning sets. So the tenth, fiftieth and ninetieth percentile of
// what is drawn are those given. Inputs are drawn independently of each other: where they move
// together (a dear year for GPUs is one for servers) the true spread is wider.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/uncertainty/spread.h"

namespace gpuplan {

struct Uncertain {
  double low = 0.0, mid = 0.0, high = 0.0;  // P10, P50, P90
  Source source;
  double least = 0.0, most = std::numeric_limits<double>::infinity();  // what it can be at all

  [[nodiscard]] bool exact() const { return low == mid && high == mid; }
  // At `deviation` standard deviations from the median; 0: the median, -1.2816: `low`.
  [[nodiscard]] double at(double deviation) const;
};

// A number that is taken as known.
Uncertain exactly(double value, Source source);
// A fact of the catalogue with its range; exact where it has none.
Uncertain uncertain(const Fact& fact);

// What a result would be with one input at its P10 and at its P90 and the others at their medians.
struct Swing {
  std::size_t input = 0;  // which
  double at_low = 0.0, at_high = 0.0;
  [[nodiscard]] double width() const { return at_high > at_low ? at_high - at_low : at_low - at_high; }
};

// A result from the values of its inputs.
using Formula = std::function<double(std::span<const double>)>;

// The medians of inputs.
std::vector<double> medians(std::span<const Uncertain> inputs);
// Swings of the inputs that move the result, widest first.
std::vector<Swing> tornado(std::span<const Uncertain> inputs, const Formula& result);

// Calls `visit` with `samples` draws of the inputs; the same seed gives the same draws.
void draw(std::span<const Uncertain> inputs, std::uint64_t seed, int samples,
          const std::function<void(std::span<const double>)>& visit);

}  // namespace gpuplan

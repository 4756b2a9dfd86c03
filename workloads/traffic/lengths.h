// How many tokens a prompt or an output has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/traffic/random.h"
#include "workloads/traffic/traffic_spec.h"

namespace gpuplan {

class Lengths {
 public:
  virtual ~Lengths() = default;
  virtual std::int32_t next(Random& random) = 0;
  // Expected value of next(), clipping included (rounding to whole tokens left out for lognormal).
  [[nodiscard]] virtual double mean() const = 0;
};

std::unique_ptr<Lengths> make_lengths(const LengthSpec& spec);

// "lognormal, mean 1000, p50 600, at most 4096", and when clipping moves the mean by more than 0.5 % what it
// becomes.
std::string describe_lengths(const LengthSpec& spec);

// Draws index i with probability weight i / sum.
class WeightedChoice {
 public:
  explicit WeightedChoice(const std::vector<double>& weights);
  std::size_t operator()(Random& random) const;
  [[nodiscard]] double probability(std::size_t i) const {
    return (sums_[i] - (i == 0 ? 0 : sums_[i - 1])) / sums_.back();
  }

 private:
  std::vector<double> sums_;  // of the weights up to each
};

}  // namespace gpuplan

// Random numbers that are the same on every machine: splitmix64 (Steele, Lea and Flood 2014), and what
// yields and the sampling of inputs need made of it.
#pragma once

#include <cmath>
#include <cstdint>

namespace gpuplan {

class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}

  // In (0, 1): never 0, so that its logarithm is finite.
  double uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30u)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27u)) * 0x94d049bb133111ebu;
    z ^= z >> 31u;
    return (static_cast<double>(z >> 11u) + 0.5) * 0x1.0p-53;
  }

  // Standard normal (Box and Muller).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  // Gamma with shape > 0 and mean 1 (Marsaglia and Tsang 2000; below shape 1 by the power of a uniform).
  double gamma(double shape) {
    const double boosted = shape < 1.0 ? shape + 1.0 : shape;
    const double d = boosted - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
      const double x = normal(), v = std::pow(1.0 + c * x, 3.0);
      if (v > 0.0 && std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
        const double boost = shape < 1.0 ? std::pow(uniform(), 1.0 / shape) : 1.0;
        return d * v * boost / shape;
      }
    }
  }

  // Poisson, by counting arrivals; for means of a few.
  int poisson(double mean) {
    int count = 0;
    for (double time = -std::log(uniform()); time < mean; time -= std::log(uniform())) {
      ++count;
    }
    return count;
  }

 private:
  std::uint64_t state_;
};

}  // namespace gpuplan

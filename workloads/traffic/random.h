// Random numbers that are the same on every machine and library version: xoshiro256** (Blackman and Vigna,
// public domain) and distributions written out here, since those of <random> differ between libraries.
#pragma once

#include <array>
#include <cstdint>

namespace gpuplan {

class Random {
 public:
  // Streams of one seed are independent of each other.
  Random(std::uint64_t seed, std::uint64_t stream);

  std::uint64_t bits();
  double uniform();            // in (0, 1): never 0 nor 1
  double exponential();        // mean 1
  double normal();             // mean 0, standard deviation 1
  double gamma(double shape);  // scale 1: mean and variance `shape`

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace gpuplan

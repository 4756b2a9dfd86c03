#include "workloads/traffic/random.h"

#include <bit>
#include <cmath>
#include <numbers>

namespace gpuplan {

namespace {

// splitmix64 (Vigna, public domain), which its authors recommend for seeding xoshiro.
std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream) {
  std::uint64_t mix = seed;
  mix = split_mix(mix) ^ (stream * 0xD1342543DE82EF95ULL);
  for (std::uint64_t& word : state_) {
    word = split_mix(mix);
  }
}

std::uint64_t Random::bits() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() {
  // The middle of one of 2^52 equal cells.
  return (static_cast<double>(bits() >> 12U) + 0.5) * 0x1p-52;
}

double Random::exponential() { return -std::log(uniform()); }

// Box and Muller 1958; one of the pair is enough, so that each sample takes two numbers of the stream.
double Random::normal() {
  const double radius = std::sqrt(2 * exponential());
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

// Marsaglia and Tsang 2000; for shape < 1 their boost, gamma(shape + 1) * u^(1/shape).
double Random::gamma(double shape) {
  if (shape < 1) {
    const double boosted = gamma(shape + 1);
    return boosted * std::exp(std::log(uniform()) / shape);
  }
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal();
    const double cube_root = 1 + c * x;
    if (cube_root <= 0) {
      continue;
    }
    const double v = cube_root * cube_root * cube_root;
    if (std::log(uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) {
      return d * v;
    }
  }
}

}  // namespace gpuplan

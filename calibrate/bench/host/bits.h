// bf16 as bits, on the host: the upper half of a float, rounded to nearest even.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "arithmetic.h"

namespace gpubench {

inline std::uint16_t bf16_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);  // NaN
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline float bf16_value(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::vector<std::uint16_t> random_bf16(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::uint16_t> values(count);
  for (auto& value : values) value = bf16_bits(random.uniform());
  return values;
}

inline std::vector<double> as_doubles(const std::vector<std::uint16_t>& bits) {
  std::vector<double> values;
  values.reserve(bits.size());
  for (std::uint16_t b : bits) values.push_back(static_cast<double>(bf16_value(b)));
  return values;
}

}  // namespace gpubench

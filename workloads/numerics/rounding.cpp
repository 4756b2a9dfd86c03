#include "workloads/numerics/rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gpuplan::numerics {

std::optional<FloatFormat> float_format(Precision precision) {
  switch (precision) {
    case Precision::fp32:
      return FloatFormat{};
    case Precision::tf32:
      return FloatFormat{.significand_bits = 11, .least_exponent = -126, .largest = 3.4011621342146535e38};
    case Precision::bf16:
      return FloatFormat{.significand_bits = 8, .least_exponent = -126, .largest = 3.3895313892515355e38};
    case Precision::fp16:
      return FloatFormat{.significand_bits = 11, .least_exponent = -14, .largest = 65504.0};
    case Precision::fp8:
      return FloatFormat{.significand_bits = 4, .least_exponent = -6, .largest = 448.0, .saturates = true};
    case Precision::fp64:
    case Precision::fp8_block:
    case Precision::int8:
    case Precision::int4:
    case Precision::nvfp4:
    case Precision::mxfp4:
      return std::nullopt;
  }
  return std::nullopt;
}

double rounded(double value, const FloatFormat& format) {
  if (value == 0.0 || !std::isfinite(value)) {
    return value;
  }
  const int exponent = std::max(std::ilogb(value), format.least_exponent);
  const double unit = std::ldexp(1.0, exponent - format.significand_bits + 1);
  const double result = std::nearbyint(value / unit) * unit;  // the default mode: ties to even
  if (std::abs(result) <= format.largest) {
    return result;
  }
  return std::copysign(format.saturates ? format.largest : std::numeric_limits<double>::infinity(), value);
}

}  // namespace gpuplan::numerics

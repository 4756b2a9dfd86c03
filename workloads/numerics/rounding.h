// Numbers as a format stores them: rounded to nearest, ties to even, with gradual underflow and overflow to
// infinity, as IEEE 754 and the GPUs' converts do. For experiments on what a precision does to a sum.
#pragma once

#include <optional>

#include "hwmodels/catalogue/precision.h"

namespace gpuplan::numerics {

struct FloatFormat {
  int significand_bits = 24;  // with the leading one
  int least_exponent = -126;  // of normal numbers: 2^least is the smallest
  double largest = 3.4028234663852886e38;
  bool saturates = false;  // beyond the largest: stays there; else infinity
};

// fp32, tf32, bf16, fp16 and fp8 (E4M3: no infinities, saturates at 448); nothing for other precisions.
std::optional<FloatFormat> float_format(Precision precision);

// `value` as stored in `format`.
double rounded(double value, const FloatFormat& format);

}  // namespace gpuplan::numerics

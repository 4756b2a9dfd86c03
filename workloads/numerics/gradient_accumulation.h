// What the precision of the buffer does to gradients that many micro-batches are summed into: a random
// experiment, element by element, beside the exact sum.
//
// A micro-batch's gradient of an element is `signal` plus normal noise of `noise`, in bf16 as a backward pass
// leaves it. The buffer adds the micro-batches one after another, rounding after each. Once the sum is
// 2^significand_bits times an addend (256 in bf16, 2,048 in fp16), the addend is lost: it is swamped, and the
// sum stops growing. fp16 also overflows at 65,504 and loses what is below 6e-8, which loss scaling is for.
#pragma once

#include <cstdint>

#include "hwmodels/catalogue/precision.h"

namespace gpuplan::numerics {

struct AccumulationSpec {
  Precision buffer = Precision::fp32;  // fp32, bf16 or fp16
  int micro_batches = 8;               // 1 to 1e6
  int elements = 2048;                 // of the experiment
  double signal = 1.0;                 // mean of an element's gradient over micro-batches
  double noise = 1.0;                  // its standard deviation between micro-batches
  bool divide_first = true;            // each by their number, as frameworks scale the loss; else at the end
  std::uint64_t seed = 1;
};

struct AccumulationError {
  double relative_rms = 0.0;  // of the sum against the exact one, over the exact one's root mean square
  double bias = 0.0;     // mean of |sum| over mean of |exact sum|, minus 1: below 0, sums stopped growing
  double swamped = 0.0;  // share of additions that left the buffer as it was
};

// Throws std::logic_error for a buffer that is no float format or counts below 1.
AccumulationError accumulate(const AccumulationSpec& spec);

// Equal addends after which the sum no longer changes, found by adding; 2^significand_bits.
std::int64_t swamping_count(Precision buffer);

}  // namespace gpuplan::numerics

// How measured rows are divided between fitting and checking, and what each counts in the loss.
#pragma once

#include "calibrate/validate/kernel_tables.h"

namespace gpuplan::calibrate {

struct SplitShares {
  double held_out = 0.25;  // of the rows of fitted shapes
  double unseen = 0.12;    // of the shapes, kept back whole
};

// Where a row goes: by a hash of its shape, so that the split is the same on every machine and run.
enum class FitShare { train, held_out, unseen };
FitShare share_of(const MeasuredKernel& row, const SplitShares& shares);

// Whether an unseen row takes part in setting the spread of the family's prices: half of the unseen shapes
// do, the others are left to show whether it holds.
bool sets_spread(const MeasuredKernel& row, const SplitShares& shares);

// How much a row counts in the loss: 1 for shapes that LLM serving runs, less for others.
double weight_of(const MeasuredKernel& row);

}  // namespace gpuplan::calibrate

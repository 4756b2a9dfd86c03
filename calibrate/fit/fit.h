// Fits the constants of a GPU's kernel profile to measured tables, and says how good they are on rows that
// the fit did not see.
//
// Rows are split by a hash of their shape, so that the split is the same on every machine: some shapes are
// kept back whole ("unseen": no row of theirs is fitted), and of the others a share of the rows. The loss is
// a smoothed absolute log error, so that the median error counts and single odd kernels do not; rows of the
// shapes that LLM serving runs count more. Deterministic.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "calibrate/fit/split.h"
#include "calibrate/validate/kernel_tables.h"

namespace gpuplan::calibrate {

struct FitOptions {
  SplitShares shares;
  int evaluations = 1200;  // of the loss, per family and format, in the long search; a quarter in each short
  std::size_t physics_rows = 700;  // of the training rows that the physics is fitted to; the curves take all
  int spread_starts = 4;           // short searches from points spread over the bounds
  std::string source;              // what the tables are, for the profile
  // Called with one line per finished family; may be empty.
  std::function<void(const std::string&)> progress;
};

// Fits every family that `tables` has rows of, starting from `initial`; the others keep its constants (and
// their errors, where rows == 0 says that nobody measured them).
kernels::KernelProfile fit(const Gpu& gpu, std::span<const KernelTable> tables,
                           kernels::KernelProfile initial, const FitOptions& options);

// Held-out errors of `model` on `rows` (of one family). The spread (q80) comes from the rows held out of
// fitted shapes; rows of unseen shapes take no part in it, so that they can show whether it holds.
kernels::FamilyError held_out_error(const kernels::KernelModel& model,
                                    std::span<const MeasuredKernel* const> rows, const SplitShares& shares);

}  // namespace gpuplan::calibrate

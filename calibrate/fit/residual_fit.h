// Fits the smooth corrections that a physics model leaves (hwmodels/kernels/residual.h) to measured
// residuals.
//
// Least absolute errors (by reweighting) of a sum of multilinear grids, held smooth by a penalty on second
// differences and, weakly, on slopes; the strength of it is chosen by cross-validation on the samples. Order
// pairs keep the corrected model from falling where more work is done. Deterministic.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "hwmodels/kernels/residual.h"

namespace gpuplan::calibrate {

struct ResidualSample {
  std::vector<double> features;
  double residual = 0.0;  // ln(measured / physics)
};

// An operation and one that does more work, which must not become cheaper.
struct OrderPair {
  std::vector<double> less, more;  // features
  double rise = 0.0;               // ln physics(more) - ln physics(less)
};

// One axis of a grid.
struct PlannedAxis {
  std::string_view feature;
  std::size_t most = 16;           // knots, if the samples have so many values
  double stiffness = 1.0;          // of the smoothness along it; small where the feature is a kind, no size
  std::vector<double> knots = {};  // given ones; empty: spread over the values that the samples have
};
using ResidualPlan = std::vector<std::vector<PlannedAxis>>;  // grids

// The grids of `plan`; `names` are those of the features. Empty where there are too few samples to say
// anything (below 40).
std::vector<kernels::ResidualGrid> fit_residual(const ResidualPlan& plan,
                                                std::span<const std::string_view> names,
                                                const std::vector<ResidualSample>& samples,
                                                const std::vector<OrderPair>& order);

}  // namespace gpuplan::calibrate

// Minimises a loss over a box of parameters without derivatives, deterministically: cyclic coordinate steps
// that grow on success and shrink on failure, then Nelder-Mead around the best point, and both again until
// the evaluations are spent.
#pragma once

#include <functional>
#include <vector>

namespace gpuplan::calibrate {

struct Parameter {
  double initial = 1.0, min = 0.0, max = 1.0;
  bool logarithmic = false;  // search in log space (min > 0)
};

using Loss = std::function<double(const std::vector<double>&)>;

// The best point found, within the bounds, after at most `evaluations` calls of `loss`.
std::vector<double> minimise(const std::vector<Parameter>& parameters, const Loss& loss, int evaluations);

// The `index`-th of a sequence of points that fills the box evenly (multiples of the roots of primes).
std::vector<double> spread_point(const std::vector<Parameter>& parameters, int index);

}  // namespace gpuplan::calibrate

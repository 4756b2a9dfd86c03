// The points that no other point beats in everything asked for.
#pragma once

#include <span>
#include <vector>

namespace gpuplan::sweep {

// Indices, in order, of the rows of `values` that no other row dominates: is as good in each column and
// better in one. Lower is better in every column (negate what should be high). Equal rows stay all. Rows of
// equal length; NaN in a row keeps it out.
std::vector<std::size_t> pareto_set(std::span<const std::vector<double>> values);

}  // namespace gpuplan::sweep

// What a linear layer loses in int8 (int8_linear.cpp prices its time).
#pragma once

#include <cstdint>

namespace gpuplan::kernels {

// Relative root-mean-square error of A B computed from int8 A (a scale for each row) and int8 B (a scale for
// each column) against exact arithmetic, on normally distributed A and B; every `outlier_every`th column of A
// (0: none) is `outlier` times larger, as some channels of language models are. Deterministic for a seed.
double int8_linear_error(int m, int n, int k, std::uint64_t seed, int outlier_every = 0,
                         double outlier = 1.0);

}  // namespace gpuplan::kernels

// Helpers that the lowering of layers shares: a matrix product with its two gradients, a pass over tensors,
// the collectives around tensor-parallel matrices.
#pragma once

#include "workloads/training/step.h"

namespace gpuplan {

// y[tokens, out] = x[tokens, in] W: forward, dx = dy W^T, dW = x^T dy, and the addition of dW to the
// accumulated gradient.
void add_matrix(const TrainingJob& job, LayerWork& work, std::string_view name, TrainingPart part,
                std::int64_t tokens, std::int64_t out, std::int64_t in);

// 8- and 4-bit formats (scaling.cpp): time of a product over one with a scale a tensor, and the casts that
// its price does not hold.
double scaled_matrix(const TrainingJob& job);
void add_casts(const TrainingJob& job, LayerWork& work, std::string_view name, std::int64_t tokens,
               std::int64_t out, std::int64_t in);

// A pass that reads and writes so many bytes a token.
TrainingKernel pass(std::string_view name, TrainingPart part, kernels::Elementwise::Kind kind, double tokens,
                    double read, double written, double launches = 1.0);

// Collectives at the entrance to (`enter`) and exit from tensor-parallel matrices: all-reduce at the exit
// and, backward, at the entrance; with sequence parallelism all-gather and reduce-scatter.
void enter_tensor(const TrainingJob& job, LayerWork& work);
void leave_tensor(const TrainingJob& job, LayerWork& work);

// Tokens of a rank between the matrices (sequence parallelism shares them).
double tokens_between(const TrainingJob& job);

}  // namespace gpuplan

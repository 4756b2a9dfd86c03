// The memory that standard attention needs (standard_attention.cpp prices its time).
#pragma once

#include <cstdint>

#include "hwmodels/kernels/operations.h"

namespace gpuplan::kernels {

// One batch x heads x queries x context matrix of scores.
Bytes score_bytes(const StandardAttention& op);
// Q, K, V, O and the score matrices alive at once: S and P forward; P, dP and dS with the gradients backward.
// What the algorithm needs; libraries keep more copies.
Bytes working_memory(const StandardAttention& op);
// The longest context (queries == context) whose working memory fits `memory`; 0 where none does.
std::int64_t longest_context(StandardAttention op, Bytes memory);

}  // namespace gpuplan::kernels

// Launches of the attention kernels of one shape.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "../host/arithmetic.h"

namespace gpubench {

// All on the device, bf16; layouts in kernels/attention.cuh.
struct AttentionBuffers {
  const std::uint16_t *q, *k, *v;
  std::uint16_t* out;
};

// head_dim is 64 or 128. Call prepare_attention once per process before.
void prepare_attention();
void launch_flash(const AttentionShape& shape, const AttentionBuffers& buffers, cudaStream_t stream);
// `scores` has batch * heads * seq_q * seq_kv elements; seq_q, seq_kv are multiples of 8.
void launch_naive(const AttentionShape& shape, const AttentionBuffers& buffers, std::uint16_t* scores,
                  cudaStream_t stream);
// One query, seq_q = 1. parts_out has batch * heads * parts * head_dim floats, parts_lse that without
// head_dim.
void launch_decode(const AttentionShape& shape, const AttentionBuffers& buffers, int parts, float* parts_out,
                   float* parts_lse, cudaStream_t stream);

}  // namespace gpubench

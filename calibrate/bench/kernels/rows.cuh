// Row-wise and elementwise kernels on bf16, 16 bytes a thread and access. A row has a multiple of 8 columns.
#pragma once

#include "portable.cuh"

namespace gpubench {

constexpr int row_threads = 256;

struct Octet {
  float at[8];
};
__device__ inline Octet unpacked(uint4 bits) {
  return {{low_bf16(bits.x), high_bf16(bits.x), low_bf16(bits.y), high_bf16(bits.y), low_bf16(bits.z),
           high_bf16(bits.z), low_bf16(bits.w), high_bf16(bits.w)}};
}
__device__ inline uint4 packed(const Octet& x) {
  uint4 bits;
  bits.x = pack_bf16(x.at[0], x.at[1]);
  bits.y = pack_bf16(x.at[2], x.at[3]);
  bits.z = pack_bf16(x.at[4], x.at[5]);
  bits.w = pack_bf16(x.at[6], x.at[7]);
  return bits;
}

// Sum, or largest, over a block of row_threads; every thread gets it. May be called again at once.
template <bool largest>
__device__ inline float over_block(float x) {
  __shared__ float of_warp[row_threads / 32];
  x = largest ? warp_max(x) : warp_sum(x);
  __syncthreads();  // everyone has read the result of the call before
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = x;
  __syncthreads();
  float all = of_warp[0];
  for (int i = 1; i < row_threads / 32; ++i) all = largest ? fmaxf(all, of_warp[i]) : all + of_warp[i];
  return all;
}

// One block a row: root-mean-square norm, or layer norm, with weights and no bias. The second and third read
// of a row hit the caches: HBM sees it once.
template <bool layer_norm>
__global__ void norm(const uint4* x, const uint4* weight, uint4* y, int cols) {
  const int octets = cols / 8;
  const uint4* row = x + static_cast<long long>(blockIdx.x) * octets;
  uint4* to = y + static_cast<long long>(blockIdx.x) * octets;
  const int first = static_cast<int>(threadIdx.x);
  const float count = static_cast<float>(cols);
  float mean = 0;
  if (layer_norm) {
    float sum = 0;
    for (int i = first; i < octets; i += row_threads) {
      const Octet v = unpacked(row[i]);
      for (int j = 0; j < 8; ++j) sum += v.at[j];
    }
    mean = over_block<false>(sum) / count;
  }
  float squares = 0;
  for (int i = first; i < octets; i += row_threads) {
    const Octet v = unpacked(row[i]);
    for (int j = 0; j < 8; ++j) squares += (v.at[j] - mean) * (v.at[j] - mean);
  }
  const float scale = rsqrtf(over_block<false>(squares) / count + 1e-5f);
  for (int i = first; i < octets; i += row_threads) {
    Octet v = unpacked(row[i]);
    const Octet w = unpacked(weight[i]);
    for (int j = 0; j < 8; ++j) v.at[j] = (v.at[j] - mean) * scale * w.at[j];
    to[i] = packed(v);
  }
}

// One block a row: softmax of the first `valid` columns, zeros behind; x and y may be the same. Causal: row r
// of each `rows` rows has r + 1 + offset valid columns, otherwise all are valid.
GPUBENCH_KERNEL softmax(const uint4* x, uint4* y, int cols, bool causal, int rows, int offset) {
  const int octets = cols / 8;
  const uint4* row = x + static_cast<long long>(blockIdx.x) * octets;
  uint4* to = y + static_cast<long long>(blockIdx.x) * octets;
  const int valid = causal ? static_cast<int>(blockIdx.x) % rows + 1 + offset : cols;
  const int first = static_cast<int>(threadIdx.x);
  constexpr float log2_e = 1.44269504f, lowest = -3.0e38f;
  float top = lowest;
  for (int i = first; i < octets; i += row_threads) {
    const Octet v = unpacked(row[i]);
    for (int j = 0; j < 8; ++j)
      if (i * 8 + j < valid) top = fmaxf(top, v.at[j]);
  }
  top = over_block<true>(top);
  float sum = 0;
  for (int i = first; i < octets; i += row_threads) {
    const Octet v = unpacked(row[i]);
    for (int j = 0; j < 8; ++j)
      if (i * 8 + j < valid) sum += exp2f((v.at[j] - top) * log2_e);
  }
  const float scale = 1.0f / over_block<false>(sum);
  for (int i = first; i < octets; i += row_threads) {
    Octet v = unpacked(row[i]);
    for (int j = 0; j < 8; ++j) v.at[j] = i * 8 + j < valid ? exp2f((v.at[j] - top) * log2_e) * scale : 0.0f;
    to[i] = packed(v);
  }
}

enum class Pointwise { add, gelu, silu_product };

// out = a + b, gelu(a) (tanh form), or silu(a) * b, over `octets` times 8 elements; gelu leaves b alone.
template <Pointwise op>
__global__ void pointwise(const uint4* a, const uint4* b, uint4* out, long long octets) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= octets) return;
  Octet x = unpacked(a[i]);
  Octet y = x;
  if (op != Pointwise::gelu) y = unpacked(b[i]);
  for (int j = 0; j < 8; ++j) {
    float& v = x.at[j];
    switch (op) {
      case Pointwise::add:
        v += y.at[j];
        break;
      case Pointwise::gelu:
        v = 0.5f * v * (1.0f + tanhf(0.79788456f * (v + 0.044715f * v * v * v)));
        break;
      case Pointwise::silu_product:
        v = v / (1.0f + expf(-v)) * y.at[j];
        break;
    }
  }
  out[i] = packed(x);
}

}  // namespace gpubench

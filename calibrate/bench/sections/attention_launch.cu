#include <cmath>

#include "../device/cuda_check.h"
#include "../kernels/attention.cuh"
#include "../kernels/rows.cuh"
#include "attention_launch.h"

namespace gpubench {

namespace {

constexpr float log2_e = 1.44269504f;

template <class Kernel>
void allow_shared(Kernel kernel, int bytes) {
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, 100));
}

template <int Dim>
void prepare_dim() {
  allow_shared(flash_attention<Dim, true>, attention_shared_bytes<Dim>);
  allow_shared(flash_attention<Dim, false>, attention_shared_bytes<Dim>);
  allow_shared(decode_attention<Dim>, attention_shared_bytes<Dim>);
}

dim3 grid(int x, int y, int z) {
  return {static_cast<unsigned>(x), static_cast<unsigned>(y), static_cast<unsigned>(z)};
}

template <int Dim>
void launch_flash_dim(const AttentionShape& s, const AttentionBuffers& b, cudaStream_t stream) {
  const dim3 blocks = grid(ceil_div(s.seq_q, tile_rows), s.heads, s.batch);
  const float scale = log2_e / std::sqrt(static_cast<float>(Dim));
  if (s.causal) {
    flash_attention<Dim, true><<<blocks, attention_threads, attention_shared_bytes<Dim>, stream>>>(
        b.q, b.k, b.v, b.out, s.seq_q, s.seq_kv, s.kv_heads, scale);
  } else {
    flash_attention<Dim, false><<<blocks, attention_threads, attention_shared_bytes<Dim>, stream>>>(
        b.q, b.k, b.v, b.out, s.seq_q, s.seq_kv, s.kv_heads, scale);
  }
  LAUNCH_CHECK();
}

template <int Dim>
void launch_decode_dim(const AttentionShape& s, const AttentionBuffers& b, int parts, float* parts_out,
                       float* parts_lse, cudaStream_t stream) {
  const float scale = log2_e / std::sqrt(static_cast<float>(Dim));
  decode_attention<Dim>
      <<<grid(parts, s.kv_heads, s.batch), attention_threads, attention_shared_bytes<Dim>, stream>>>(
          b.q, b.k, b.v, parts_out, parts_lse, s.heads / s.kv_heads, s.seq_kv, scale);
  LAUNCH_CHECK();
  combine_parts<<<grid(s.batch * s.heads, 1, 1), Dim, 0, stream>>>(parts_out, parts_lse, b.out, parts);
  LAUNCH_CHECK();
}

}  // namespace

void prepare_attention() {
  prepare_dim<64>();
  prepare_dim<128>();
}

void launch_flash(const AttentionShape& shape, const AttentionBuffers& buffers, cudaStream_t stream) {
  shape.head_dim == 64 ? launch_flash_dim<64>(shape, buffers, stream)
                       : launch_flash_dim<128>(shape, buffers, stream);
}

void launch_naive(const AttentionShape& s, const AttentionBuffers& b, std::uint16_t* scores,
                  cudaStream_t stream) {
  const int matrices = s.batch * s.heads, group = s.heads / s.kv_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  tile_product<true>
      <<<grid(ceil_div(s.seq_kv, tile_rows), ceil_div(s.seq_q, tile_rows), matrices), attention_threads,
         product_shared_bytes, stream>>>(b.q, b.k, scores, s.seq_q, s.seq_kv, s.head_dim, group, scale);
  LAUNCH_CHECK();
  auto* rows = reinterpret_cast<uint4*>(scores);
  softmax<<<grid(matrices * s.seq_q, 1, 1), row_threads, 0, stream>>>(rows, rows, s.seq_kv, s.causal, s.seq_q,
                                                                      s.seq_kv - s.seq_q);
  LAUNCH_CHECK();
  tile_product<false>
      <<<grid(ceil_div(s.head_dim, tile_rows), ceil_div(s.seq_q, tile_rows), matrices), attention_threads,
         product_shared_bytes, stream>>>(scores, b.v, b.out, s.seq_q, s.head_dim, s.seq_kv, group, 1.0f);
  LAUNCH_CHECK();
}

void launch_decode(const AttentionShape& shape, const AttentionBuffers& buffers, int parts, float* parts_out,
                   float* parts_lse, cudaStream_t stream) {
  shape.head_dim == 64 ? launch_decode_dim<64>(shape, buffers, parts, parts_out, parts_lse, stream)
                       : launch_decode_dim<128>(shape, buffers, parts, parts_out, parts_lse, stream);
}

}  // namespace gpubench

// Attention on bf16 with float accumulation, on the tensor cores through mma.m16n8k16.
//
// flash_attention: one block computes 64 query rows of one head; K and V pass by in tiles of 64 rows, two in
// shared memory at a time; scores and probabilities never leave the registers (online softmax). HBM sees Q,
// K, V and O once (K and V again from L2 for every block of queries). decode_attention: one query per
// sequence; the query heads that share a KV head fill the 16 rows of the matrix instruction; KV is cut into
// parts so that the GPU is full, and combine_parts joins them. tile_product: a plain 64 x 64 tile GEMM; with
// softmax (rows.cuh) between two of them it is the naive attention, whose scores go to HBM and back.
//
// Layout: Q and O [batch, heads, queries, Dim], K and V [batch, kv_heads, keys, Dim]; Dim is 64 or 128.
#pragma once

#include "portable.cuh"

namespace gpubench {

constexpr int tile_rows = 64;           // query rows of a block, and rows of a KV tile
constexpr int attention_threads = 128;  // 4 warps
constexpr int group_most = 16;          // query heads per KV head in decode

// A row in shared memory is 16 bytes longer than its data: 8 rows in turn then lie in different banks.
template <int Dim>
constexpr int padded = Dim + 8;
// Two stages of a K and a V tile.
template <int Dim>
constexpr int attention_shared_bytes = 2 * 2 * tile_rows* padded<Dim> * 2;

// Starts loading a tile of tile_rows rows; rows from `valid` on become zero. All threads of the block take
// part.
template <int Dim>
__device__ inline void load_tile(Bf16* shared, const Bf16* global, int valid) {
  constexpr int chunks = Dim / 8;
  for (int i = static_cast<int>(threadIdx.x); i < tile_rows * chunks; i += attention_threads) {
    const int row = i / chunks, chunk = i % chunks;
    const bool present = row < valid;
    copy_async_16(shared + row * padded<Dim> + chunk * 8, global + (present ? row * Dim + chunk * 8 : 0),
                  present);
  }
}

// The left operand of the score product: rows `top` and `top + 8` of this lane, all of Dim. Rows beyond
// `rows` are zero. `lane_row` = lane / 4.
template <int Dim>
__device__ inline void load_queries(unsigned (&q)[Dim / 16][4], const Bf16* global, int top, int rows) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
  GPUBENCH_UNROLL
  for (int k = 0; k < Dim / 16; ++k) GPUBENCH_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int row = top + i % 2 * 8;
    const Bf16* from = global + static_cast<long long>(row) * Dim + k * 16 + i / 2 * 8 + column;
    q[k][i] = row < rows ? load_pair(from) : 0u;
  }
}

// State of 16 query rows in one warp: a lane has rows lane/4 (index 0) and lane/4 + 8 (index 1).
template <int Dim>
struct RowState {
  float out[Dim / 8][4];  // not yet divided by sum
  float top[2];           // largest score so far, times log2(e)
  float sum[2];           // of this lane's columns only
};

template <int Dim>
__device__ inline void clear(RowState<Dim>& state) {
  GPUBENCH_UNROLL
  for (int n = 0; n < Dim / 8; ++n) GPUBENCH_UNROLL
  for (int i = 0; i < 4; ++i) state.out[n][i] = 0;
  state.top[0] = state.top[1] = -INFINITY;
  state.sum[0] = state.sum[1] = 0;
}

// Takes in Keys rows of K and V, which start at row `first` of the tiles in shared memory and are the keys
// from `key` on; of these a query row sees those below its `limit`. `scale` includes log2(e).
template <int Dim, int Keys>
__device__ inline void attend(RowState<Dim>& state, const unsigned (&q)[Dim / 16][4], const Bf16* k_tile,
                              const Bf16* v_tile, int first, int key, const int (&limit)[2], float scale) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  float score[Keys / 8][4];
  GPUBENCH_UNROLL
  for (int n = 0; n < Keys / 8; ++n) {
    score[n][0] = score[n][1] = score[n][2] = score[n][3] = 0;
    // 8 keys times 32 of Dim at a time: matrices 0..3 are the four groups of 8 columns.
    GPUBENCH_UNROLL
    for (int d = 0; d < Dim / 32; ++d) {
      unsigned b[4];
      load_matrices(b, k_tile + (first + n * 8 + lane % 8) * padded<Dim> + d * 32 + lane / 8 * 8);
      mma_bf16(score[n], q[2 * d], b[0], b[1]);
      mma_bf16(score[n], q[2 * d + 1], b[2], b[3]);
    }
  }
  float top[2] = {state.top[0], state.top[1]};
  GPUBENCH_UNROLL
  for (int n = 0; n < Keys / 8; ++n) GPUBENCH_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int column = key + n * 8 + lane % 4 * 2 + i % 2;
    score[n][i] = column < limit[i / 2] ? score[n][i] * scale : -INFINITY;
    top[i / 2] = fmaxf(top[i / 2], score[n][i]);
  }
  GPUBENCH_UNROLL
  for (int r = 0; r < 2; ++r) {
    top[r] = fmaxf(top[r], __shfl_xor_sync(0xffffffffu, top[r], 1));
    top[r] = fmaxf(top[r], __shfl_xor_sync(0xffffffffu, top[r], 2));
    // Where nothing was seen yet the largest is -infinity: any finite number then keeps the exponents clean.
    const float base = top[r] == -INFINITY ? 0.0f : top[r];
    const float shrink = exp2f(state.top[r] - base);
    state.top[r] = top[r];
    state.sum[r] *= shrink;
    GPUBENCH_UNROLL
    for (int n = 0; n < Dim / 8; ++n) {
      state.out[n][2 * r] *= shrink;
      state.out[n][2 * r + 1] *= shrink;
    }
    GPUBENCH_UNROLL
    for (int n = 0; n < Keys / 8; ++n) GPUBENCH_UNROLL
    for (int i = 2 * r; i < 2 * r + 2; ++i) {
      score[n][i] = exp2f(score[n][i] - base);
      state.sum[r] += score[n][i];
    }
  }
  // The accumulator layout of two score tiles is the operand layout of 16 probabilities.
  GPUBENCH_UNROLL
  for (int k = 0; k < Keys / 16; ++k) {
    const unsigned p[4] = {pack_bf16(score[2 * k][0], score[2 * k][1]),
                           pack_bf16(score[2 * k][2], score[2 * k][3]),
                           pack_bf16(score[2 * k + 1][0], score[2 * k + 1][1]),
                           pack_bf16(score[2 * k + 1][2], score[2 * k + 1][3])};
    GPUBENCH_UNROLL
    for (int n = 0; n < Dim / 16; ++n) {
      unsigned b[4];
      load_matrices_transposed(b,
                               v_tile + (first + k * 16 + lane % 16) * padded<Dim> + n * 16 + lane / 16 * 8);
      mma_bf16(state.out[2 * n], p, b[0], b[1]);
      mma_bf16(state.out[2 * n + 1], p, b[2], b[3]);
    }
  }
}

template <int Dim>
__device__ inline void finish_sums(RowState<Dim>& state) {
  GPUBENCH_UNROLL
  for (int r = 0; r < 2; ++r) {
    state.sum[r] += __shfl_xor_sync(0xffffffffu, state.sum[r], 1);
    state.sum[r] += __shfl_xor_sync(0xffffffffu, state.sum[r], 2);
  }
}

// Grid: (blocks of 64 queries, heads, batch). Causal: query i sees the keys up to i + keys - queries, keys >=
// queries. `scale` includes log2(e).
template <int Dim, bool causal>
__global__ void __launch_bounds__(attention_threads)
    flash_attention(const Bf16* q, const Bf16* k, const Bf16* v, Bf16* out, int queries, int keys,
                    int kv_heads, float scale) {
  GPUBENCH_DYNAMIC_SHARED(shared);
  constexpr int stage = 2 * tile_rows * padded<Dim>;
  Bf16* tiles = reinterpret_cast<Bf16*>(shared);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int heads = static_cast<int>(gridDim.y);
  const long long head = static_cast<long long>(blockIdx.z) * heads + blockIdx.y;
  const long long kv_head =
      static_cast<long long>(blockIdx.z) * kv_heads + static_cast<int>(blockIdx.y) / (heads / kv_heads);
  // The blocks with the most keys first.
  const int block_top = static_cast<int>(gridDim.x - 1 - blockIdx.x) * tile_rows;
  const int row = block_top + warp * 16 + lane / 4;
  const int ahead = keys - queries;
  const Bf16* k_head = k + kv_head * keys * Dim;
  const Bf16* v_head = v + kv_head * keys * Dim;

  unsigned q_rows[Dim / 16][4];
  load_queries<Dim>(q_rows, q + head * queries * Dim, row, queries);
  RowState<Dim> state;
  clear(state);
  int limit[2] = {keys, keys};
  if (causal) {
    limit[0] = min(keys, row + ahead + 1);
    limit[1] = min(keys, row + 8 + ahead + 1);
  }
  const int block_limit = causal ? min(keys, block_top + tile_rows + ahead) : keys;
  const int count = (block_limit + tile_rows - 1) / tile_rows;

  const auto load = [&](int tile) {
    Bf16* to = tiles + tile % 2 * stage;
    const long long from = static_cast<long long>(tile) * tile_rows * Dim;
    load_tile<Dim>(to, k_head + from, keys - tile * tile_rows);
    load_tile<Dim>(to + tile_rows * padded<Dim>, v_head + from, keys - tile * tile_rows);
  };
  load(0);
  copy_async_commit();
  for (int tile = 0; tile < count; ++tile) {
    if (tile + 1 < count) load(tile + 1);
    copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();  // the tile has come, for all threads
    const Bf16* k_tile = tiles + tile % 2 * stage;
    attend<Dim, tile_rows>(state, q_rows, k_tile, k_tile + tile_rows * padded<Dim>, 0, tile * tile_rows,
                           limit, scale);
    __syncthreads();  // all are done with it: the next load may overwrite it
  }
  finish_sums(state);
  GPUBENCH_UNROLL
  for (int r = 0; r < 2; ++r) {
    if (row + 8 * r >= queries) continue;
    const float scale_out = 1.0f / state.sum[r];
    Bf16* to = out + (head * queries + row + 8 * r) * Dim + lane % 4 * 2;
    GPUBENCH_UNROLL
    for (int n = 0; n < Dim / 8; ++n)
      store_pair(to + n * 8, pack_bf16(state.out[n][2 * r] * scale_out, state.out[n][2 * r + 1] * scale_out));
  }
}

// Grid: (parts, kv_heads, batch). Q is [batch, kv_heads, group, Dim], group <= group_most. Each warp takes 16
// of the 64 keys of a tile; at the end the block joins its warps. parts_out [batch, kv_heads, group, parts,
// Dim] is divided by its sum already; parts_lse, without Dim, is log2 of the sum of 2^score, -infinity for an
// empty part.
template <int Dim>
__global__ void __launch_bounds__(attention_threads)
    decode_attention(const Bf16* q, const Bf16* k, const Bf16* v, float* parts_out, float* parts_lse,
                     int group, int keys, float scale) {
  GPUBENCH_DYNAMIC_SHARED(shared);
  constexpr int stage = 2 * tile_rows * padded<Dim>;
  Bf16* tiles = reinterpret_cast<Bf16*>(shared);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int parts = static_cast<int>(gridDim.x), part = static_cast<int>(blockIdx.x);
  const long long kv_head = static_cast<long long>(blockIdx.z) * gridDim.y + blockIdx.y;
  const Bf16* k_head = k + kv_head * keys * Dim;
  const Bf16* v_head = v + kv_head * keys * Dim;
  // Parts differ by one tile at most.
  const int all_tiles = (keys + tile_rows - 1) / tile_rows;
  const int begin = static_cast<int>(static_cast<long long>(all_tiles) * part / parts);
  const int end = static_cast<int>(static_cast<long long>(all_tiles) * (part + 1) / parts);

  unsigned q_rows[Dim / 16][4];
  load_queries<Dim>(q_rows, q + kv_head * group * Dim, lane / 4, group);
  RowState<Dim> state;
  clear(state);
  const int limit[2] = {keys, keys};

  const auto load = [&](int tile) {
    Bf16* to = tiles + tile % 2 * stage;
    const long long from = static_cast<long long>(tile) * tile_rows * Dim;
    load_tile<Dim>(to, k_head + from, keys - tile * tile_rows);
    load_tile<Dim>(to + tile_rows * padded<Dim>, v_head + from, keys - tile * tile_rows);
  };
  if (begin < end) load(begin);
  copy_async_commit();
  for (int tile = begin; tile < end; ++tile) {
    if (tile + 1 < end) load(tile + 1);
    copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();
    const Bf16* k_tile = tiles + tile % 2 * stage;
    attend<Dim, 16>(state, q_rows, k_tile, k_tile + tile_rows * padded<Dim>, warp * 16,
                    tile * tile_rows + warp * 16, limit, scale);
    __syncthreads();
  }
  finish_sums(state);

  // Join the four warps through shared memory, which the tiles no longer need: [warp][row][Dim], [warp][row].
  float* outs = reinterpret_cast<float*>(shared);
  float* tops = outs + 4 * 16 * Dim;
  float* sums = tops + 4 * 16;
  static_assert(4 * 16 * (Dim + 2) * 4 <= attention_shared_bytes<Dim>,
                "the join must fit where the tiles were");
  GPUBENCH_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int slot = warp * 16 + lane / 4 + 8 * r;
    GPUBENCH_UNROLL
    for (int n = 0; n < Dim / 8; ++n) {
      outs[slot * Dim + n * 8 + lane % 4 * 2] = state.out[n][2 * r];
      outs[slot * Dim + n * 8 + lane % 4 * 2 + 1] = state.out[n][2 * r + 1];
    }
    if (lane % 4 == 0) {
      tops[slot] = state.top[r];
      sums[slot] = state.sum[r];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < group * Dim; i += attention_threads) {
    const int row = i / Dim, column = i % Dim;
    float top = -INFINITY;
    for (int w = 0; w < 4; ++w) top = fmaxf(top, tops[w * 16 + row]);
    const float base = top == -INFINITY ? 0.0f : top;
    float sum = 0, value = 0;
    for (int w = 0; w < 4; ++w) {
      const float weight = exp2f(tops[w * 16 + row] - base);
      sum += weight * sums[w * 16 + row];
      value += weight * outs[(w * 16 + row) * Dim + column];
    }
    const long long slot = (kv_head * group + row) * parts + part;
    parts_out[slot * Dim + column] = sum > 0 ? value / sum : 0.0f;
    if (column == 0) parts_lse[slot] = sum > 0 ? base + log2f(sum) : -INFINITY;
  }
}

// Grid: (rows = batch * heads); block: Dim threads. out [rows, Dim] = the parts weighted by their sums.
GPUBENCH_KERNEL combine_parts(const float* parts_out, const float* parts_lse, Bf16* out, int parts) {
  const int dim = static_cast<int>(blockDim.x), column = static_cast<int>(threadIdx.x);
  const long long row = blockIdx.x;
  float top = -INFINITY;
  for (int p = 0; p < parts; ++p) top = fmaxf(top, parts_lse[row * parts + p]);
  float sum = 0, value = 0;
  for (int p = 0; p < parts; ++p) {
    const float weight = exp2f(parts_lse[row * parts + p] - top);
    sum += weight;
    value += weight * parts_out[(row * parts + p) * dim + column];
  }
  out[row * dim + column] = static_cast<Bf16>(pack_bf16(value / sum, 0.0f) & 0xffffu);
}

constexpr int product_depth = 64;  // columns of A that are in shared memory at a time
constexpr int product_shared_bytes = 2 * tile_rows * (product_depth + 8) * 2;

// c[m, n] = alpha * a[m, k] b, with b as [n, k] (b_is_rows: scores) or as [k, n] (output), in tiles of 64
// x 64. Grid: (n / 64, m / 64, matrices), rounded up; matrix z takes b number z / b_group. n and k are
// multiples of 8.
template <bool b_is_rows>
__global__ void __launch_bounds__(attention_threads)
    tile_product(const Bf16* a, const Bf16* b, Bf16* c, int m, int n, int k, int b_group, float alpha) {
  GPUBENCH_DYNAMIC_SHARED(shared);
  constexpr int pitch = product_depth + 8;
  Bf16* a_tile = reinterpret_cast<Bf16*>(shared);
  Bf16* b_tile = a_tile + tile_rows * pitch;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int top = static_cast<int>(blockIdx.y) * tile_rows, left = static_cast<int>(blockIdx.x) * tile_rows;
  a += static_cast<long long>(blockIdx.z) * m * k;
  b += static_cast<long long>(static_cast<int>(blockIdx.z) / b_group) * n * k;
  c += static_cast<long long>(blockIdx.z) * m * n;

  // Loads rows x 64 columns from (row, column) of a matrix; zeros outside of it.
  const auto load = [](Bf16* to, const Bf16* from, int row, int column, int rows, int columns) {
    for (int i = static_cast<int>(threadIdx.x); i < tile_rows * 8; i += attention_threads) {
      const int r = row + i / 8, x = column + i % 8 * 8;
      const bool inside = r < rows && x < columns;
      copy_async_16(to + i / 8 * pitch + i % 8 * 8,
                    from + (inside ? static_cast<long long>(r) * columns + x : 0), inside);
    }
  };
  float sum[tile_rows / 8][4] = {};
  for (int depth = 0; depth < k; depth += product_depth) {
    load(a_tile, a, top, depth, m, k);
    if (b_is_rows) {
      load(b_tile, b, left, depth, n, k);
    } else {
      load(b_tile, b, depth, left, k, n);
    }
    copy_async_commit();
    copy_async_wait<0>();
    __syncthreads();
    GPUBENCH_UNROLL
    for (int d = 0; d < product_depth / 16; ++d) {
      unsigned rows[4];
      load_matrices(rows, a_tile + (warp * 16 + lane % 16) * pitch + d * 16 + lane / 16 * 8);
      GPUBENCH_UNROLL
      for (int j = 0; j < tile_rows / 16; ++j) {
        unsigned columns[4];
        if (b_is_rows) {
          // Matrices: keys 0-7 at depth 0-7, at depth 8-15, then keys 8-15 at both.
          load_matrices(columns,
                        b_tile + (j * 16 + lane / 16 * 8 + lane % 8) * pitch + d * 16 + lane / 8 % 2 * 8);
        } else {
          load_matrices_transposed(columns, b_tile + (d * 16 + lane % 16) * pitch + j * 16 + lane / 16 * 8);
        }
        mma_bf16(sum[2 * j], rows, columns[0], columns[1]);
        mma_bf16(sum[2 * j + 1], rows, columns[2], columns[3]);
      }
    }
    __syncthreads();
  }
  GPUBENCH_UNROLL
  for (int j = 0; j < tile_rows / 8; ++j) GPUBENCH_UNROLL
  for (int r = 0; r < 2; ++r) {
    const int row = top + warp * 16 + lane / 4 + 8 * r, column = left + j * 8 + lane % 4 * 2;
    if (row < m && column < n)
      store_pair(c + static_cast<long long>(row) * n + column,
                 pack_bf16(alpha * sum[j][2 * r], alpha * sum[j][2 * r + 1]));
  }
}

}  // namespace gpubench

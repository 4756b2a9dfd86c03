// Runs the microbenchmarks' kernels on the CPU, one operating-system thread per GPU thread, blocks one after
// another. The warp-wide instructions follow the lane layouts of the PTX manual, written here a second time.
// Include before any kernel header. Slow: for small shapes. Under ThreadSanitizer a missing __syncthreads
// shows.
#pragma once

#include <algorithm>
#include <array>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "calibrate/bench/host/bits.h"

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)
#define GPUBENCH_KERNEL inline void
#define GPUBENCH_UNROLL
#define GPUBENCH_UNROLL_BY(times)
#define GPUBENCH_DYNAMIC_SHARED(name) unsigned char* name = emulator::current().block->shared

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

namespace emulator {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

// What 32 lanes tell each other.
struct Warp {
  std::barrier<> sync{32};
  std::array<std::array<unsigned, 6>, 32> words{};
  std::array<const void*, 32> rows{};
};

struct alignas(16) Chunk {
  unsigned char bytes[16];
};

struct Block {
  Block(Index where, unsigned threads, std::size_t shared_bytes)
      : index(where),
        sync(static_cast<std::ptrdiff_t>(threads)),
        chunks(shared_bytes / 16 + 1),
        shared(chunks[0].bytes),
        warps((threads + 31) / 32) {
    std::memset(shared, 0xff, chunks.size() * 16);  // NaN: what nobody wrote must not be used
  }
  Index index;
  std::barrier<> sync;
  std::vector<Chunk> chunks;
  unsigned char* shared;
  std::vector<Warp> warps;
};

struct Thread {
  Index thread, block_index, block_size, grid;
  Block* block = nullptr;
  Warp& warp() const { return block->warps[thread.x / 32]; }
  unsigned lane() const { return thread.x % 32; }
};

inline Thread& current() {
  thread_local Thread thread;
  return thread;
}

// kernel<<<grid, threads, shared_bytes>>>(...), as launch(grid, threads, shared_bytes, [&] { kernel(...); }).
template <class Kernel>
void launch(Index grid, unsigned threads, std::size_t shared_bytes, Kernel kernel) {
  std::vector<std::unique_ptr<Block>> blocks;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x)
        blocks.push_back(std::make_unique<Block>(Index{x, y, z}, threads, shared_bytes));
  std::barrier<> between_blocks(static_cast<std::ptrdiff_t>(threads));
  std::vector<std::thread> running;
  for (unsigned t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      for (auto& block : blocks) {
        current() = {{t, 0, 0}, block->index, {threads, 1, 1}, grid, block.get()};
        kernel();
        block->sync.arrive_and_drop();
        between_blocks.arrive_and_wait();
      }
    });
  for (auto& thread : running) thread.join();
}

}  // namespace emulator

#define threadIdx (emulator::current().thread)
#define blockIdx (emulator::current().block_index)
#define blockDim (emulator::current().block_size)
#define gridDim (emulator::current().grid)

inline void __syncthreads() { emulator::current().block->sync.arrive_and_wait(); }

inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
using std::min;

inline float __shfl_xor_sync(unsigned, float value, unsigned other) {
  emulator::Warp& warp = emulator::current().warp();
  const unsigned lane = emulator::current().lane();
  warp.words[lane][0] = __float_as_uint(value);
  warp.sync.arrive_and_wait();
  const float result = __uint_as_float(warp.words[lane ^ other][0]);
  warp.sync.arrive_and_wait();
  return result;
}

namespace gpubench {

inline unsigned pack_bf16(float low, float high) {
  return static_cast<unsigned>(bf16_bits(low)) | static_cast<unsigned>(bf16_bits(high)) << 16;
}
inline float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }
inline float high_bf16(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }
inline unsigned load_pair(const unsigned short* from) {
  unsigned pair;
  std::memcpy(&pair, from, 4);
  return pair;
}
inline void store_pair(unsigned short* to, unsigned pair) { std::memcpy(to, &pair, 4); }

inline void mma_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulator::Warp& warp = emulator::current().warp();
  const unsigned lane = emulator::current().lane(), group = lane / 4, in_group = lane % 4;
  warp.words[lane] = {a[0], a[1], a[2], a[3], b0, b1};
  warp.sync.arrive_and_wait();
  const auto half = [](unsigned pair, unsigned upper) { return upper ? high_bf16(pair) : low_bf16(pair); };
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned row = group + (i >= 2 ? 8 : 0), column = in_group * 2 + (i & 1);
    for (unsigned k = 0; k < 16; ++k) {
      // a: register 0 has (group, k < 8), 1 (group + 8, k < 8), 2 (group, k >= 8), 3 (group + 8, k >= 8).
      const unsigned a_word = warp.words[row % 8 * 4 + k % 8 / 2][(row >= 8 ? 1 : 0) + (k >= 8 ? 2 : 0)];
      // b: register 0 has (k < 8, column = group), register 1 (k >= 8, column = group).
      const unsigned b_word = warp.words[column * 4 + k % 8 / 2][k >= 8 ? 5 : 4];
      c[i] += half(a_word, k % 2) * half(b_word, k % 2);
    }
  }
  warp.sync.arrive_and_wait();
}

template <bool transposed>
void load_four(unsigned (&to)[4], const void* row) {
  emulator::Warp& warp = emulator::current().warp();
  const unsigned lane = emulator::current().lane();
  warp.rows[lane] = row;
  warp.sync.arrive_and_wait();
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    unsigned short value[2];
    for (unsigned i = 0; i < 2; ++i) {
      const unsigned r = transposed ? lane % 4 * 2 + i : lane / 4,
                     c = transposed ? lane / 4 : lane % 4 * 2 + i;
      std::memcpy(&value[i], static_cast<const unsigned char*>(warp.rows[matrix * 8 + r]) + c * 2, 2);
    }
    to[matrix] = static_cast<unsigned>(value[0]) | static_cast<unsigned>(value[1]) << 16;
  }
  warp.sync.arrive_and_wait();
}
inline void load_matrices(unsigned (&to)[4], const void* row) { load_four<false>(to, row); }
inline void load_matrices_transposed(unsigned (&to)[4], const void* row) { load_four<true>(to, row); }

// Copies at once: whether the kernels wait long enough is not seen here.
inline void copy_async_16(void* shared, const void* global, bool valid) {
  if (valid) {
    std::memcpy(shared, global, 16);
  } else {
    std::memset(shared, 0, 16);
  }
}
inline void copy_async_commit() {}
template <int>
void copy_async_wait() {}

inline unsigned load_in_order(const unsigned* from) { return *from; }
inline uint4 load_l2(const uint4* from) { return *from; }
inline void store_l2(uint4* to, uint4 value) { *to = value; }
inline unsigned long long nanoseconds() {
  return static_cast<unsigned long long>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                             std::chrono::steady_clock::now().time_since_epoch())
                                             .count());
}
inline unsigned long long cycles() { return nanoseconds(); }

}  // namespace gpubench

// Kernels that only move data: streams over a footprint, a pointer chase, loads in flight, strides, banks.
#pragma once

#include "portable.cuh"

namespace gpubench {

enum class Traffic { read, write, copy, scale };

__device__ inline unsigned doubled(unsigned bits) { return __float_as_uint(2.0f * __uint_as_float(bits)); }

// Every thread walks round `count` elements of 16 bytes in steps of `step` < count, 4 at a time, `rounds`
// times, so that a small footprint keeps all threads busy too. `sink` has one element per thread: the xor of
// all words that it read, written where `report` is set (and, so that the loads stay, at one value by
// chance). Threads may write the same element, but then the same value.
template <Traffic traffic>
__global__ void stream(const uint4* source, uint4* target, unsigned count, unsigned step, unsigned rounds,
                       bool report, unsigned* sink) {
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned at = thread % count;
  unsigned seen = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    unsigned index[4];
    uint4 value[4];
    GPUBENCH_UNROLL
    for (int i = 0; i < 4; ++i) {
      index[i] = at;
      at += step;
      if (at >= count) at -= count;
    }
    GPUBENCH_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (traffic == Traffic::write) {
        value[i].x = value[i].y = value[i].z = value[i].w = index[i];
      } else {
        value[i] = load_l2(source + index[i]);
      }
    }
    GPUBENCH_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (traffic == Traffic::read) {
        seen ^= value[i].x ^ value[i].y ^ value[i].z ^ value[i].w;
        continue;
      }
      if (traffic == Traffic::scale) {
        value[i].x = doubled(value[i].x);
        value[i].y = doubled(value[i].y);
        value[i].z = doubled(value[i].z);
        value[i].w = doubled(value[i].w);
      }
      store_l2(target + index[i], value[i]);
    }
  }
  if (traffic == Traffic::read && (report || seen == 0x9E3779B9u)) sink[thread] = seen;
}

constexpr unsigned line_words = 32;  // a cache line of 128 bytes

// Spreads the links of a cycle, one line each: lines[i * line_words] = next[i].
GPUBENCH_KERNEL lay_out_chain(const unsigned* next, unsigned* lines, unsigned count) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) lines[static_cast<unsigned long long>(i) * line_words] = next[i];
}

// One thread follows the chain from *position, `warm` steps and then `steps` timed ones; *position moves on,
// so that the next launch meets other lines. spent: cycles, nanoseconds.
GPUBENCH_KERNEL chase(const unsigned* lines, unsigned* position, unsigned warm, unsigned steps,
                      unsigned long long* spent) {
  unsigned at = *position;
  for (unsigned i = 0; i < warm; ++i)
    at = load_in_order(lines + static_cast<unsigned long long>(at) * line_words);
  const unsigned long long start_ns = nanoseconds(), start = cycles();
  GPUBENCH_UNROLL_BY(1)
  for (unsigned i = 0; i < steps; ++i)
    at = load_in_order(lines + static_cast<unsigned long long>(at) * line_words);
  *position = at;  // waits for the last load
  spent[0] = cycles() - start;
  spent[1] = nanoseconds() - start_ns;
}

constexpr unsigned hops_most = 4096;

// The same with the cycles of every hop, by at most hops_most hops: near and far parts of the L2 differ.
GPUBENCH_KERNEL chase_each(const unsigned* lines, unsigned hops, unsigned* spent) {
  __shared__ volatile unsigned arrived[2];
  unsigned at = 0;
  for (unsigned i = 0; i < hops; ++i) {
    const unsigned long long start = cycles();
    at = load_in_order(lines + static_cast<unsigned long long>(at) * line_words);
    arrived[i % 2] = at;  // this store needs the value, so the clock is read after the load has ended
    spent[i] = static_cast<unsigned>(cycles() - start);
  }
  spent[hops] = arrived[(hops - 1) % 2];
}

__device__ inline unsigned folded(unsigned value) { return value; }
__device__ inline unsigned folded(uint4 value) { return value.x ^ value.y ^ value.z ^ value.w; }

// Exactly InFlight loads of Element per thread are under way at a time. Reads rounds * InFlight * threads
// elements, each once.
template <class Element, int InFlight>
__global__ void read_in_flight(const Element* data, unsigned rounds, bool report, unsigned* sink) {
  const unsigned threads = gridDim.x * blockDim.x;
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned seen = 0;
  unsigned long long at = thread;
  GPUBENCH_UNROLL_BY(1)
  for (unsigned round = 0; round < rounds; ++round) {
    Element value[InFlight];
    GPUBENCH_UNROLL
    for (int i = 0; i < InFlight; ++i) value[i] = data[at + static_cast<unsigned long long>(i) * threads];
    GPUBENCH_UNROLL
    for (int i = 0; i < InFlight; ++i) seen ^= folded(value[i]);
    at += static_cast<unsigned long long>(InFlight) * threads;
  }
  if (report || seen == 0x9E3779B9u) sink[thread] = seen;
}

// Thread i reads the words at offset + (4-fold grid-stride i) * stride. Reads 4 * threads words.
GPUBENCH_KERNEL read_strided(const unsigned* data, unsigned stride, unsigned offset, bool report,
                             unsigned* sink) {
  const unsigned threads = gridDim.x * blockDim.x;
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned value[4];
  GPUBENCH_UNROLL
  for (unsigned i = 0; i < 4; ++i)
    value[i] = data[offset + static_cast<unsigned long long>(thread + i * threads) * stride];
  const unsigned seen = value[0] ^ value[1] ^ value[2] ^ value[3];
  if (report || seen == 0x9E3779B9u) sink[thread] = seen;
}

constexpr unsigned bank_stride_most = 33;

// Lane l of every warp loads word l * stride of shared memory, `steps` times, each load waiting for the one
// before. One block; *spent: cycles until all warps are done; ends[thread]: where its chain stands.
GPUBENCH_KERNEL load_banks(unsigned stride, unsigned steps, unsigned long long* spent, unsigned* ends) {
  __shared__ unsigned table[31 * bank_stride_most + 1];
  for (unsigned i = threadIdx.x; i < 31 * bank_stride_most + 1; i += blockDim.x) table[i] = i;
  unsigned at = threadIdx.x % 32 * stride;
  __syncthreads();
  const unsigned long long start = cycles();
  GPUBENCH_UNROLL_BY(8)
  for (unsigned i = 0; i < steps; ++i) at = table[at];
  ends[threadIdx.x] = at;  // needs the last load
  __syncthreads();
  if (threadIdx.x == 0) *spent = cycles() - start;
}

// out = a + b, `passes` times over: what the SM-resident step of an all-reduce does to memory (two streams
// in, one out) on as many blocks as are launched.
GPUBENCH_KERNEL reduce_copy(const float4* a, const float4* b, float4* out, unsigned count, unsigned passes) {
  const unsigned threads = gridDim.x * blockDim.x;
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  for (unsigned pass = 0; pass < passes; ++pass) {
    GPUBENCH_UNROLL_BY(4)
    for (unsigned i = thread; i < count; i += threads) {
      const float4 x = a[i], y = b[i];
      float4 sum;
      sum.x = x.x + y.x;
      sum.y = x.y + y.y;
      sum.z = x.z + y.z;
      sum.w = x.w + y.w;
      out[i] = sum;
    }
  }
}

GPUBENCH_KERNEL empty() {}
GPUBENCH_KERNEL count_up(unsigned* counter) {
  if (threadIdx.x == 0 && blockIdx.x == 0) ++*counter;
}

}  // namespace gpubench

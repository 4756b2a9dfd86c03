// The instructions the kernels use beyond plain CUDA C++, each behind a function. The kernels include nothing
// else, so a program that is not compiled by nvcc can run them on a CPU if it defines the same names first;
// the tests do.
#pragma once

#ifdef __CUDACC__

// A kernel that is no template, in a header.
#define GPUBENCH_KERNEL [[maybe_unused]] static __global__ void
#define GPUBENCH_UNROLL _Pragma("unroll")
#define GPUBENCH_TEXT(text) #text
#define GPUBENCH_UNROLL_BY(times) _Pragma(GPUBENCH_TEXT(unroll times))
#define GPUBENCH_DYNAMIC_SHARED(name) extern __shared__ __align__(16) unsigned char name[]

namespace gpubench {

// Two floats rounded to bf16, `low` in the lower half.
__device__ inline unsigned pack_bf16(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ inline float low_bf16(unsigned pair) { return __uint_as_float(pair << 16); }
__device__ inline float high_bf16(unsigned pair) { return __uint_as_float(pair & 0xffff0000u); }

// Two neighbouring bf16, at an even index.
__device__ inline unsigned load_pair(const unsigned short* from) {
  return *reinterpret_cast<const unsigned*>(from);
}
__device__ inline void store_pair(unsigned short* to, unsigned pair) {
  *reinterpret_cast<unsigned*>(to) = pair;
}

// c (16 x 8) += a (16 x 16) b (16 x 8) by one warp; lane l has rows l/4 and l/4 + 8 and columns 2 (l%4), + 1
// of c.
__device__ inline void mma_bf16(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Four 8 x 8 matrices of 2-byte elements from shared memory: lanes 8i .. 8i+7 point to the rows (16 bytes,
// aligned) of matrix i; lane l gets row l/4, columns 2 (l%4) and + 1 of each.
__device__ inline void load_matrices(unsigned (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}
// The same, transposed: lane l gets rows 2 (l%4) and + 1 of column l/4.
__device__ inline void load_matrices_transposed(unsigned (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
}

// Starts copying 16 bytes to shared memory, zeros where not `valid`; `global` must be readable either way.
__device__ inline void copy_async_16(void* shared, const void* global, bool valid) {
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(shared))),
               "l"(__cvta_generic_to_global(global)), "r"(bytes)
               : "memory");
}
__device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits for this thread's copies, all but the `Pending` youngest groups.
template <int Pending>
__device__ inline void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

// A load that is neither dropped nor moved past a clock; through L1.
__device__ inline unsigned load_in_order(const unsigned* from) {
  unsigned value;
  asm volatile("ld.global.ca.u32 %0, [%1];" : "=r"(value) : "l"(__cvta_generic_to_global(from)) : "memory");
  return value;
}
// Loads and stores that go to L2 and leave L1 out.
__device__ inline uint4 load_l2(const uint4* from) { return __ldcg(from); }
__device__ inline void store_l2(uint4* to, uint4 value) { __stcg(to, value); }

__device__ inline unsigned long long cycles() { return static_cast<unsigned long long>(clock64()); }
__device__ inline unsigned long long nanoseconds() {
  unsigned long long time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time)::"memory");
  return time;
}

}  // namespace gpubench

#endif

namespace gpubench {

using Bf16 = unsigned short;  // the bits

__device__ inline float warp_sum(float x) {
  for (int other = 16; other > 0; other /= 2) x += __shfl_xor_sync(0xffffffffu, x, other);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int other = 16; other > 0; other /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, other));
  return x;
}

}  // namespace gpubench

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "formats.h"
#include "raii.h"

namespace gpubench {

namespace {

__device__ unsigned long long mixed(unsigned long long z) {  // splitmix64
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// Box-Muller on two halves of a hash of the index.
__device__ float normal(std::uint64_t seed, std::uint64_t index) {
  const unsigned long long bits = mixed((seed * 0x100000001B3ull) ^ (index * 0x9E3779B97F4A7C15ull));
  const float u = (static_cast<float>(bits >> 40) + 1.0f) * (1.0f / 16777217.0f);
  const float v = static_cast<float>(bits & 0xffffffu) * (1.0f / 16777216.0f);
  return sqrtf(-2.0f * logf(u)) * cospif(2.0f * v);
}

__device__ void convert(float x, __nv_bfloat16& to) { to = __float2bfloat16(x); }
__device__ void convert(float x, __half& to) { to = __float2half(x); }
__device__ void convert(float x, float& to) { to = x; }
__device__ void convert(float x, double& to) { to = static_cast<double>(x); }
__device__ void convert(float x, __nv_fp8_e4m3& to) { to = __nv_fp8_e4m3(x); }
__device__ void convert(float x, signed char& to) {
  to = static_cast<signed char>(__float2int_rn(fminf(127.0f, fmaxf(-127.0f, 25.0f * x))));
}

// One thread writes 16 bytes.
template <class T>
__global__ void fill_normal(uint4* to, std::size_t pieces, std::uint64_t seed) {
  const std::size_t threads = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  constexpr int per_piece = 16 / sizeof(T);
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < pieces;
       i += threads) {
    union Piece {
      uint4 bits;
      T value[per_piece];
      __device__ Piece() : bits{} {}
    } piece;
    for (int j = 0; j < per_piece; ++j) convert(normal(seed, i * per_piece + j), piece.value[j]);
    to[i] = piece.bits;
  }
}

template <class T>
std::vector<double> converted(const void* from, std::size_t count) {
  std::vector<double> result;
  for (const T& value : fetched(static_cast<const T*>(from), count))
    result.push_back(static_cast<double>(static_cast<float>(value)));
  return result;
}

}  // namespace

const char* name(Format format) {
  switch (format) {
    case Format::bf16:
      return "bf16";
    case Format::fp16:
      return "fp16";
    case Format::tf32:
      return "tf32";
    case Format::fp32:
      return "fp32";
    case Format::fp8:
      return "fp8";
    case Format::int8:
      return "int8";
    case Format::fp64:
      return "fp64";
  }
  return "";
}

std::size_t bytes_of(Format format) {
  switch (format) {
    case Format::bf16:
    case Format::fp16:
      return 2;
    case Format::tf32:
    case Format::fp32:
      return 4;
    case Format::fp8:
    case Format::int8:
      return 1;
    case Format::fp64:
      return 8;
  }
  return 0;
}

void fill(void* to, Format format, std::size_t count, Filling filling, std::uint64_t seed,
          cudaStream_t stream) {
  const std::size_t pieces = count * bytes_of(format) / 16;
  if (filling == Filling::zero) {
    CUDA_CHECK(cudaMemsetAsync(to, 0, pieces * 16, stream));
    return;
  }
  if (pieces == 0) return;
  const auto run = [&](auto kernel) {
    kernel<<<1024, 256, 0, stream>>>(static_cast<uint4*>(to), pieces, seed);
    LAUNCH_CHECK();
  };
  switch (format) {
    case Format::bf16:
      return run(fill_normal<__nv_bfloat16>);
    case Format::fp16:
      return run(fill_normal<__half>);
    case Format::tf32:
    case Format::fp32:
      return run(fill_normal<float>);
    case Format::fp8:
      return run(fill_normal<__nv_fp8_e4m3>);
    case Format::int8:
      return run(fill_normal<signed char>);
    case Format::fp64:
      return run(fill_normal<double>);
  }
}

std::vector<double> values(const void* from, Format format, std::size_t count) {
  switch (format) {
    case Format::bf16:
      return converted<__nv_bfloat16>(from, count);
    case Format::fp16:
      return converted<__half>(from, count);
    case Format::tf32:
    case Format::fp32:
      return converted<float>(from, count);
    case Format::fp8:
      return converted<__nv_fp8_e4m3>(from, count);
    case Format::int8:
      return converted<signed char>(from, count);
    case Format::fp64:
      return fetched(static_cast<const double*>(from), count);
  }
  return {};
}

std::vector<double> int32_values(const void* from, std::size_t count) {
  const std::vector<int> integers = fetched(static_cast<const int*>(from), count);
  return {integers.begin(), integers.end()};
}

}  // namespace gpubench

// Number formats: their names, sizes, random values on the device, and values on the host.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gpubench {

enum class Format { bf16, fp16, tf32, fp32, fp8, int8, fp64 };  // tf32 is stored as fp32; fp8 is E4M3

const char* name(Format format);
std::size_t bytes_of(Format format);

enum class Filling { normal, zero };  // independent values of mean 0 and deviation 1 (int8: 25), or zeros

// Fills `count` elements, a whole number of 16-byte pieces.
void fill(void* to, Format format, std::size_t count, Filling filling, std::uint64_t seed,
          cudaStream_t stream);

// Elements on the device, as numbers.
std::vector<double> values(const void* from, Format format, std::size_t count);
std::vector<double> int32_values(const void* from, std::size_t count);

}  // namespace gpubench

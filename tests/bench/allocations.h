// Counts allocations: replaces the operators of the whole program, so one file of it includes this.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>

namespace gpuplan::bench {

inline std::uint64_t allocations = 0;

}  // namespace gpuplan::bench

void* operator new(std::size_t size) {
  ++gpuplan::bench::allocations;
  if (void* memory = std::malloc(size)) {
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }

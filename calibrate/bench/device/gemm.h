// y[m, n] = x[m, k] w[n, k]^T through cuBLASLt, all row-major: a linear layer. x and w have the format; y is
// bf16 for bf16 and fp8, int32 for int8, and the format itself otherwise.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>
#include <string>

#include "formats.h"

namespace gpubench {

constexpr std::size_t gemm_workspace_bytes = std::size_t{32} << 20;

std::size_t result_bytes_of(Format format);  // of one element of y

// One product with the algorithm chosen. Throws GpuError; where the library has no kernel for the product,
// `usable` is false and `reason` says why.
class Gemm {
 public:
  Gemm(Format format, int m, int n, int k, void* workspace);
  ~Gemm();
  Gemm(const Gemm&) = delete;
  Gemm& operator=(const Gemm&) = delete;

  // Whether this program was built with cuBLASLt; the version as text, empty without.
  static bool available();
  static std::string library_version();

  bool usable() const;
  std::string reason() const;
  int algorithms() const;   // candidates the library's heuristic offered, best guess first, at most 8
  void choose(int number);  // 0, the library's own choice, to begin with
  void launch(cudaStream_t stream, const void* x, const void* w, void* y) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpubench

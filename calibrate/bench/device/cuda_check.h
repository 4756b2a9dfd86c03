// Errors of CUDA calls become exceptions that say file, line, call and reason.
#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

namespace gpubench {

struct GpuError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] inline void gpu_failure(const char* file, int line, const char* call,
                                     const std::string& reason) {
  throw GpuError(std::string(file) + ":" + std::to_string(line) + ": " + call + ": " + reason);
}

inline void check_cuda(cudaError_t status, const char* file, int line, const char* call) {
  if (status != cudaSuccess) gpu_failure(file, line, call, cudaGetErrorString(status));
}

}  // namespace gpubench

#define CUDA_CHECK(call) ::gpubench::check_cuda((call), __FILE__, __LINE__, #call)
// After a launch with <<<>>>.
#define LAUNCH_CHECK() ::gpubench::check_cuda(cudaGetLastError(), __FILE__, __LINE__, "kernel launch")

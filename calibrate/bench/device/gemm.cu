#include "cuda_check.h"
#include "gemm.h"

#ifdef GPUBENCH_CUBLASLT
#include <cublasLt.h>
#endif

namespace gpubench {

std::size_t result_bytes_of(Format format) {
  switch (format) {
    case Format::fp8:
      return 2;
    case Format::int8:
      return 4;
    default:
      return bytes_of(format);
  }
}

#ifdef GPUBENCH_CUBLASLT

namespace {

void check_blas(cublasStatus_t status, const char* file, int line, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    gpu_failure(file, line, call, "cuBLAS status " + std::to_string(static_cast<int>(status)));
}
#define BLAS_CHECK(call) check_blas((call), __FILE__, __LINE__, #call)

// One per process; never destroyed, because its library may be gone by then.
cublasLtHandle_t handle() {
  static cublasLtHandle_t shared = [] {
    cublasLtHandle_t created = nullptr;
    BLAS_CHECK(cublasLtCreate(&created));
    return created;
  }();
  return shared;
}

struct Types {
  cudaDataType_t in, out, scale;
  cublasComputeType_t compute;
};

Types types(Format format) {
  switch (format) {
    case Format::bf16:
      return {CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Format::fp16:
      return {CUDA_R_16F, CUDA_R_16F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Format::tf32:
      return {CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32};
    case Format::fp32:
      return {CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Format::fp8:
      return {CUDA_R_8F_E4M3, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F};
    case Format::int8:
      return {CUDA_R_8I, CUDA_R_32I, CUDA_R_32I, CUBLAS_COMPUTE_32I};
    case Format::fp64:
      return {CUDA_R_64F, CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F};
  }
  return {};
}

}  // namespace

struct Gemm::Impl {
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulHeuristicResult_t candidates[8] = {};
  int count = 0, chosen = 0;
  cudaDataType_t scale_type{};
  void* workspace = nullptr;
  std::string reason;

  ~Impl() {
    if (preference) cublasLtMatmulPreferenceDestroy(preference);
    if (y) cublasLtMatrixLayoutDestroy(y);
    if (x) cublasLtMatrixLayoutDestroy(x);
    if (w) cublasLtMatrixLayoutDestroy(w);
    if (operation) cublasLtMatmulDescDestroy(operation);
  }
};

// The library counts column-major: row-major y[m, n] is its y'[n, m] = (w'[k, n])^T x'[k, m].
Gemm::Gemm(Format format, int m, int n, int k, void* workspace) : impl_(std::make_unique<Impl>()) {
  Impl& g = *impl_;
  const Types t = types(format);
  g.scale_type = t.scale;
  g.workspace = workspace;
  BLAS_CHECK(cublasLtMatmulDescCreate(&g.operation, t.compute, t.scale));
  const cublasOperation_t transposed = CUBLAS_OP_T, plain = CUBLAS_OP_N;
  BLAS_CHECK(cublasLtMatmulDescSetAttribute(g.operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                            sizeof transposed));
  BLAS_CHECK(cublasLtMatmulDescSetAttribute(g.operation, CUBLASLT_MATMUL_DESC_TRANSB, &plain, sizeof plain));
  if (format == Format::fp8) {  // as inference engines run it; scales stay at their default of 1
    const std::int8_t fast = 1;
    BLAS_CHECK(
        cublasLtMatmulDescSetAttribute(g.operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast));
  }
  const auto rows = [](int count) { return static_cast<std::uint64_t>(count); };
  BLAS_CHECK(cublasLtMatrixLayoutCreate(&g.w, t.in, rows(k), rows(n), k));
  BLAS_CHECK(cublasLtMatrixLayoutCreate(&g.x, t.in, rows(k), rows(m), k));
  BLAS_CHECK(cublasLtMatrixLayoutCreate(&g.y, t.out, rows(n), rows(m), n));
  BLAS_CHECK(cublasLtMatmulPreferenceCreate(&g.preference));
  const std::size_t bytes = gemm_workspace_bytes;
  BLAS_CHECK(cublasLtMatmulPreferenceSetAttribute(g.preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                  &bytes, sizeof bytes));
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle(), g.operation, g.w, g.x, g.y, g.y,
                                                               g.preference, 8, g.candidates, &g.count);
  if (status != CUBLAS_STATUS_SUCCESS || g.count == 0) {
    g.count = 0;
    g.reason = "cuBLASLt offers no kernel (status " + std::to_string(static_cast<int>(status)) + ")";
  }
}

bool Gemm::available() { return true; }
std::string Gemm::library_version() { return std::to_string(cublasLtGetVersion()); }
int Gemm::algorithms() const { return impl_->count; }
void Gemm::choose(int number) { impl_->chosen = number; }

void Gemm::launch(cudaStream_t stream, const void* x, const void* w, void* y) const {
  const Impl& g = *impl_;
  const float one = 1, zero = 0;
  const double one_double = 1, zero_double = 0;
  const std::int32_t one_integer = 1, zero_integer = 0;
  const void *alpha = &one, *beta = &zero;
  if (g.scale_type == CUDA_R_64F) {
    alpha = &one_double;
    beta = &zero_double;
  } else if (g.scale_type == CUDA_R_32I) {
    alpha = &one_integer;
    beta = &zero_integer;
  }
  BLAS_CHECK(cublasLtMatmul(handle(), g.operation, alpha, w, g.w, x, g.x, beta, y, g.y, y, g.y,
                            &g.candidates[g.chosen].algo, g.workspace, gemm_workspace_bytes, stream));
}

#else

struct Gemm::Impl {
  std::string reason = "built without cuBLASLt";
};
Gemm::Gemm(Format, int, int, int, void*) : impl_(std::make_unique<Impl>()) {}
bool Gemm::available() { return false; }
std::string Gemm::library_version() { return ""; }
int Gemm::algorithms() const { return 0; }
void Gemm::choose(int) {}
void Gemm::launch(cudaStream_t, const void*, const void*, void*) const { throw GpuError(impl_->reason); }

#endif

Gemm::~Gemm() = default;
bool Gemm::usable() const { return algorithms() > 0; }
std::string Gemm::reason() const { return impl_->reason; }

}  // namespace gpubench

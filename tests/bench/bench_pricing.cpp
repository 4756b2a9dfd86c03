// Cost of a price: nanoseconds of CPU time per operation and allocations, the best of five runs, for every
// GPU that a profile was fitted for. Shapes vary from call to call, so nothing but the fitted constants is
// warm. To compare two states of the code, count instructions: valgrind --tool=callgrind.
#include <algorithm>
#include <cstdio>
#include <string>

#include "hwmodels/kernels/kernel_model.h"
#include "tests/bench/allocations.h"
#include "tests/bench/measure.h"

using gpuplan::bench::allocations;
using gpuplan::bench::cpu_seconds;
using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

// `priced(i)` prices the i-th operation and returns its time.
template <class Priced>
void report(const std::string& gpu, const char* name, Priced&& priced) {
  constexpr int kOperations = 100'000;
  double best = 1e300, sum = 0.0;
  const std::uint64_t before = allocations;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const double begin = cpu_seconds();
    for (int i = 0; i < kOperations; ++i) {
      sum += priced(i).time.si();
    }
    best = std::min(best, cpu_seconds() - begin);
  }
  std::printf("%-20s %-28s %8.0f %12llu%s\n", gpu.c_str(), name, 1e9 * best / kOperations,
              static_cast<unsigned long long>(allocations - before), sum > 0.0 ? "" : " (no time)");
}

}  // namespace

int main() {
  const std::string root = GPUPLAN_SOURCE_DIR;
  const Catalogue catalogue = Catalogue::load(root);
  std::printf("%-20s %-28s %8s %12s\n", "GPU", "operation", "ns", "allocations");
  for (const char* name : {"A100-80GB-SXM4", "H100-SXM5-80GB", "H200-SXM-141GB", "B200-SXM-180GB"}) {
    const Gpu* gpu = catalogue.gpu(name);
    if (gpu == nullptr) {
      std::printf("%-20s not in the catalogue\n", name);
      continue;
    }
    const KernelModel model = KernelModel::for_gpu(*gpu, root);
    report(name, "GEMM bf16",
           [&](int i) { return model.price(Gemm{.m = 1 + i % 4096, .n = 4096 + 64 * (i % 64), .k = 8192}); });
    report(name, "GEMM fp8", [&](int i) {
      return model.price(Gemm{.m = 1 + i % 4096,
                              .n = 4096 + 64 * (i % 64),
                              .k = 8192,
                              .activations = Precision::fp8,
                              .weights = Precision::fp8});
    });
    report(name, "attention prefill bf16", [&](int i) {
      return model.price(AttentionPrefill{.batch = 1 + i % 8,
                                          .queries = 100 + i % 4096,
                                          .context = 100 + i % 4096,
                                          .heads = 32,
                                          .kv_heads = 8});
    });
    report(name, "attention decode bf16", [&](int i) {
      return model.price(
          AttentionDecode{.batch = 1 + i % 256, .context = 1000.0 + i % 4096, .heads = 32, .kv_heads = 8});
    });
    report(name, "experts bf16", [&](int i) {
      return model.price(GroupedExperts{.tokens = 1 + i % 4096,
                                        .hidden = 4096,
                                        .expert_ffn = 1536,
                                        .experts = 128,
                                        .local_experts = 128,
                                        .top_k = 8});
    });
  }
}

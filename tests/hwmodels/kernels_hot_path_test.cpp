// Simulators price millions of operations: prices allocate nothing, and threads share one model.
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <new>
#include <thread>
#include <vector>

#include "tests/hwmodels/kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

thread_local std::uint64_t allocations = 0;  // of this thread

}  // namespace

// Replaces the operators of the whole test program; only this file looks at the count. A sanitizer has its
// own. Not inlined: the compiler would see a malloc'd block freed where it expects one of new.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GPUPLAN_SANITIZED
#endif
#endif
#ifndef GPUPLAN_SANITIZED
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) {
    return memory;
  }
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
#endif

namespace {

// Prices of shapes of each kind that simulations ask for in their inner loop; the same numbers every time.
void price_all(const KernelModel& model, std::vector<double>& seconds) {
  const auto take = [&](const Price& price) { seconds.push_back(price.time.si()); };
  for (std::int64_t i = 0; i < 64; ++i) {
    for (const Precision p : {Precision::bf16, Precision::fp8, Precision::int8}) {
      take(model.price(Gemm{.m = 1 + 67 * i, .n = 4096, .k = 1024 + 64 * i, .activations = p, .weights = p}));
    }
    take(model.price(Gemm{.m = 1 + i, .n = 4096, .k = 4096, .weights = Precision::int4}));
    take(model.price(AttentionPrefill{
        .batch = 1 + i % 4, .queries = 100 + i, .context = 4000, .heads = 32, .kv_heads = 8}));
    take(model.price(AttentionDecode{
        .batch = 1 + i, .context = 100.0 * static_cast<double>(1 + i), .heads = 32, .kv_heads = 8}));
    take(model.price(GroupedExperts{.tokens = 1 + 100 * i,
                                    .hidden = 4096,
                                    .expert_ffn = 1536,
                                    .experts = 128,
                                    .local_experts = 128,
                                    .top_k = 8}));
    take(model.price(AllReduce{.bytes = Bytes(1024.0 * static_cast<double>(1 + i)), .gpus = 8},
                     ScaleUp::nvswitch, true));
    take(model.price(StandardAttention{.batch = 1, .queries = 128 * (1 + i), .context = 128 * (1 + i)}));
    take(model.price(FlashAttention{.queries = 128 * (1 + i), .context = 128 * (1 + i)}));
    take(model.price(SparseGemm{.m = 64 * (1 + i), .n = 4096, .k = 4096}));
    take(model.price(Int4Gemm{.m = 1 + i, .n = 4096, .k = 4096}));
    take(model.price(
        Convolution{.batch = 1 + i, .height = 56, .width = 56, .in_channels = 64, .out_channels = 64}));
  }
}

std::size_t prices_of(const KernelModel& model) {
  std::vector<double> seconds;
  price_all(model, seconds);
  return seconds.size();
}

}  // namespace

TEST_CASE("Pricing allocates nothing") {
  for (const std::string& name : kMeasuredGpus) {
    CAPTURE(name);
    const KernelModel model = model_of(name);
    std::vector<double> seconds;
    seconds.reserve(prices_of(model));
    const std::uint64_t before = allocations;
    price_all(model, seconds);
    const std::uint64_t after = allocations;
    CHECK(after - before == 0);
#ifndef GPUPLAN_SANITIZED
    // The count does count.
    const std::vector<char> counted(1'000'000);
    CHECK(allocations > after);
#endif
    CHECK(std::all_of(seconds.begin(), seconds.end(), [](double s) { return s > 0.0; }));
  }
}

TEST_CASE("Threads that share a model get the prices that one alone gets") {
  const KernelModel model = model_of("H200-SXM-141GB");
  std::vector<double> alone;
  price_all(model, alone);
  std::vector<std::vector<double>> shared(4);
  std::vector<std::thread> threads;
  for (std::vector<double>& seconds : shared) {
    threads.emplace_back([&model, &seconds] {
      for (int repeat = 0; repeat < 20; ++repeat) {
        seconds.clear();
        price_all(model, seconds);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::vector<double>& seconds : shared) {
    CHECK(seconds == alone);
  }
}

// Attention with its scores in memory, against FlashAttention.
#include "hwmodels/kernels/standard_attention.h"
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

StandardAttention at(std::int64_t tokens) {
  return {.batch = 1,
          .queries = tokens,
          .context = tokens,
          .heads = 32,
          .kv_heads = 32,
          .head_dim = 128,
          .precision = Precision::fp16,
          .causal = false};
}

AttentionPrefill flash_at(std::int64_t tokens) {
  return {.batch = 1,
          .queries = tokens,
          .context = tokens,
          .heads = 32,
          .kv_heads = 32,
          .head_dim = 128,
          .value_dim = 128,
          .compute = Precision::fp16,
          .kv = Precision::fp16,
          .causal = false};
}

}  // namespace

TEST_CASE("Standard attention moves four score matrices") {
  // 32 heads x 8192 x 8192 x 2 B = 4.295 GB: written as S, read by the soft-max, written as P, read again.
  const double scores = 32.0 * 8192.0 * 8192.0 * 2.0;
  const double tensor = 8192.0 * 32.0 * 128.0 * 2.0;  // Q, and K, V, O alike: 67 MB
  CHECK(score_bytes(at(8192)).si() == Approx(scores));
  const KernelModel model = model_of("H100-SXM5-80GB");
  const Price price = model.price(at(8192));
  // Besides: Q and K, V and O in the GEMMs, and each of the four copied into another layout (read and
  // written).
  CHECK(price.hbm_bytes.si() == Approx(4.0 * scores + 4.0 * tensor + 8.0 * tensor));
  CHECK(price.hbm_bytes.si() == Approx(17.2e9).epsilon(0.06));
  CHECK(price.flops.si() == Approx(4.0 * 32.0 * 8192.0 * 8192.0 * 128.0));
  CHECK(price.limiter == Limiter::hbm_bandwidth);
  CHECK(price.time.si() > 4.0 * scores / 3.352e12);  // no faster than the memory
  // A mask is read and written over all scores, and saves nothing.
  StandardAttention masked = at(8192);
  masked.causal = true;
  CHECK(model.price(masked).hbm_bytes.si() - price.hbm_bytes.si() == Approx(2.0 * scores));
  CHECK(model.price(masked).flops == price.flops);
  CHECK(model.price(masked).time > price.time);
}

TEST_CASE("FlashAttention moves Q, K, V and O, the gap grows with the length") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  double last = 0.0;
  for (const std::int64_t tokens : {1024, 2048, 4096, 8192, 16384}) {
    const Price standard = model.price(at(tokens)), flash = model.price(flash_at(tokens));
    const double ratio = standard.time / flash.time;
    CHECK(ratio > 0.95 * last);  // it levels off: both grow with the square in the end
    CHECK(standard.hbm_bytes / flash.hbm_bytes > 0.02 * static_cast<double>(tokens) / 16.0);
    last = ratio;
  }
  CHECK(last > 3.0);  // measured at 8 k: 139 against 648 TFLOPS (FlashAttention-3)
  CHECK(last < 8.0);
}

TEST_CASE("Where standard attention runs out of memory") {
  // Two matrices of 32 s^2 x 2 B and four tensors of 32 x 128 s x 2 B: 128 s^2 + 32768 s = 80e9 at s = 24872.
  StandardAttention op = at(1);
  CHECK(longest_context(op, Bytes(80e9)) == 24872);
  op.queries = op.context = 24872;
  CHECK(working_memory(op) <= Bytes(80e9));
  op.queries = op.context = 24873;
  CHECK(working_memory(op) > Bytes(80e9));
  // Training keeps P, dP and dS.
  op.backward = true;
  CHECK(static_cast<double>(longest_context(op, Bytes(80e9))) < 24872 * 0.83);
  CHECK(longest_context(op, Bytes(0.0)) == 0);
}

TEST_CASE("Standard attention: twice the bandwidth, half the time of what memory limits") {
  Gpu gpu = gpu_named("H100-SXM5-80GB");
  const Price before = KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR).price(at(8192));
  CHECK(before.provenance == Provenance::measured);
  gpu.memory_bandwidth *= 2.0;
  const Price after = KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR).price(at(8192));
  CHECK(after.hbm / before.hbm == Approx(0.5).epsilon(1e-9));
  CHECK(after.provenance == Provenance::physics);  // no longer the GPU that was measured
  CHECK(after.relative_error > before.relative_error);
}

TEST_CASE("Backward costs more than forward, and lengths beyond the charts are marked") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  StandardAttention op = at(4096);
  const Price forward = model.price(op);
  op.backward = true;
  const Price both = model.price(op);
  CHECK(both.time / forward.time > 2.5);
  CHECK(both.time / forward.time < 3.6);
  CHECK_FALSE(both.outside_measured_range);
  CHECK(model.price(at(16384)).outside_measured_range);
  Explanation why;
  (void)model.price(op, &why);
  CHECK(text(why).find("of them moved") != std::string::npos);
  CHECK(text(why).find("constants:") != std::string::npos);
}

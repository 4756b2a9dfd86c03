#include <cmath>

#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

TEST_CASE("Causal prefill computes half of the square") {
  const KernelModel model = model_of("H200-SXM-141GB");
  // 1 sequence of 8192 tokens, 32 heads of 128: 4 x 32 x 128 FLOP a (query, key) pair, 8192 x 8193 / 2 pairs.
  const Price price =
      model.price(AttentionPrefill{.queries = 8192, .context = 8192, .heads = 32, .kv_heads = 8});
  CHECK(price.flops.si() == Approx(4.0 * 32.0 * 128.0 * 8192.0 * 8193.0 / 2.0));
  // Measured on this GPU: 512 TFLOPS at this shape.
  CHECK(price.flops.si() / price.time.si() == Approx(512e12).epsilon(0.15));
  const Price full = model.price(
      AttentionPrefill{.queries = 8192, .context = 8192, .heads = 32, .kv_heads = 8, .causal = false});
  CHECK(full.flops.si() == Approx(4.0 * 32.0 * 128.0 * 8192.0 * 8192.0));
  CHECK(full.time > 1.7 * price.time);
}

TEST_CASE("The last chunk of a prompt costs what is left of the square") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  AttentionPrefill op{.queries = 2048, .context = 8192, .heads = 32, .kv_heads = 8};
  const Price chunk = model.price(op);
  // 2048 queries see 6145 .. 8192 keys.
  CHECK(chunk.flops.si() == Approx(4.0 * 32.0 * 128.0 * 2048.0 * (6145.0 + 8192.0) / 2.0));
  CHECK(chunk.outside_measured_range);
  // All chunks together cost no less than the whole prompt at once, and not much more.
  double chunks = 0.0;
  for (std::int64_t end = 2048; end <= 8192; end += 2048) {
    op.context = end;
    chunks += model.price(op).time.si();
  }
  const double whole =
      model.price(AttentionPrefill{.queries = 8192, .context = 8192, .heads = 32, .kv_heads = 8}).time.si();
  CHECK(chunks >= 0.97 * whole);
  CHECK(chunks < 1.6 * whole);
}

TEST_CASE("A sliding window bounds what a prompt costs per token") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const auto time = [&](std::int64_t seq, std::int64_t window) {
    return microseconds(model.price(
        AttentionPrefill{.queries = seq, .context = seq, .heads = 32, .kv_heads = 8, .window = window}));
  };
  CHECK(time(16384, 1024) < 0.3 * time(16384, 0));
  CHECK(time(16384, 1024) / time(8192, 1024) == Approx(2.0).epsilon(0.1));  // linear, not quadratic
  CHECK(time(512, 1024) == Approx(time(512, 0)));
}

TEST_CASE("Prefill grows with every dimension") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    double largest = 0.0;
    for (const std::int64_t seq :
         {1, 16, 64, 128, 129, 256, 400, 512, 1024, 1500, 2048, 4096, 8192, 16384, 32768}) {
      const double t = microseconds(
          model.price(AttentionPrefill{.queries = seq, .context = seq, .heads = 32, .kv_heads = 8}));
      INFO(name << " seq=" << seq);
      CHECK(t >= 0.97 * largest);
      largest = std::max(largest, t);
    }
  }
}

TEST_CASE("Decode attention of a large batch costs its KV bytes over the achievable bandwidth") {
  // 64 sequences of 8192 tokens, 8 KV heads of 128 in bf16: 64 x 8192 x 2048 x 2 B = 2.15 GB; H200
  // reaches 4.3 TB/s.
  const KernelModel model = model_of("H200-SXM-141GB");
  const Price price =
      model.price(AttentionDecode{.batch = 64, .context = 8192.0, .heads = 32, .kv_heads = 8});
  CHECK(price.hbm_bytes.si() == Approx(64.0 * 8192.0 * 2048.0 * 2.0).epsilon(0.01));
  CHECK(price.time.si() == Approx(64.0 * 8192.0 * 2048.0 * 2.0 / 4.33e12).epsilon(0.15));
  CHECK(price.limiter == Limiter::hbm_bandwidth);
}

TEST_CASE("One short sequence costs the launch, whatever the bandwidth") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const Price price = model.price(AttentionDecode{.batch = 1, .context = 128.0, .heads = 32, .kv_heads = 8});
  CHECK(price.limiter == Limiter::latency);
  CHECK(microseconds(price) > 5.0);
  CHECK(microseconds(price) < 15.0);
}

TEST_CASE(
    "Decode attention grows with the context, halves in time with fp8 KV and with twice the bandwidth") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    for (const std::int64_t batch : {1, 8, 64, 256}) {
      double largest = 0.0;
      for (double context = 16.0; context <= 131072.0; context *= 1.25) {
        const double t = microseconds(
            model.price(AttentionDecode{.batch = batch, .context = context, .heads = 32, .kv_heads = 8}));
        INFO(name << " batch=" << batch << " context=" << context);
        CHECK(t >= 0.97 * largest);
        largest = std::max(largest, t);
      }
    }
  }
  const KernelModel model = model_of("H200-SXM-141GB");
  AttentionDecode op{.batch = 128, .context = 8192.0, .heads = 32, .kv_heads = 8};
  const double bf16 = microseconds(model.price(op));
  op.kv = Precision::fp8;
  CHECK(bf16 / microseconds(model.price(op)) == Approx(2.0).epsilon(0.1));
  op.kv = Precision::bf16;
  Gpu fast = gpu_named("H200-SXM-141GB");
  fast.memory_bandwidth *= 2.0;
  CHECK(bf16 / microseconds(KernelModel::for_gpu(fast, GPUPLAN_SOURCE_DIR).price(op)) ==
        Approx(2.0).epsilon(0.1));
}

TEST_CASE("TensorRT-LLM decodes few short sequences head by head, other engines never") {
  // XQA runs where blocks of 128 tokens number a quarter of the 132 SMs: 33. 4 KV heads and 8 sequences are
  // 32 groups; of up to 255 tokens one block each, from 256 on two.
  const KernelModel model = model_of("H100-SXM5-80GB");
  AttentionDecode op{.batch = 8, .context = 255.0, .heads = 32, .kv_heads = 4};
  const double elsewhere = microseconds(model.price(op));
  op.tensorrt_llm = true;
  CHECK(microseconds(model.price(op)) > 1.02 * elsewhere);
  op.context = 256.0;
  const double grouped = microseconds(model.price(op));
  op.tensorrt_llm = false;
  CHECK(grouped == microseconds(model.price(op)));
  // No such rule for an 8-bit cache, nor on Blackwell.
  op.context = 255.0;
  op.kv = Precision::fp8;
  const double narrow = microseconds(model.price(op));
  op.tensorrt_llm = true;
  CHECK(microseconds(model.price(op)) == narrow);
  const KernelModel blackwell = model_of("B200-SXM-180GB");
  op.kv = Precision::bf16;
  const double with_rule = microseconds(blackwell.price(op));
  op.tensorrt_llm = false;
  CHECK(with_rule == microseconds(blackwell.price(op)));
}

TEST_CASE("What a benchmark found in L2 is no part of a model's step") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  AttentionDecode op{.batch = 64, .context = 8192.0, .heads = 32, .kv_heads = 8};
  const Price step = model.price(op);
  op.warm_l2 = true;
  const Price benchmark = model.price(op);
  CHECK(benchmark.time < step.time);
  // Cold, no more than the HBM bandwidth; the table's rows exceed it by half.
  const double bytes = 64.0 * 8192.0 * 2048.0 * 2.0;
  CHECK(bytes / step.time.si() < 2.039e12);
  CHECK(bytes / benchmark.time.si() > 2.039e12);
}

TEST_CASE("MLA reads one latent vector a token, whatever the heads") {
  const KernelModel model = model_of("H200-SXM-141GB");
  const AttentionDecode op{.batch = 64,
                           .context = 4096.0,
                           .heads = 16,
                           .kv_heads = 1,
                           .head_dim = 576,
                           .value_dim = 512,
                           .latent_dim = 576};
  const Price price = model.price(op);
  CHECK(price.hbm_bytes.si() == Approx(64.0 * 4096.0 * 576.0 * 2.0).epsilon(0.02));
  CHECK(price.outside_measured_range);
}

TEST_CASE("Attention explains itself") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  Explanation prefill, decode;
  const Price p =
      model.price(AttentionPrefill{.queries = 1024, .context = 1024, .heads = 32, .kv_heads = 8}, &prefill);
  const Price d =
      model.price(AttentionDecode{.batch = 32, .context = 2048.0, .heads = 32, .kv_heads = 8}, &decode);
  char time[32];
  std::snprintf(time, sizeof time, "= %.2f us", microseconds(p));
  CHECK(text(prefill).find(time) != std::string::npos);
  std::snprintf(time, sizeof time, "= %.2f us", microseconds(d));
  CHECK(text(decode).find(time) != std::string::npos);
  CHECK(text(decode).find("2.684e+08 B of KV cache") != std::string::npos);  // 32 x 2048 x 2048 x 2 B
}

TEST_CASE("One sequence more does not make decode attention faster, split or not") {
  for (const std::string& name : kMeasuredGpus) {
    const KernelModel model = model_of(name);
    for (const Precision kv : {Precision::bf16, Precision::fp8}) {
      for (const int kv_heads : {1, 2, 8, 32}) {
        for (const double context : {1.0, 200.0, 500.0, 1000.0, 4096.0}) {
          double largest = 0.0;
          for (std::int64_t batch = 1; batch <= 512; ++batch) {
            const double t = microseconds(model.price(AttentionDecode{
                .batch = batch, .context = context, .heads = 32, .kv_heads = kv_heads, .kv = kv}));
            INFO(name << " kv_heads=" << kv_heads << " context=" << context << " batch=" << batch);
            CHECK(t >= (context > 1.0 ? 0.97 : 0.95) * largest);  // a single token is beyond the tables
            largest = std::max(largest, t);
          }
        }
      }
    }
  }
}

// FlashAttention alone: bytes and blocks by hand, published charts, order.
#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

namespace {

using Version = FlashAttention::Version;

FlashAttention at(std::int64_t batch, std::int64_t tokens, int heads, int head_dim, bool causal) {
  return {.batch = batch,
          .queries = tokens,
          .context = tokens,
          .heads = heads,
          .kv_heads = heads,
          .head_dim = head_dim,
          .precision = Precision::fp16,
          .causal = causal};
}

}  // namespace

TEST_CASE("FlashAttention moves Q, K, V and O once") {
  const KernelModel model = model_of("A100-80GB-SXM4");
  FlashAttention op = at(1, 4096, 32, 128, false);
  const Price price = model.price(op);
  // Four tensors of 4096 x 4096 x 2 B = 33.55 MB, and 4 B for each of 32 x 4096 rows.
  CHECK(price.hbm_bytes.si() == Approx(4.0 * 4096.0 * 4096.0 * 2.0 + 4.0 * 32.0 * 4096.0));
  // 4 b h s^2 d.
  CHECK(price.flops.si() == Approx(4.0 * 32.0 * 4096.0 * 4096.0 * 128.0));
  CHECK(price.limiter == Limiter::compute);
  // Grouped heads read fewer keys, and do the same work.
  op.kv_heads = 8;
  CHECK(price.hbm_bytes.si() - model.price(op).hbm_bytes.si() == Approx(2.0 * 4096.0 * 24.0 * 128.0 * 2.0));
  CHECK(model.price(op).flops == price.flops);
  // Forward and backward: 3.5 times the work.
  op.backward = true;
  CHECK(model.price(op).flops / price.flops == Approx(3.5));
}

TEST_CASE("A mask halves the work, and skips whole blocks") {
  const KernelModel model = model_of("H100-SXM5-80GB");
  const Price full = model.price(at(4, 4096, 32, 128, false)),
              masked = model.price(at(4, 4096, 32, 128, true));
  CHECK(masked.flops / full.flops == Approx(0.5));
  // 32 tiles of 128 queries, blocks of 128 keys: 1 + 2 + ... + 32 = 528 of 1024.
  Explanation why;
  static_cast<void>(model.price(at(4, 4096, 32, 128, true), &why));
  CHECK(text(why).find("67584 that the mask leaves") != std::string::npos);  // 4 x 32 x 528
  CHECK(masked.time < full.time * 0.65);
  CHECK(masked.time > full.time * 0.5);
}

TEST_CASE("FlashAttention's published charts, bars that were not fitted") {
  struct Bar {
    const char* gpu;
    Version version;
    std::int64_t batch, tokens;
    int heads, head_dim;
    bool causal, backward;
    double tflops;
  };
  // github Dao-AILab/flash-attention, flash3_fp16_fwd.png and flash2_{a100,h100}_fwd_bwd_benchmark.png.
  const Bar bars[] = {{"H100-SXM5-80GB", Version::fa3, 16, 1024, 32, 64, false, false, 392},
                      {"H100-SXM5-80GB", Version::fa3, 4, 4096, 32, 64, false, false, 476},
                      {"H100-SXM5-80GB", Version::fa3, 32, 512, 16, 128, false, false, 467},
                      {"H100-SXM5-80GB", Version::fa3, 4, 4096, 16, 128, false, false, 638},
                      {"H100-SXM5-80GB", Version::fa2, 4, 4096, 32, 64, false, false, 321},
                      {"A100-80GB-SXM4", Version::fa2, 8, 2048, 32, 64, false, true, 162},
                      {"A100-80GB-SXM4", Version::fa2, 4, 4096, 16, 128, false, true, 196}};
  for (const Bar& bar : bars) {
    FlashAttention op = at(bar.batch, bar.tokens, bar.heads, bar.head_dim, bar.causal);
    op.version = bar.version;
    op.backward = bar.backward;
    const Price price = model_of(bar.gpu).price(op);
    const double predicted = price.flops.si() / price.time.si() / 1e12;
    INFO(bar.gpu << " " << bar.tokens << " " << bar.head_dim << ": " << predicted << " for " << bar.tflops);
    CHECK(predicted == Approx(bar.tflops).epsilon(0.08));
    CHECK(price.provenance == Provenance::measured);
  }
}

TEST_CASE("More tokens never take less, and what nobody measured says so") {
  for (const std::string& gpu : kMeasuredGpus) {
    const KernelModel model = model_of(gpu);
    double last = 0.0;
    for (std::int64_t tokens = 128; tokens <= 65536; tokens = tokens * 5 / 4) {
      const double time = model.price(at(1, tokens, 32, 128, true)).time.si();
      CHECK(time > last * 0.97);
      last = std::max(last, time);
    }
  }
  CHECK(model_of("B200-SXM-180GB").price(at(4, 4096, 32, 128, true)).provenance != Provenance::measured);
  FlashAttention backward = at(4, 4096, 32, 128, true);
  backward.backward = true;
  CHECK(model_of("H100-SXM5-80GB").price(backward).provenance == Provenance::assumed);
}

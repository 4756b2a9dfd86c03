// The lowering of a serving iteration, counted by hand.
#include "workloads/lowering/iteration.h"

#include <catch2/catch.hpp>
#include <variant>

#include "workloads/models/model.h"

using namespace gpuplan;

namespace {

const Model& llama() {
  static const ModelCatalogue loaded = ModelCatalogue::load(GPUPLAN_SOURCE_DIR);
  const Model* model = loaded.model("llama-3.1-70b");
  REQUIRE(model != nullptr);
  return *model;
}

struct Counted {
  double quantise = 0.0, bytes = 0.0, narrow = 0.0, priced_with = 0.0;  // calls; bytes of all quantise passes
};

Counted count(Precision weights, Precision activations, bool fused, std::int64_t tokens) {
  const IterationLowering lowering(llama(), {.weights = weights,
                                             .activations = activations,
                                             .kv = Precision::bf16,
                                             .tensor_parallel = 1,
                                             .fused_quantise = fused});
  std::vector<LoweredOperation> all;
  lowering.body(tokens, all);
  Counted c;
  for (const LoweredOperation& op : all) {
    if (const auto* pass = std::get_if<kernels::Elementwise>(&op.operation)) {
      if (pass->kind == kernels::Elementwise::Kind::quantise) {
        c.quantise += op.count;
        c.bytes += op.count * (pass->read + pass->written).si();
      }
    } else if (const auto* gemm = std::get_if<kernels::Gemm>(&op.operation)) {
      c.narrow += gemm->quantised ? op.count : 0.0;
      c.priced_with += !gemm->quantised && gemm->activations != Precision::bf16 ? op.count : 0.0;
    }
  }
  return c;
}

}  // namespace

TEST_CASE(
    "Activations are quantised by a pass before each product, by the kernel before it, or in its price") {
  // 80 layers of four products: qkv, o, gate and up together, down; inputs of 8192, 8192, 8192, 28672.
  const double inputs = 80.0 * (3.0 * 8192.0 + 28672.0);
  const Counted apart = count(Precision::fp8, Precision::fp8, false, 16);
  CHECK(apart.quantise == 320.0);
  CHECK(apart.bytes == Approx(16.0 * inputs * (2.0 + 1.0)));  // 16 bit read, 8 bit written
  CHECK(apart.narrow == 320.0);
  const Counted fused = count(Precision::fp8, Precision::fp8, true, 16);
  CHECK(fused.quantise == 0.0);
  CHECK(fused.narrow == 320.0);
  // Scales of blocks need the activations first: the measured product holds the pass, whatever the engine.
  for (const bool fuses : {true, false}) {
    const Counted blocks = count(Precision::fp8_block, Precision::fp8_block, fuses, 16);
    CHECK(blocks.quantise == 0.0);
    CHECK(blocks.narrow == 0.0);
    CHECK(blocks.priced_with == 320.0);
  }
  // Nothing to quantise where the activations stay in 16 bit.
  for (const Precision weights : {Precision::bf16, Precision::int4}) {
    const Counted wide = count(weights, Precision::bf16, false, 16);
    CHECK(wide.quantise == 0.0);
    CHECK(wide.narrow == 0.0);
  }
}

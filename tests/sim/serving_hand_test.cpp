// Hand arithmetic of the 13B model on one H100, written out from shapes and datasheet.
#include <catch2/catch.hpp>
#include <cmath>

#include "sim/report/serving_report.h"
#include "sim/serving/simulation.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const Library& library() {
  static const Library loaded = Library::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

ServingScenario scenario_of(const std::string& text) {
  return resolve_serving(json::parse(text, "test"), "test", ".", library());
}

const std::string kOneRequest = R"({"schema": 1, "kind": "serving", "name": "one",
  "machine": {"gpu": "H100-SXM5-80GB", "gpus": 1}, "model": "llama-2-13b",
  "precision": {"weights": "fp16", "kv": "fp16"}, "engine": {"max_model_len": 4096, "max_num_batched_tokens": 2048},
  "traffic": {"arrivals": {"process": "burst"}, "requests": 1, "prompt": {"mean": 512}, "output": {"mean": 128}}})";

}  // namespace

TEST_CASE("13B on one H100: weights, KV bytes and KV blocks by hand") {
  const ServingScenario s = scenario_of(kOneRequest);
  // Parameters of Llama-2-13B from its shapes: 40 layers of
  //   attention 4 x 5120 x 5120 = 104,857,600, MLP 3 x 5120 x 13824 = 212,336,640, two norms 10,240,
  // embedding and lm_head 2 x 32000 x 5120 = 327,680,000, final norm 5,120.
  const double parameters = 40.0 * (104857600.0 + 212336640.0 + 10240.0) + 327680000.0 + 5120.0;
  CHECK(parameters == 13015864320.0);  // as published
  const ServingMemory m = plan_serving_memory(s.gpu, s.model, s.deployment, s.memory_spec());
  CHECK(m.weights.si() == Approx(2.0 * parameters));
  // KV of one token: K and V, 40 layers, 40 heads of 128, 2 bytes.
  CHECK(m.kv_per_token.si() == 2.0 * 40 * 40 * 128 * 2);
  CHECK(m.kv_per_block.si() == 16.0 * 819200.0);
  // Budget: 80 GiB x 0.99 x 0.9 = 76.53e9; less 26.03e9 weights; activations: residual 2048 x 5120 x 2 x 2 =
  // 0.042e9 and the wider of the layer 2048 x (3 x 13824 + 2 x 5120) x 2 = 0.212e9 and the sampler
  // 256 x 32000 x 4 x 10 = 0.328e9; less 1.3 GiB = 1.396e9 of context. Left 48.74e9, / 13,107,200 = 3,718.
  const double budget = 80.0 * 1073741824.0 * 0.99 * 0.9 - 2.0 * parameters -
                        (2048.0 * 5120 * 4 + 256.0 * 32000 * 40) - 1.3 * 1073741824.0;
  CHECK(static_cast<double>(m.kv_blocks) == Approx(std::floor(budget / 13107200.0)).margin(1));
}

TEST_CASE("the memory budget meets two published vLLM logs") {
  // vLLM PR 10511: Llama-3-8B alone on a 79.22 GiB GPU, 0.9, 8,192 batched tokens: 53.29 GiB for KV.
  Gpu gpu = *library().hardware.gpu("H100-SXM5-80GB");
  const Model* llama3 = library().models.model("llama-3-8b");
  REQUIRE(llama3 != nullptr);
  ServingMemorySpec spec{
      .max_num_batched_tokens = 8192, .max_num_seqs = 256, .context = Bytes(1.3 * 1073741824.0)};
  const ServingMemory log1 = plan_serving_memory(gpu, *llama3, {}, spec);
  CHECK(log1.kv_budget.si() / 1073741824.0 == Approx(53.29).epsilon(0.03));
  // vLLM PR 2031: Llama-2-7B on an A100-80GB: 7,351 blocks of 16 tokens.
  gpu = *library().hardware.gpu("A100-80GB-SXM4");
  spec.max_num_batched_tokens = 4096;
  const ServingMemory log2 = plan_serving_memory(gpu, *library().models.model("llama-2-7b"), {}, spec);
  CHECK(static_cast<double>(log2.kv_blocks) == Approx(7351).epsilon(0.03));
}

TEST_CASE("13B on one H100: TPOT of a single request is bytes over bandwidth plus overheads") {
  const ServingScenario s = scenario_of(kOneRequest);
  ServingOutcome outcome = simulate_serving(s, library().data_dir);
  REQUIRE(outcome.completed == 1);
  // Bytes of one step: all weights but the input embedding (a step reads one row of it), and the KV cache of
  // 512 to 639 tokens, 576 on average.
  const double weights = 2.0 * (13015864320.0 - 32000.0 * 5120.0);
  const double kv = 576.0 * 819200.0;
  // Streaming GEMMs of this size reach 90 % of the datasheet's 3.352 TB/s (KERNEL: best weight-streaming
  // GEMM).
  const double bytes_time = (weights + kv) / (0.9 * 3.352e12);
  // Overheads (measured floors on Hopper): a layer starts 4 GEMMs at 2.8 us, decode attention at 8.5 us and 3
  // passes at 2.5 us; and the engine's CPU time per step.
  const double overheads = 40 * (4 * 2.8e-6 + 8.5e-6 + 3 * 2.5e-6) + s.spec.engine.step_overhead->si() +
                           s.spec.engine.step_overhead_per_sequence->si();
  INFO("by hand " << bytes_time * 1e3 << " + " << overheads * 1e3 << " ms");
  CHECK(outcome.tpot.mean() == Approx(bytes_time + overheads).epsilon(0.10));
  // And never below the datasheet's bandwidth.
  CHECK(outcome.tpot.mean() > (weights + kv) / 3.352e12);
}

TEST_CASE("tensor parallelism over 4 GPUs: weights and KV are quartered, the step is not") {
  json::Value document = json::parse(kOneRequest, "test");
  set_path(document, "machine.gpus=4");
  set_path(document, "parallelism.tensor_parallel=4");
  const ServingScenario four = resolve_serving(document, "test", ".", library());
  const ServingScenario one = scenario_of(kOneRequest);
  CHECK(weights_per_rank(four.model, four.deployment).si() ==
        Approx(weights_per_rank(one.model, one.deployment).si() / 4).epsilon(1e-3));
  CHECK(kv_bytes_per_token_per_rank(four.model, four.deployment).si() == 819200.0 / 4);
  const double ratio = simulate_serving(one, library().data_dir).tpot.mean() /
                       simulate_serving(four, library().data_dir).tpot.mean();
  CHECK(ratio > 1.8);
  CHECK(ratio < 4.0);
}

// What was measured about training, as questions: the sign must be right and the size near. Each case names
// the measurement; absolute errors by family are in tests/calibrate/training_rows_test.cpp.
#include <catch2/catch.hpp>
#include <string>

#include "sim/report/training_report.h"
#include "sim/scenario/serving_scenario.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

Result run(const std::string& document, const std::vector<std::string>& changes = {}) {
  json::Value d = json::parse(document, "test");
  for (const std::string& change : changes) {
    set_path(d, change);
  }
  const TrainingScenario s = resolve_training(d, "test", ".", library());
  return report_training(s, simulate_training(s, library()), library());
}
double step(const std::string& document, const std::vector<std::string>& changes = {}) {
  return run(document, changes).number("training.step_time");
}

// MPT-70B of llm-foundry on H100: FSDP, FlashAttention 1, everything computed again.
const std::string kMpt =
    R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 8},
  "model": {"base": "gpt3-175b", "layers": 80, "hidden": 8192, "heads": 64, "kv_heads": 64, "head_dim": 128,
            "ffn": 32768, "vocab": 50432, "learned_positions": false, "qkv_bias": false, "output_bias": false,
            "mlp_bias": false},
  "parallelism": {"sharding": "fsdp"}, "batch": {"global_batch": 512, "micro_batch": 8, "seq_len": 2048},
  "recompute": "full", "precision": {"gather": "fp32"},
  "software": {"framework": "fsdp", "attention": "flash_1", "fused_loss": true}})";

// A trial of BLOOM on 384 A100 of Jean Zay.
const std::string kBloom = R"({"schema": 1, "kind": "training",
  "machine": {"gpu": "A100-80GB-SXM4", "nodes": 48, "nics": 4, "nic_bandwidth": 4.375e9},
  "model": {"base": "bloom-176b", "layers": 106, "hidden": 12288, "heads": 96, "kv_heads": 96, "head_dim": 128,
            "ffn": 49152, "vocab": 250880, "max_seq": 2048},
  "parallelism": {"tensor": 4, "pipeline": 12, "sharding": "zero1"},
  "batch": {"global_batch": 2048, "micro_batch": 2, "seq_len": 2048}, "recompute": "full",
  "precision": {"compute": "fp16"}, "software": {"framework": "deepspeed", "launch_blocking": true}})";

// torchtitan on H100 of 500 W.
const std::string kTitan = R"({"schema": 1, "kind": "training",
  "machine": {"gpu": {"base": "H100-SXM5-80GB", "memory_gb": 96, "memory_bandwidth_gbps": 2400, "tdp_w": 500},
              "nodes": 1},
  "model": "llama-3-8b", "parallelism": {"sharding": "fsdp"},
  "batch": {"global_batch": 16, "micro_batch": 2, "seq_len": 8192}, "recompute": "operations",
  "precision": {}, "software": {"framework": "compiled", "fused_loss": false}})";
const std::vector<std::string> kTitan70 = {"model=llama-3-70b",      "machine.nodes=32",
                                           "parallelism.tensor=8",   "batch.micro_batch=16",
                                           "batch.global_batch=512", "recompute=full"};

std::vector<std::string> with(std::vector<std::string> changes, const std::vector<std::string>& more) {
  changes.insert(changes.end(), more.begin(), more.end());
  return changes;
}

}  // namespace

TEST_CASE("Measured: 70B under FSDP keeps its speed from 64 to 512 H100") {
  // llm-foundry: 1,039, 1,059, 1,036 and 1,007 tokens/s and GPU.
  const std::pair<int, double> measured[] = {{8, 1039.0}, {16, 1059.0}, {32, 1036.0}, {64, 1007.0}};
  for (const auto& [nodes, rate] : measured) {
    INFO(nodes << " nodes");
    const Result r = run(
        kMpt, {"machine.nodes=" + std::to_string(nodes), "batch.global_batch=" + std::to_string(64 * nodes)});
    CHECK(r.number("training.tokens_per_s_per_gpu") == Approx(rate).epsilon(0.10));
  }
}

TEST_CASE("Measured: fp32 accumulation costs BLOOM 5 % of its time and 21 GB") {
  // fp16 112.69 s and 44 GB, bf16 with fp32 gradients 118.79 s and 65 GB.
  const Result narrow = run(kBloom), wide = run(kBloom, {"precision.compute=bf16"});
  const double slower = wide.number("training.step_time") / narrow.number("training.step_time");
  CHECK(slower > 1.01);
  CHECK(slower < 1.09);
  const double more =
      wide.number("training.memory.total_per_gpu") - narrow.number("training.memory.total_per_gpu");
  CHECK(more > 14e9);
  CHECK(more < 26e9);
}

TEST_CASE("Measured: heads of 150 elements, hidden 14,400, cost more than their FLOPs") {
  // 221 s at hidden 14,400 and 160 s at 13,824 on 320 A100: 1.38 times, of which 1.085 is FLOPs. Ours shows
  // about half of what is beyond.
  const std::vector<std::string> at = {"machine.nodes=40", "model.layers=80", "parallelism.tensor=8",
                                       "parallelism.pipeline=10", "batch.micro_batch=1"};
  const double odd = step(kBloom, with(at, {"model.hidden=14400", "model.head_dim=150", "model.ffn=57600"}));
  const double even = step(kBloom, with(at, {"model.hidden=13824", "model.head_dim=144", "model.ffn=55296"}));
  CHECK(odd / even > 1.12);
  CHECK(odd / even < 1.45);
}

TEST_CASE("Measured: a ZeRO scope of one node is worth nothing on 8 GPUs and a third on 1,024") {
  // InternEvo 7B on A100, every owner broadcasting: scope 8 over all ranks takes 1.00, 0.91 and 0.63.
  const auto ratio = [](int nodes) {
    const std::string base = R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-80GB-SXM4"},
      "model": "internlm-7b", "parallelism": {"sharding": "zero1"},
      "batch": {"global_batch": 64, "micro_batch": 2, "seq_len": 2048}, "precision": {"reduce": "bf16"},
      "software": {"framework": "fsdp", "owners_broadcast": true}})";
    const std::vector<std::string> size = {"machine.nodes=" + std::to_string(nodes),
                                           "batch.global_batch=" + std::to_string(64 * nodes)};
    return step(base, with(size, {"parallelism.shard_group=8"})) / step(base, size);
  };
  CHECK(ratio(1) == Approx(1.0));
  CHECK(ratio(16) == Approx(0.91).epsilon(0.08));
  CHECK(ratio(128) > 0.50);
  CHECK(ratio(128) < 0.82);
}

TEST_CASE("Measured: FP8 gains far less than half, by rows nothing or less") {
  // torchtitan: 8B on 8 GPUs 0.78; tensor 8: 70B tensorwise 0.74, rowwise 1.00; 8B rowwise 1.18.
  const double eight = step(kTitan, {"precision.compute=fp8"}) / step(kTitan);
  CHECK(eight > 0.72);
  CHECK(eight < 0.88);
  const double wide = step(kTitan, kTitan70);
  CHECK(step(kTitan, with(kTitan70, {"precision.compute=fp8"})) / wide == Approx(0.74).epsilon(0.08));
  const std::vector<std::string> rows = {"precision.compute=fp8", "precision.scaling=row"};
  CHECK(step(kTitan, with(kTitan70, rows)) / wide == Approx(1.00).epsilon(0.10));
  const std::vector<std::string> split = {"machine.nodes=8", "parallelism.tensor=8", "batch.micro_batch=12",
                                          "batch.global_batch=96"};
  const double ratio = step(kTitan, with(split, rows)) / step(kTitan, split);
  CHECK(ratio > 1.0);
  CHECK(ratio < 1.40);
}

TEST_CASE("Measured: asynchronous tensor parallelism and compilation gain a tenth and a seventh") {
  // torchtitan: async TP 0.91 of the time in bf16; torch.compile 0.86.
  const double async =
      step(kTitan, with(kTitan70, {"software.overlap_tensor=true"})) / step(kTitan, kTitan70);
  CHECK(async == Approx(0.91).epsilon(0.05));
  CHECK(step(kTitan) / step(kTitan, {"software.framework=fsdp"}) == Approx(0.86).epsilon(0.07));
}

TEST_CASE("Measured: interleaving 405B over 8 stages, and filling the bubble of 6.2B") {
  // torchtitan, 512 H100: 100 tokens/s and GPU with 1F1B, 128 interleaved.
  const std::string big =
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 64},
    "model": "llama-3.1-405b",
    "parallelism": {"tensor": 8, "pipeline": 8, "sharding": "fsdp", "reshard_after_forward": false},
    "batch": {"global_batch": 256, "micro_batch": 1, "seq_len": 8192}, "recompute": "full",
    "software": {"framework": "compiled", "fused_loss": false}})";
  const double gain = step(big) / step(big, {"parallelism.virtual_stages=2"});
  CHECK(gain > 1.05);
  CHECK(gain < 1.35);
  // Zero-bubble's 6.2B on 8 H800: 55 samples/s with 1F1B, 66 interleaved, 64 with ZB-V (the memory of 1F1B).
  const std::string small =
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 1},
    "model": {"base": "gpt3-175b", "layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 32, "head_dim": 128,
              "ffn": 16384, "vocab": 50304, "max_seq": 1024},
    "parallelism": {"pipeline": 8}, "batch": {"global_batch": 72, "micro_batch": 3, "seq_len": 1024}})";
  const double plain = step(small);
  CHECK(plain / step(small, {"parallelism.schedule=zero_bubble"}) == Approx(64.0 / 55.0).epsilon(0.08));
  CHECK(plain / step(small, {"parallelism.virtual_stages=4"}) == Approx(66.0 / 55.0).epsilon(0.08));
}

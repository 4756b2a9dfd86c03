// The serving scenario as plain specs: what the user wrote, validated, defaults filled. Each struct is
// described once (json::describe); loader, resolved scenario and JSON Schema follow from that.
#pragma once

#include <optional>
#include <string>

#include "hwmodels/catalogue/precision.h"
#include "hwmodels/json/describe.h"
#include "sim/cost/cost_spec.h"
#include "workloads/traffic/traffic_spec.h"

namespace gpuplan::sim {

struct MachineSpec {
  json::Value gpu = json::Value("H100-SXM5-80GB");  // catalogue name, or {"base": name, field: value, ...}
  std::string node;                                 // catalogue name; empty: a generic node of that GPU
  int gpus = 1;
};
template <class V>
void describe(V& v, MachineSpec& s) {
  v.field("gpu", s.gpu, "GPU by catalogue name, or {\"base\": name, and catalogue fields to override}");
  v.field("node", s.node, "node by catalogue name; empty: the first catalogue node sold with that GPU");
  v.field("gpus", s.gpus, "GPUs in the deployment", json::Range{.min = 1, .max = 100000});
}

struct PrecisionSpec {
  Precision weights = Precision::bf16;
  std::optional<Precision> activations;  // none: follows the weights
  Precision kv = Precision::bf16;
};
template <class V>
void describe(V& v, PrecisionSpec& s) {
  v.field("weights", s.weights, "how linear layers are stored");
  v.field("activations", s.activations,
          "what matrices are computed in; default: fp8, fp8_block and nvfp4 weights compute in their own "
          "format, all others in bf16");
  v.field("kv", s.kv, "how the KV cache is stored");
}

struct ParallelSpec {
  int tensor_parallel = 1;
  std::optional<int> replicas;  // none: gpus / tensor_parallel
};
template <class V>
void describe(V& v, ParallelSpec& s) {
  v.field("tensor_parallel", s.tensor_parallel, "GPUs that share one copy of the model",
          json::Range{.min = 1, .max = 1024});
  v.field("replicas", s.replicas, "copies of the model behind the router; default: gpus / tensor_parallel",
          json::Range{.min = 1, .max = 100000});
}

enum class QueuePolicy { fcfs, priority };
inline std::span<const std::string_view> enum_names(QueuePolicy /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"fcfs", "priority"};
  return names;
}
enum class Preemption { recompute, swap };
inline std::span<const std::string_view> enum_names(Preemption /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"recompute", "swap"};
  return names;
}

// The inference engine. Names and meanings are vLLM's where it has them. Fields that are not given take the
// value of the engine profile (`profile`).
struct EngineSpec {
  std::string profile = "vllm";
  std::string scheduler;  // empty: the profile's
  std::string router = "least_outstanding";
  QueuePolicy policy = QueuePolicy::fcfs;
  Preemption preemption = Preemption::recompute;
  std::optional<std::int64_t> max_num_seqs;
  std::optional<std::int64_t> max_num_batched_tokens;
  std::optional<std::int64_t> max_model_len;
  std::optional<bool> chunked_prefill;
  int block_size = 16;
  double watermark = 0.0;
  double gpu_memory_utilization = 0.9;
  std::optional<std::int64_t> num_gpu_blocks;
  Bytes swap_space{4.0 * 1073741824.0};
  bool cuda_graphs = true;
  std::optional<std::int64_t> max_graph_batch;
  std::optional<bool> fused_quantise;
  std::optional<Seconds> step_overhead;
  std::optional<Seconds> step_overhead_per_sequence;
};
template <class V>
void describe(V& v, EngineSpec& s) {
  constexpr json::Range count{.min = 1, .max = 1e9};
  v.field("profile", s.profile, "engine profile whose defaults and overheads apply: vllm, trtllm, sglang");
  v.field("scheduler", s.scheduler,
          "batching policy: vllm_v1 (decodes and prompt chunks mixed) or vllm_v0 "
          "(whole prompts first, decodes wait)");
  v.field("router", s.router, "how requests are spread over replicas: least_outstanding, round_robin");
  v.field("policy", s.policy, "order of the waiting queue");
  v.field("preemption", s.preemption, "what happens to a sequence that loses its KV blocks");
  v.field("max_num_seqs", s.max_num_seqs, "sequences that may run at once on a replica", count);
  v.field("max_num_batched_tokens", s.max_num_batched_tokens, "token budget of one iteration", count);
  v.field("max_model_len", s.max_model_len,
          "prompt plus output tokens of one sequence; longer prompts are "
          "rejected, outputs end there",
          count);
  v.field(
      "chunked_prefill", s.chunked_prefill,
      "whether a prompt may be split over iterations; default: the scheduler's (vllm_v1 yes, vllm_v0 no)");
  v.field("block_size", s.block_size, "tokens per KV block", json::Range{.min = 1, .max = 4096});
  v.field("watermark", s.watermark, "share of KV blocks kept free when admitting a request",
          json::Range{.min = 0, .max = 0.9});
  v.field("gpu_memory_utilization", s.gpu_memory_utilization, "share of GPU memory the engine may use",
          json::Range{.min = 0, .max = 1, .open_min = true});
  v.field("num_gpu_blocks", s.num_gpu_blocks, "KV blocks per replica, instead of what the memory holds",
          count);
  v.field("swap_space", s.swap_space, "host memory per GPU for swapped-out KV blocks (B)",
          json::not_negative());
  v.field("cuda_graphs", s.cuda_graphs, "whether decode iterations replay captured CUDA graphs");
  v.field("max_graph_batch", s.max_graph_batch, "largest captured batch", count);
  v.field("fused_quantise", s.fused_quantise,
          "whether the kernels before a matrix product write its activations in their narrow format (scales "
          "known beforehand), instead of a pass that quantises them; block-scaled formats always take one");
  v.field("step_overhead", s.step_overhead, "CPU time per iteration in which the GPU idles (s)",
          json::not_negative());
  v.field("step_overhead_per_sequence", s.step_overhead_per_sequence,
          "further CPU time per iteration and running sequence (s)", json::not_negative());
}

struct SloSpec {
  std::optional<Seconds> ttft, tpot, e2e;
};
template <class V>
void describe(V& v, SloSpec& s) {
  v.field("ttft", s.ttft, "longest acceptable time to first token (s)", json::positive());
  v.field("tpot", s.tpot, "longest acceptable mean time per output token (s)", json::positive());
  v.field("e2e", s.e2e, "longest acceptable time from arrival to last token (s)", json::positive());
}

struct ServingSpec {
  int schema = 1;
  std::string kind = "serving";
  std::string name;
  std::string description;
  MachineSpec machine;
  json::Value model = json::Value("llama-2-13b");  // name, {"base": name, overrides}, {"hf_config": path}
  PrecisionSpec precision;
  ParallelSpec parallelism;
  EngineSpec engine;
  TrafficSpec traffic;
  SloSpec slo;
  CostSpec cost;
  std::int64_t seed = 1;
};
template <class V>
void describe(V& v, ServingSpec& s) {
  v.field("schema", s.schema, "version of the scenario format", json::Range{.min = 1, .max = 1},
          json::required);
  v.field("kind", s.kind, "kind of scenario: serving", json::required);
  v.field("name", s.name, "short name", json::required);
  v.field("description", s.description, "what the scenario is for");
  v.field("machine", s.machine, "the hardware", json::required);
  v.field("model", s.model,
          "catalogue name, {\"base\": name, and fields to override} or {\"hf_config\": path of "
          "a Hugging Face config.json}",
          json::required);
  v.field("precision", s.precision, "number formats");
  v.field("parallelism", s.parallelism, "how the model is spread over the GPUs");
  v.field("engine", s.engine, "the inference engine");
  v.field("traffic", s.traffic, "the requests", json::required);
  v.field("slo", s.slo, "service level objectives; a request attains them when it meets all that are given");
  v.field("cost", s.cost, "money");
  v.field("seed", s.seed, "seed of all random streams", json::Range{.min = 0, .max = 9e15});
}

}  // namespace gpuplan::sim

// What an inference engine brings besides its kernels: defaults, CPU time, memory it holds. One JSON file an
// engine in calibrate/profiles/engines/; every constant says where it comes from.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

// Half widths of 80 % intervals as |ln(measured / predicted)|, from validation on held-out serving rows.
struct ServingUncertainty {
  double ttft = 0.7, tpot = 0.3, throughput = 0.3;
};
template <class V>
void describe(V& v, ServingUncertainty& s) {
  v.field("ttft", s.ttft, "of time to first token and end-to-end latency", json::not_negative());
  v.field("tpot", s.tpot, "of time per output token and inter-token latency", json::not_negative());
  v.field("throughput", s.throughput, "of token and request rates", json::not_negative());
}

struct EngineProfile {
  std::string name;
  std::string source;
  std::string scheduler = "vllm_v1";
  bool chunked_prefill = true;
  std::int64_t max_num_seqs = 256;
  std::int64_t max_num_batched_tokens = 2048;
  std::int64_t max_graph_batch = 512;
  bool tensorrt_llm = false;
  bool fused_quantise = false;
  Seconds step_overhead{0.0};
  Seconds step_overhead_per_sequence{0.0};
  Seconds request_overhead{0.0};
  Bytes context_memory{0.0};
  Bytes communication_memory{0.0};
  ServingUncertainty uncertainty;
  std::vector<std::string> notes;
};
template <class V>
void describe(V& v, EngineProfile& s) {
  v.field("name", s.name, "profile name", json::required);
  v.field("source", s.source, "what the constants were fitted to or read from", json::required);
  v.field("scheduler", s.scheduler, "default scheduler");
  v.field("chunked_prefill", s.chunked_prefill, "default of engine.chunked_prefill");
  v.field("max_num_seqs", s.max_num_seqs, "default of engine.max_num_seqs", json::at_least(1));
  v.field("max_num_batched_tokens", s.max_num_batched_tokens, "default of engine.max_num_batched_tokens",
          json::at_least(1));
  v.field("max_graph_batch", s.max_graph_batch, "largest captured CUDA graph batch", json::at_least(1));
  v.field("tensorrt_llm", s.tensorrt_llm, "decode attention kernels chosen as TensorRT-LLM does");
  v.field("fused_quantise", s.fused_quantise, "default of engine.fused_quantise");
  v.field("step_overhead", s.step_overhead, "CPU time per iteration that the GPU waits for (s)",
          json::not_negative());
  v.field("step_overhead_per_sequence", s.step_overhead_per_sequence,
          "CPU time per iteration and running sequence (s)", json::not_negative());
  v.field(
      "request_overhead", s.request_overhead,
      "time from arrival at the HTTP server until the scheduler sees the request, tokenisation included (s)",
      json::not_negative());
  v.field("context_memory", s.context_memory, "CUDA context and libraries per GPU (B)", json::not_negative());
  v.field("communication_memory", s.communication_memory,
          "NCCL and all-reduce buffers per GPU with TP > 1 (B)", json::not_negative());
  v.field("uncertainty", s.uncertainty, "half widths of the 80 % intervals, as |ln(measured / predicted)|");
  v.field("notes", s.notes, "known deviations");
}

// Names of the profiles below `data_dir`, and one by name (nullopt where there is none). InputError when a
// file is broken.
std::vector<std::string> engine_profile_names(const std::string& data_dir);
EngineProfile load_engine_profile(const std::string& data_dir, const std::string& name);

}  // namespace gpuplan::sim

// From a document to a scenario that can run: names looked up, defaults filled, cross-field rules checked.
#include <algorithm>

#include "sim/scenario/resolve_parts.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/serving/registry.h"

namespace gpuplan::sim {

namespace {

using Problems = std::vector<Problem>;

// Weight-only and 16-bit weights compute in 16 bit; fp8 and nvfp4 weights in their own format.
Precision default_activations(Precision weights) {
  switch (weights) {
    case Precision::fp8:
    case Precision::fp8_block:
    case Precision::nvfp4:
    case Precision::fp16:
    case Precision::bf16:
    case Precision::fp32:
    case Precision::tf32:
    case Precision::fp64:
      return weights;
    case Precision::int8:
    case Precision::int4:
    case Precision::mxfp4:
      return Precision::bf16;
  }
  return Precision::bf16;
}

void check_precision(const ServingSpec& spec, const Gpu& gpu, const std::string& at, Problems& problems) {
  const Precision act = *spec.precision.activations;
  if (!gpu.peak(act) && !gpu.name.empty()) {
    std::vector<std::string> native;
    for (std::size_t i = 0; i < kPrecisionCount; ++i) {
      if (gpu.matrix_peak[i]) {
        native.emplace_back(kPrecisionNames[i]);
      }
    }
    std::string list;
    for (const std::string& name : native) {
      list += (list.empty() ? "" : ", ") + name;
    }
    problems.push_back({at + ".precision.activations", std::string(json::name_of(act)),
                        "a format that " + gpu.name + " computes in: " + list, ""});
  }
  const double kv = bytes_per_element(spec.precision.kv);
  if (kv > 4.0) {
    problems.push_back({at + ".precision.kv", std::string(json::name_of(spec.precision.kv)),
                        "at most 4 bytes an element", ""});
  }
}

void fill_engine(EngineSpec& engine, const EngineProfile& profile, const Model& model) {
  const auto fill = [](auto& field, const auto& value) {
    if (!field) {
      field = value;
    }
  };
  if (engine.scheduler.empty()) {
    engine.scheduler = profile.scheduler;
  }
  fill(engine.chunked_prefill, engine.scheduler != "vllm_v0" && profile.chunked_prefill);
  fill(engine.max_num_seqs, profile.max_num_seqs);
  fill(engine.max_model_len, model.max_seq > 0 ? model.max_seq : std::int64_t{1} << 40);
  // Without chunking a prompt must fit one iteration.
  fill(engine.max_num_batched_tokens, *engine.chunked_prefill
                                          ? profile.max_num_batched_tokens
                                          : std::max(profile.max_num_batched_tokens, *engine.max_model_len));
  fill(engine.max_graph_batch, profile.max_graph_batch);
  fill(engine.fused_quantise, profile.fused_quantise);
  fill(engine.step_overhead, profile.step_overhead);
  fill(engine.step_overhead_per_sequence, profile.step_overhead_per_sequence);
}

}  // namespace

ServingMemorySpec ServingScenario::memory_spec() const {
  return {.gpu_memory_utilization = spec.engine.gpu_memory_utilization,
          .max_num_batched_tokens = *spec.engine.max_num_batched_tokens,
          .max_num_seqs = *spec.engine.max_num_seqs,
          .block_size = spec.engine.block_size,
          .cuda_graphs = spec.engine.cuda_graphs,
          .context = profile.context_memory,
          .communication = profile.communication_memory};
}

ServingScenario resolve_serving(const json::Value& document, const std::string& name,
                                const std::string& base_dir, const Library& library) {
  ServingScenario out;
  ServingSpec& spec = out.spec;
  out.base_dir = base_dir;
  Problems problems;
  const std::string at = name + ": $";
  json::read(document, at, spec, problems);
  if (spec.kind != "serving") {
    problems.push_back({at + ".kind", "\"" + spec.kind.substr(0, 60) + "\"", "\"serving\"",
                        did_you_mean(spec.kind, {"serving"})});
  }
  validate(spec.traffic, at + ".traffic", problems);

  out.gpu = resolve_gpu(spec.machine.gpu, at + ".machine.gpu", library, problems);
  out.node = resolve_node(spec.machine.node, out.gpu, at + ".machine.node", library, problems, out.notes);
  out.model = resolve_model(spec.model, at + ".model", base_dir, library, problems);
  const bool have_model = out.model.layers > 0;
  if (have_model && out.model.kind != ModelKind::decoder) {
    problems.push_back({at + ".model",
                        "\"" + out.model.name + "\", a " + std::string(json::name_of(out.model.kind)),
                        "a decoder (language model) for a serving scenario", ""});
  }

  if (!spec.precision.activations) {
    spec.precision.activations = default_activations(spec.precision.weights);
  }
  check_precision(spec, out.gpu, at, problems);
  out.deployment = {.weights = spec.precision.weights,
                    .activations = *spec.precision.activations,
                    .kv = spec.precision.kv,
                    .tensor_parallel = spec.parallelism.tensor_parallel};

  const int tp = spec.parallelism.tensor_parallel;
  if (have_model && out.model.kind == ModelKind::decoder) {
    const Problems split = check_split(out.model, tp, at + ".parallelism.tensor_parallel");
    problems.insert(problems.end(), split.begin(), split.end());
  }
  if (tp > spec.machine.gpus) {
    problems.push_back({at + ".parallelism.tensor_parallel", std::to_string(tp),
                        "at most machine.gpus = " + std::to_string(spec.machine.gpus), ""});
  } else if (out.node.gpu_count > 0 && tp > out.node.gpu_count) {
    problems.push_back({at + ".parallelism.tensor_parallel", std::to_string(tp),
                        "at most the " + std::to_string(out.node.gpu_count) + " GPUs of one " + out.node.name,
                        ""});
  }
  out.replicas = spec.parallelism.replicas.value_or(std::max(1, spec.machine.gpus / tp));
  if (spec.parallelism.replicas && out.replicas * tp > spec.machine.gpus) {
    problems.push_back({at + ".parallelism.replicas", std::to_string(out.replicas),
                        "at most machine.gpus / tensor_parallel = " + std::to_string(spec.machine.gpus / tp),
                        ""});
  }
  spec.parallelism.replicas = out.replicas;
  if (out.gpus_used() < spec.machine.gpus) {
    out.notes.push_back(
        std::to_string(spec.machine.gpus - out.gpus_used()) + " of " + std::to_string(spec.machine.gpus) +
        " GPUs stay idle (tensor_parallel x replicas = " + std::to_string(out.gpus_used()) + ")");
  }

  const std::vector<std::string> profiles = engine_profile_names(library.data_dir);
  if (std::find(profiles.begin(), profiles.end(), spec.engine.profile) == profiles.end()) {
    unknown_name(problems, at + ".engine.profile", spec.engine.profile, "an engine profile", profiles);
  } else {
    out.profile = load_engine_profile(library.data_dir, spec.engine.profile);
  }
  fill_engine(spec.engine, out.profile, out.model);
  out.deployment.tensorrt_llm = out.profile.tensorrt_llm;
  out.deployment.fused_quantise = *spec.engine.fused_quantise;
  if (!is_scheduler(spec.engine.scheduler)) {
    unknown_name(problems, at + ".engine.scheduler", spec.engine.scheduler, "a scheduler", scheduler_names());
  }
  if (spec.engine.scheduler == "vllm_v0" && *spec.engine.chunked_prefill) {
    problems.push_back({at + ".engine.chunked_prefill", "true", "false: vllm_v0 schedules whole prompts",
                        "scheduler vllm_v1 chunks prompts"});
  }
  if (!is_router(spec.engine.router)) {
    unknown_name(problems, at + ".engine.router", spec.engine.router, "a router", router_names());
  }

  if (!out.gpu.name.empty()) {
    out.rates =
        resolve_rates(spec.cost, cost_machine(out.gpu, out.node), library.hardware, at + ".cost", problems);
  }

  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

json::Value serving_schema() {
  json::Value schema = json::schema_of<ServingSpec>();
  json::Value out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "gpuplan scenario, kind serving";
  for (const json::Member& member : schema.object()) {
    out[member.first] = member.second;
  }
  json::Value& kind = *out.find("properties")->find("kind");
  kind["const"] = "serving";
  return out;
}

}  // namespace gpuplan::sim

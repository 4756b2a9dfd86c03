// A measured training row as a scenario.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "calibrate/validate/training_rows.h"
#include "hwmodels/json/problem.h"

namespace gpuplan::calibrate {

namespace {

const json::Value* member(const json::Value& row, std::string_view a, std::string_view b = "") {
  const json::Value* found = row.find(a);
  return found == nullptr || b.empty() ? found : found->find(b);
}

double number(const json::Value& row, std::string_view a, std::string_view b = "", double fallback = 0.0) {
  const json::Value* found = member(row, a, b);
  return found != nullptr && found->is_number() ? found->number() : fallback;
}

std::string text(const json::Value& row, std::string_view a, std::string_view b = "") {
  const json::Value* found = member(row, a, b);
  return found != nullptr && found->is_string() ? found->string() : "";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// The machine; NICs as the row's words have them, in B/s per direction.
json::Value machine_of(const json::Value& row, std::string& reason) {
  const std::string gpu = text(row, "gpu"), net = text(row, "interconnect");
  const int gpus = static_cast<int>(number(row, "num_gpus"));
  int per_node = static_cast<int>(number(row, "gpus_per_node", "", 8.0));
  json::Value out;
  const auto set = [&](const char* name, int nics, double each) {
    out["gpu"] = name;
    out["nics"] = nics;
    out["nic_bandwidth"] = each;
  };
  if (gpu == "A100-SXM-80GB" || gpu == "A800-80GB") {
    set("A100-80GB-SXM4", 8, 25e9);
  } else if (gpu == "A100-SXM-40GB") {
    set("A100-40GB-SXM4", 8, 25e9);
  } else if (gpu.starts_with("H100-SXM-96GB")) {  // 500 W and HBM2e; clocks under the limit are not modelled
    set("H100-SXM5-80GB", 8, 50e9);
    json::Value special;
    special["base"] = "H100-SXM5-80GB";
    special["memory_gb"] = 96;
    special["memory_bandwidth_gbps"] = 2400;
    special["tdp_w"] = 500;
    out["gpu"] = std::move(special);
  } else if (gpu.starts_with("H100")) {
    set("H100-SXM5-80GB", 8, 50e9);
  } else if (gpu.starts_with("H200")) {
    set("H200-SXM-141GB", 8, 50e9);
  } else if (gpu.starts_with("B200")) {
    set("B200-SXM-180GB", 8, 50e9);
  } else if (gpu.starts_with("B300")) {
    set("B300-SXM-288GB", 8, 100e9);
  } else if (gpu == "GB200" || gpu == "GB300") {
    set(gpu.c_str(), 72, gpu == "GB200" ? 50e9 : 100e9);
    out["network"] = "infiniband_racks";
    per_node = std::min(gpus, 64);  // of an NVL72, powers of two are used
  } else if (gpu.starts_with("V100")) {
    set("V100-SXM2-32GB", 4, 12.5e9);
    per_node = std::min(per_node, 4);
  } else {
    reason = "GPU not expressed: " + gpu.substr(0, 40);
    return out;
  }
  if (has(net, "Jean Zay")) {
    // Four Omni-Path links of 100 Gb/s, of which its users saw 140 Gb/s a node (S. Bekman, DeepSpeed issue
    // 2928: "150 TFLOPs with BLOOM-176 on only 140Gbps network").
    out["nics"] = 4;
    out["nic_bandwidth"] = 140e9 / 8.0 / 4.0;
  } else if (has(net, "4x100Gb")) {
    out["nics"] = 4;
    out["nic_bandwidth"] = 12.5e9;
    out["network"] = "roce";
  } else if (has(net, "800 Gbps") || has(net, "800Gbps")) {
    out["nics"] = 4;
    out["nic_bandwidth"] = 25e9;
  } else if (has(net, "400Gbps per node")) {
    out["nics"] = 2;
    out["nic_bandwidth"] = 25e9;
  } else if (has(net, "RoCE")) {
    out["network"] = "roce";
  }
  per_node = std::clamp(per_node, 1, std::max(1, gpus));
  if (gpus < 1 || gpus % per_node != 0) {
    reason = "GPUs are no multiple of those of a node";
    return out;
  }
  out["gpus_per_node"] = per_node;
  out["nodes"] = gpus / per_node;
  return out;
}

// The model: a catalogue one where the row has no shape, else the row's shape over the nearest of its family.
json::Value model_of(const json::Value& row) {
  const std::string name = text(row, "model", "name"), plain = lower(name);
  const double layers = number(row, "model", "layers"), hidden = number(row, "model", "hidden");
  if (layers < 1.0 || hidden < 1.0 || number(row, "model", "heads") < 1.0) {
    return json::Value(name.substr(0, name.find(" (")));
  }
  const bool llama = has(plain, "llama");
  if (has(plain, "deepseek")) {  // cut to a few layers, of which the first is dense
    json::Value out;
    out["base"] = has(plain, "v3") ? "deepseek-v3" : "deepseek-v2";
    out["layers"] = static_cast<std::int64_t>(layers);
    out["moe"]["first_dense_layers"] = 1;
    return out;
  }
  const double heads = number(row, "model", "heads");
  json::Value out;
  out["base"] = llama ? "llama-3-8b" : has(plain, "bloom") ? "bloom-176b" : "gpt3-175b";
  out["layers"] = static_cast<std::int64_t>(layers);
  out["hidden"] = static_cast<std::int64_t>(hidden);
  out["heads"] = static_cast<std::int64_t>(heads);
  out["kv_heads"] = static_cast<std::int64_t>(number(row, "model", "kv_heads", heads));
  out["head_dim"] = static_cast<std::int64_t>(hidden / heads);
  out["ffn"] = static_cast<std::int64_t>(number(row, "model", "ffn", 4.0 * hidden));
  // Megatron pads the vocabulary to 128 x tensor.
  const double pad = 128.0 * std::max(1.0, number(row, "parallelism", "tp", 1.0));
  out["vocab"] = static_cast<std::int64_t>(std::ceil(number(row, "model", "vocab", 51200.0) / pad) * pad);
  out["max_seq"] = static_cast<std::int64_t>(number(row, "model", "seq_len", 2048.0));
  if (has(name, "MPT")) {  // ALiBi, no biases, tied
    out["learned_positions"] = false;
    for (const char* bias : {"qkv_bias", "output_bias", "mlp_bias"}) {
      out[bias] = false;
    }
  }
  return out;
}

void set_parallelism(const json::Value& row, json::Value& out) {
  const auto degree = [&](const char* name) {
    return static_cast<std::int64_t>(std::max(1.0, number(row, "parallelism", name, 1.0)));
  };
  out["tensor"] = degree("tp");
  out["pipeline"] = degree("pp");
  out["context"] = degree("cp");
  out["virtual_stages"] = degree("vpp");
  // NeMo AutoModel names no expert group where it is all GPUs, but says DeepEP.
  const bool everywhere = number(row, "parallelism", "ep") < 1.0 &&
                          has(text(row, "framework"), "AutoModel") && has(text(row, "notes"), "DeepEP");
  out["expert"] = everywhere ? static_cast<std::int64_t>(number(row, "num_gpus")) : degree("ep");
  const std::string fsdp = text(row, "parallelism", "fsdp");
  const double stage = number(row, "parallelism", "zero_stage", 0.0);
  const bool sharded = stage == 3.0 || has(fsdp, "FSDP") || fsdp == "FULL_SHARD";
  const std::string sharding = sharded ? "fsdp" : stage == 2.0 ? "zero2" : stage == 1.0 ? "zero1" : "ddp";
  out["sharding"] = sharding;
  for (const char* words : {"within ", "group "}) {
    if (const std::size_t at = fsdp.find(words); at != std::string::npos) {
      out["shard_group"] =
          static_cast<std::int64_t>(std::strtol(fsdp.c_str() + at + std::string(words).size(), nullptr, 10));
    }
  }
  if (const json::Value* sp = member(row, "parallelism", "sp"); sp != nullptr && sp->is_bool()) {
    out["sequence_parallel"] = sp->boolean();
  }
  const bool pipelined = fsdp == "FSDP2" && number(row, "parallelism", "pp", 1.0) > 1.0;  // its default there
  if (has(fsdp, "not resharded") || fsdp == "SHARD_GRAD_OP" || pipelined) {
    out["reshard_after_forward"] = false;
  }
}

bool set_precision(const json::Value& row, json::Value& out, std::string& reason) {
  const std::string p = lower(text(row, "precision"));
  const std::string compute = has(p, "nvfp4")                                     ? "nvfp4"
                              : has(p, "fp8") || has(p, "float8") || p == "mxfp8" ? "fp8"
                              : has(p, "fp16")                                    ? "fp16"
                              : has(p, "bf16") || p.empty()                       ? "bf16"
                                                                                  : "";
  if (compute.empty()) {
    reason = "precision not expressed: " + p.substr(0, 40);
    return false;
  }
  out["compute"] = compute;
  // Megatron-Bridge 25.09 puts the slower recipe in parentheses.
  if (has(p, "rowwise")) {
    out["scaling"] = "row";
  } else if (has(p, "mx") || has(p, "alternate")) {
    out["scaling"] = "block";
  }
  if (has(text(row, "framework"), "InternEvo")) {
    out["reduce"] = compute;
  }
  // Composer's DEFAULT leaves the weights fp32 on the wire and reduces in 16 bits; PURE sends 16 bits.
  if (has(p, "mode default")) {
    out["gather"] = "fp32";
  }
  return true;
}

std::string framework_of(const json::Value& row) {
  const std::string f = text(row, "framework");
  if (has(f, "DeepSpeed")) {
    return "deepspeed";
  }
  if (has(f, "Megatron-LM 2021")) {
    return "megatron_2021";
  }
  if (has(f, "llm-foundry") || has(f, "InternEvo") || has(f, "AutoModel")) {  // not compiled
    return "fsdp";
  }
  if (has(f, "torchtitan")) {
    return has(text(row, "notes"), "eager") ? "fsdp" : "compiled";
  }
  if (has(f, "PyTorch FSDP") || has(f, "MaxText")) {
    return "compiled";
  }
  return "megatron";
}

void set_software(const json::Value& row, json::Value& out) {
  out["framework"] = framework_of(row);
  const std::string f = text(row, "framework"), notes = lower(text(row, "notes"));
  if (has(f, "llm-foundry")) {  // v0.0.4, before FlashAttention 2
    out["attention"] = "flash_1";
    out["fused_loss"] = true;  // its default, from the flash-attn package
  }
  // torchtitan computed its loss eagerly in fp32 until 2025.
  if (has(f, "torchtitan")) {
    out["fused_loss"] = has(text(row, "notes"), "2025");
  }
  // NVIDIA's guide for Megatron-Bridge: DeepEP on H100 and B200, HybridEP on NVL72; since release 25.11.
  const bool bridge = has(f, "Megatron-Bridge") && !text(row, "id").starts_with("mbridge-25.09");
  if (bridge || has(text(row, "notes"), "DeepEP")) {
    out["expert_dispatch"] = "deduplicated";
  }
  // The trials of BLOOM hang without it: chronicles-prequel.md, "dealing with JZ hanging".
  if (has(text(row, "interconnect"), "Jean Zay") && text(row, "gpu").starts_with("A100")) {
    out["launch_blocking"] = true;
  }
  if (has(f, "Megatron-LM 23e00ed")) {  // --tp-comm-overlap is not in the cases
    out["overlap_tensor"] = false;
  }
  if (has(f, "InternEvo")) {
    out["attention"] = "flash";
    out["dropout"] = false;
    out["overlap_gradients"] = true;  // as its examples set
    out["overlap_parameters"] = true;
    out["owners_broadcast"] = true;
  }
  if (has(notes, "asynctp")) {
    out["overlap_tensor"] = true;
  } else if (has(f, "MLPerf") && has(notes, "'tp_comm_overlap': 'false'")) {
    out["overlap_tensor"] = false;
  }
}

}  // namespace

json::Value training_scenario_of(const json::Value& row, std::string& reason) {
  json::Value s;
  s["schema"] = 1;
  s["kind"] = "training";
  s["name"] = "validation";
  json::Value machine = machine_of(row, reason);
  json::Value model = reason.empty() ? model_of(row) : json::Value();
  if (!reason.empty()) {
    return {};
  }
  const double batch = number(row, "global_batch"), seq = number(row, "model", "seq_len");
  if (batch < 1.0 || seq < 1.0) {
    reason = batch < 1.0 ? "global batch unknown" : "sequence length unknown";
    return {};
  }
  json::Value parallelism, precision, software, sizes;
  set_parallelism(row, parallelism);
  if (!set_precision(row, precision, reason)) {
    return {};
  }
  set_software(row, software);
  if (number(row, "parallelism", "tp") < 1.0 && number(row, "parallelism", "dp") < 1.0) {
    reason = "parallelism unknown";
    return {};
  }
  sizes["global_batch"] = static_cast<std::int64_t>(batch);
  sizes["micro_batch"] = static_cast<std::int64_t>(std::max(1.0, number(row, "micro_batch", "", 1.0)));
  sizes["seq_len"] = static_cast<std::int64_t>(seq);
  const std::string again = lower(text(row, "activation_recompute"));
  if (has(text(row, "framework"), "LoRA")) {
    // MLPerf's and NeMo 24.07's recipes adapt attention alone.
    const std::string f = text(row, "framework");
    s["fine_tune"]["method"] = "lora";
    s["fine_tune"]["targets"] = has(f, "MLPerf") || has(f, "24.07") ? "attention" : "all";
  }
  s["machine"] = std::move(machine);
  s["model"] = std::move(model);
  s["parallelism"] = std::move(parallelism);
  s["batch"] = std::move(sizes);
  s["recompute"] = again.starts_with("full") ? "full"
                   : again.starts_with("selective")
                       ? (has(text(row, "framework"), "torchtitan") ? "operations" : "selective")
                       : "none";
  // IBM's stack computes every so many layers again: HFU over MFU says how many.
  const double mfu = number(row, "metrics", "mfu"), hfu = number(row, "metrics", "hfu");
  if (has(text(row, "framework"), "PyTorch FSDP") && again.starts_with("selective") && hfu > mfu &&
      mfu > 0.0) {
    s["recompute"] = "full";
    s["recompute_layers"] = static_cast<std::int64_t>(std::max(
        1.0, std::round(std::min(1.0, 3.0 * (hfu / mfu - 1.0)) * number(row, "model", "layers", 48.0))));
  }
  s["precision"] = std::move(precision);
  s["software"] = std::move(software);
  return s;
}

}  // namespace gpuplan::calibrate

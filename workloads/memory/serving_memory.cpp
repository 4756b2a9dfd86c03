#include "workloads/memory/serving_memory.h"

#include <algorithm>
#include <cmath>

namespace gpuplan {

Bytes usable_memory(const Gpu& gpu) {
  const double sold_gb = gpu.memory.si() / 1e9;
  const bool gddr_with_ecc =
      gpu.memory_type.rfind("GDDR6", 0) == 0 && gpu.memory_type.rfind("GDDR6X", 0) != 0;
  const double share = gddr_with_ecc ? 0.99 * 15.0 / 16.0 : 0.99;
  return Bytes(sold_gb * 1073741824.0 * share);
}

Bytes activation_peak(const Model& model, const Deployment& deployment, const ServingMemorySpec& spec) {
  const double tokens = static_cast<double>(spec.max_num_batched_tokens);
  const double tp = deployment.tensor_parallel;
  const double bytes = 2.0;  // 16-bit activations
  double ffn = model.ffn;
  if (model.moe) {
    ffn = std::max(ffn, static_cast<double>(model.moe->expert_ffn) * model.moe->top_k);
  }
  const double gate_and_up = (model.mlp == Mlp::gated ? 3.0 : 2.0) * ffn / tp;
  const double layer = tokens * (gate_and_up + 2.0 * model.hidden) * bytes;
  const double logits =
      static_cast<double>(spec.max_num_seqs) * static_cast<double>(model.vocab) * 4.0 * 10.0;
  const double residual = tokens * model.hidden * 2.0 * bytes;
  return Bytes(residual + std::max(layer, logits));
}

ServingMemory plan_serving_memory(const Gpu& gpu, const Model& model, const Deployment& deployment,
                                  const ServingMemorySpec& spec) {
  ServingMemory out;
  out.block_size = spec.block_size;
  out.usable = usable_memory(gpu);
  out.requested = out.usable * spec.gpu_memory_utilization;
  out.weights = weights_per_rank(model, deployment);
  out.activations = activation_peak(model, deployment, spec);
  out.context = spec.context;
  out.communication = deployment.tensor_parallel > 1 ? spec.communication : Bytes(0.0);
  out.kv_budget = out.requested - out.weights - out.activations - out.context - out.communication;
  out.kv_per_token = kv_bytes_per_token_per_rank(model, deployment);
  out.kv_per_block = out.kv_per_token * static_cast<double>(spec.block_size);
  out.kv_blocks =
      out.kv_budget.si() > 0.0 ? static_cast<std::int64_t>(std::floor(out.kv_budget / out.kv_per_block)) : 0;
  return out;
}

}  // namespace gpuplan

// What tensor parallelism does to a model: legality, weights and KV bytes per rank.
#include <algorithm>
#include <array>

#include "hwmodels/json/problem.h"
#include "workloads/lowering/iteration.h"

namespace gpuplan {

std::vector<Problem> check_split(const Model& model, int tensor_parallel, const std::string& path) {
  std::vector<Problem> problems;
  const std::string found = std::to_string(tensor_parallel);
  const auto add = [&](const std::string& what, std::int64_t count) {
    std::string choices;
    for (const int tp : legal_tensor_parallel(model, 64)) {
      choices += (choices.empty() ? "" : ", ") + std::to_string(tp);
    }
    problems.push_back({path, found,
                        "a divisor of the " + std::to_string(count) + " " + what + " of " + model.name,
                        choices.empty() ? "" : "valid: " + choices});
  };
  if (tensor_parallel < 1 || model.heads % tensor_parallel != 0) {
    add("attention heads", model.heads);
  } else if (!model.mla && model.kv_heads % tensor_parallel != 0 && tensor_parallel % model.kv_heads != 0) {
    add("KV heads (or a multiple)", model.kv_heads);
  } else if (model.ffn > 0 && model.ffn % tensor_parallel != 0) {
    add("FFN columns", model.ffn);
  } else if (model.moe && model.moe->expert_ffn % tensor_parallel != 0) {
    add("expert FFN columns", model.moe->expert_ffn);
  }
  return problems;
}

std::vector<int> legal_tensor_parallel(const Model& model, int most) {
  std::vector<int> legal;
  for (int tp = 1; tp <= most; ++tp) {
    const bool heads = model.heads % tp == 0;
    const bool kv = model.mla || model.kv_heads % tp == 0 || tp % model.kv_heads == 0;
    const bool ffn = model.ffn % tp == 0 && (!model.moe || model.moe->expert_ffn % tp == 0);
    if (heads && kv && ffn) {
      legal.push_back(tp);
    }
  }
  return legal;
}

int kv_heads_per_rank(const Model& model, int tensor_parallel) {
  return std::max(1, model.kv_heads / tensor_parallel);
}

Bytes weights_per_rank(const Model& model, const Deployment& deployment) {
  const ParameterCount count = count_parameters(model);
  const double tp = deployment.tensor_parallel;
  const double linear = bytes_per_element(deployment.weights);
  const double plain = std::max(2.0, std::min(4.0, bytes_per_element(deployment.activations)));
  double attention = count.attention / tp;
  if (model.mla) {
    // q and kv down-projections are computed whole on every rank.
    const LatentAttention& mla = *model.mla;
    const double down = static_cast<double>(model.layers) * model.hidden *
                        (mla.q_lora_rank + mla.kv_lora_rank + mla.qk_rope_head_dim);
    attention = down + (count.attention - down) / tp;
  } else if (deployment.tensor_parallel > model.kv_heads) {
    // K and V projections of replicated heads.
    const double kv_all =
        2.0 * model.layers * static_cast<double>(model.hidden) * model.kv_heads * model.head_dim;
    attention = (count.attention - kv_all) / tp + kv_all / model.kv_heads;
  }
  const double matrices = attention + (count.mlp + count.experts) / tp;
  const double tables = (count.embedding + count.lm_head) / tp;
  return Bytes(matrices * linear + (tables + count.norms) * plain);
}

Bytes kv_bytes_per_token_per_rank(const Model& model, const Deployment& deployment) {
  const Bytes whole = kv_bytes_per_token(model, deployment.kv);
  if (model.mla) {
    return whole;  // the latent vector is shared by all heads, so every rank holds it
  }
  return whole * (static_cast<double>(kv_heads_per_rank(model, deployment.tensor_parallel)) / model.kv_heads);
}

}  // namespace gpuplan

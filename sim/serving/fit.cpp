// Does the model fit, and if not, what is the cheapest change that makes it fit?
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/serving/simulation.h"

namespace gpuplan::sim {

namespace {

constexpr double kGB = 1e9;

// Least KV cache that a replica can start with: one block.
bool fits(const ServingMemory& memory) { return memory.kv_blocks >= 1; }

ServingMemory memory_of(const ServingScenario& s, const Gpu& gpu, const Deployment& deployment) {
  return plan_serving_memory(gpu, s.model, deployment, s.memory_spec());
}

}  // namespace

std::optional<DoesNotFit> check_fit(const ServingScenario& scenario, const Library& library) {
  DoesNotFit out;
  out.memory = memory_of(scenario, scenario.gpu, scenario.deployment);
  if (fits(out.memory)) {
    return std::nullopt;
  }
  out.short_by = out.memory.kv_per_block - out.memory.kv_budget;
  const auto kv_of = [](const ServingMemory& memory) {
    return fmt::format("leaves {:.1f} GB for the KV cache ({} tokens)", memory.kv_budget.si() / kGB,
                       memory.kv_tokens());
  };

  // More GPUs a replica: free when the machine has them, else the smallest degree that fits.
  const int most = std::max({scenario.spec.machine.gpus, scenario.node.gpu_count, 8});
  for (const int tp : legal_tensor_parallel(scenario.model, most)) {
    Deployment split = scenario.deployment;
    split.tensor_parallel = tp;
    const ServingMemory memory = memory_of(scenario, scenario.gpu, split);
    if (tp > scenario.deployment.tensor_parallel && fits(memory)) {
      const std::string more =
          tp > scenario.spec.machine.gpus ? fmt::format(" with machine.gpus={}", tp) : "";
      out.remedies.push_back(fmt::format("parallelism.tensor_parallel={}{}: {}", tp, more, kv_of(memory)));
      break;
    }
  }
  // Smaller weights.
  for (const Precision weights : {Precision::fp8, Precision::int4}) {
    const bool native = weights != Precision::fp8 || scenario.gpu.peak(Precision::fp8).has_value();
    if (!native || bytes_per_element(weights) >= bytes_per_element(scenario.deployment.weights)) {
      continue;
    }
    Deployment small = scenario.deployment;
    small.weights = weights;
    const ServingMemory memory = memory_of(scenario, scenario.gpu, small);
    if (fits(memory)) {
      out.remedies.push_back(fmt::format("precision.weights={}: {}", json::name_of(weights), kv_of(memory)));
      break;
    }
  }
  // A GPU with more memory: the smallest that fits.
  const Gpu* best = nullptr;
  for (const Gpu& gpu : library.hardware.gpus()) {
    const bool computes = gpu.peak(scenario.deployment.activations).has_value() &&
                          gpu.scale_up_links >= scenario.gpu.scale_up_links / 2;
    if (computes && gpu.memory > scenario.gpu.memory && fits(memory_of(scenario, gpu, scenario.deployment)) &&
        (best == nullptr || gpu.memory < best->memory)) {
      best = &gpu;
    }
  }
  if (best != nullptr) {
    out.remedies.push_back(fmt::format("machine.gpu={}: {}", best->name,
                                       kv_of(memory_of(scenario, *best, scenario.deployment))));
  }
  // More of the same memory.
  ServingScenario greedy = scenario;
  greedy.spec.engine.gpu_memory_utilization = 0.95;
  if (scenario.spec.engine.gpu_memory_utilization < 0.95 &&
      fits(memory_of(greedy, scenario.gpu, scenario.deployment))) {
    out.remedies.push_back(fmt::format("engine.gpu_memory_utilization=0.95: {}",
                                       kv_of(memory_of(greedy, scenario.gpu, scenario.deployment))));
  }
  return out;
}

}  // namespace gpuplan::sim

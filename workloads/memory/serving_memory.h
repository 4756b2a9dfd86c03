// How an inference engine divides GPU memory, so that the number of KV blocks comes out as it does in a real
// deployment: total x utilisation - weights - peak of activations - what CUDA and NCCL hold = KV cache.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "workloads/lowering/iteration.h"

namespace gpuplan {

// Memory that CUDA reports for a GPU sold with `gpu.memory`. Vendors count sold gigabytes as GiB, of which
// the driver keeps about 1 % and in-band ECC of GDDR6 a sixteenth. The share is measured for 80 GB HBM parts
// (79.22 of 80 GiB in vLLM PR 10511, 81,559 MiB in nvidia-smi) and assumed for the others.
Bytes usable_memory(const Gpu& gpu);

struct ServingMemorySpec {
  double gpu_memory_utilization = 0.9;
  std::int64_t max_num_batched_tokens = 2048;
  std::int64_t max_num_seqs = 256;
  int block_size = 16;
  bool cuda_graphs = true;
  Bytes context{0.0};        // CUDA context and libraries, outside the framework's allocator
  Bytes communication{0.0};  // NCCL and custom all-reduce buffers, with more than one rank
};

// All per GPU.
struct ServingMemory {
  Bytes usable, requested;
  Bytes weights, activations, context, communication;
  Bytes kv_budget;  // negative: does not fit
  Bytes kv_per_token, kv_per_block;
  std::int64_t kv_blocks = 0;  // 0: does not fit
  int block_size = 16;
  [[nodiscard]] std::int64_t kv_tokens() const { return kv_blocks * block_size; }
};

ServingMemory plan_serving_memory(const Gpu& gpu, const Model& model, const Deployment& deployment,
                                  const ServingMemorySpec& spec);

// Peak of transient tensors during a forward pass of max_num_batched_tokens tokens: the residual stream and
// the widest layer (input, gate and up, their product), or the sampler over max_num_seqs rows of fp32 logits
// with ten tensors of that size alive (sort, indices, softmax, masks). With it the budget meets two published
// vLLM logs: Llama-3-8B on one 79.22 GiB GPU, 53.29 GiB of KV cache (vLLM PR 10511), and Llama-2-7B on an
// A100-80GB, 7,351 blocks of 16 tokens (vLLM PR 2031); the test works both out.
Bytes activation_peak(const Model& model, const Deployment& deployment, const ServingMemorySpec& spec);

}  // namespace gpuplan

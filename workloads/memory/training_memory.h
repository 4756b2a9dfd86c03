// What a training step holds of GPU memory, per pipeline stage: weights, gradients, optimiser state,
// activations, buffers of communication, and what CUDA, NCCL and the allocator keep besides.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "workloads/training/job.h"

namespace gpuplan {

// Assumed where no measurement is named.
struct MemoryConstants {
  double context = 0.6e9;        // CUDA context, cuBLAS and cuDNN workspaces; assumed
  double communicator = 0.35e9;  // NCCL, of each group of more than one rank; assumed
  double fragmentation = 0.04;   // of activations and working memory, by PyTorch's allocator; assumed
  // The same with DeepSpeed of 2022, NCCL's buffers and what the allocator reserves included, fitted together
  // to BLOOM's nvidia-smi rows (two thirds alone say 11.8 GB and 0.11); on one node to BigScience's
  // of 1.3B. 1.6 GB of it is CUDA's, by BLOOM's chronicle.
  double context_deepspeed = 2.5e9, network_deepspeed = 7.5e9;  // on one node; besides, over more
  double fragmentation_deepspeed = 0.19;
  double deepspeed_bucket = 5e8;  // elements of reduce_bucket_size and allgather_bucket_size, its defaults
};

// All per GPU of the stage.
struct StageMemory {
  int stage = 0;
  Bytes weights, gradients, optimizer;
  Bytes activations;  // stored by the micro-batches in flight
  Bytes working;      // transient: a layer computed again, logits and their gradient
  Bytes buffers;      // of communication
  Bytes context;      // CUDA and NCCL, outside the framework's allocator
  Bytes fragmentation;
  // As torch.cuda.max_memory_allocated counts, and as nvidia-smi shows.
  [[nodiscard]] Bytes allocated() const {
    return weights + gradients + optimizer + activations + working + buffers;
  }
  [[nodiscard]] Bytes total() const { return allocated() + context + fragmentation; }
};

// One point of the step in time order, on the fullest stage.
struct MemoryPhase {
  std::string name;
  Bytes bytes;
};

struct TrainingMemory {
  std::vector<StageMemory> stages;
  std::vector<MemoryPhase> phases;
  std::size_t fullest = 0;
  Bytes usable;
  [[nodiscard]] const StageMemory& peak() const { return stages[fullest]; }
  [[nodiscard]] bool fits() const { return peak().total() <= usable; }
};

TrainingMemory plan_training_memory(const Gpu& gpu, const TrainingJob& job,
                                    const MemoryConstants& constants = {});

StageMemory stage_memory(const TrainingJob& job, int stage, const MemoryConstants& constants = {});
// The peak of plan_training_memory without the others, for searches.
StageMemory fullest_stage(const TrainingJob& job, const MemoryConstants& constants = {});

// Whether the weights kept are the fp32 ones: fsdp shards those and gathers them in 16 bits; the others keep
// 16-bit weights and count the fp32 copy with the optimiser.
bool master_is_the_weight(const TrainingJob& job);

// Bytes of optimiser state an element takes, fp32 master weights included where there are any.
double optimizer_bytes(const TrainingJob& job);

}  // namespace gpuplan

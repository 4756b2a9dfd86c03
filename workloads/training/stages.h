// How the layers and parameters of a job spread over pipeline stages and ranks.
#pragma once

#include "workloads/training/job.h"

namespace gpuplan {

// Layers of stage 0 .. pipeline-1. Even where the pipeline divides them; else, where it divides layers + 2,
// embedding and head count as a layer each (Megatron's account_for_embedding_in_pipeline_split); else the
// middle stages take one more.
int layers_of_stage(const TrainingJob& job, int stage);

// Layers with experts among them (dense layers of a mixture come first).
int moe_layers_of_stage(const TrainingJob& job, int stage);

// Elements that one rank of a stage computes with, before any sharding over data.
struct RankParameters {
  double dense = 0.0;    // everything but experts
  double experts = 0.0;  // held by this rank's share of the experts
  double layer = 0.0;    // of the largest layer: the unit that FSDP gathers
  double trained = 0.0;  // that get gradients (LoRA: the additions)
  [[nodiscard]] double total() const { return dense + experts; }
};
RankParameters rank_parameters(const TrainingJob& job, int stage);

}  // namespace gpuplan

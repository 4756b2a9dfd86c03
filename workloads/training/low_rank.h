// What fine-tuning by low-rank additions runs beside the frozen matrices.
#pragma once

#include "workloads/training/step.h"

namespace gpuplan {

// Frozen weights expanded from 4 bits (qlora) before the products of both passes.
void add_expansion(const TrainingJob& job, LayerWork& work, TrainingPart part, double elements);

// The additions to a frozen matrix of `in` x `out`.
void add_low_rank(const TrainingJob& job, LayerWork& work, TrainingPart part, std::int64_t tokens,
                  std::int64_t out, std::int64_t in);

// Bytes of an element of frozen weights, as stored and as FSDP gathers them.
double frozen_bytes(const TrainingJob& job);

}  // namespace gpuplan

// The time that a step's samples take to be loaded and copied, of the first pipeline stage's ranks.
//
//   storage = samples of a node x stored bytes / min(node's bandwidth, its share of the file system's)
//   decode  = samples of a node / (workers x samples a worker decodes a second)
//   copy    = decoded bytes of a rank over PCIe, page-locked or pageable (hwmodels/kernels/copy.cpp)
//
// Storage and workers run beside each other: the slower sets the loader's pace. With prefetch the step takes
// as long as the slower of computation and loader; without, the loader runs first. A pageable copy stops the
// GPU in either case. Of ranks that share a replica's samples one loads and passes them on.
#pragma once

#include "workloads/training/job.h"

namespace gpuplan::sim {

class TrainingEstimator;

struct InputCost {
  double storage = 0.0, decode = 0.0, copy = 0.0;  // seconds a step
  bool prefetch = true, blocks = false;            // blocks: copies stop the GPU
  [[nodiscard]] double loader() const { return std::max(storage, decode); }
  // The loader's time a step, wherever it is hidden.
  [[nodiscard]] double total() const { return prefetch ? std::max(loader(), copy) : storage + decode + copy; }
};

struct InputLoad {
  double samples_per_rank = 0.0;  // of a loading rank, a step
  int loaders_per_node = 1;       // GPUs of a node that load
  int loading_nodes = 1;
  double workers = 0.0;      // of a node
  Bytes stored, decoded;     // of a sample
  double decode_rate = 0.0;  // of a worker
};
InputLoad input_load(const TrainingJob& job, int gpus_per_node);

// All zero where the job says nothing of its input.
InputCost price_input(const TrainingEstimator& estimator, const TrainingJob& job);

}  // namespace gpuplan::sim

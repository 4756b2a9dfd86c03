// What copies between a GPU and its host take while every GPU of the node copies, and the optimiser's pass on
// the host: shares of PCIe uplinks, of the host's memory and of its drives.
//
//   copy = fixed + bytes x GPUs of an uplink / (PCIe x 0.78 page-locked)     (hwmodels/kernels/copy.cpp)
//   pass = max(bytes of the node / (memory bandwidth x 0.44), read / NVMe read + written / NVMe write)
//
// Known to fail: frameworks whose CPU optimiser is not vectorised (PyTorch's plain Adam is 5 times slower).
#pragma once

#include "sim/training/step_costs.h"

namespace gpuplan::sim {

// GPUs in use that share one PCIe uplink to the CPUs, as the node's topology has it; 1 with a coherent link.
double gpus_per_uplink(const TrainingEstimator& estimator);

// Of one GPU, every other of the node copying as much.
double host_copy(const TrainingEstimator& estimator, Bytes bytes, bool to_host, bool pinned = true);

// Weights of a layer from the host or its drives.
double load_time(const TrainingEstimator& estimator, const TrainingJob& job, Bytes bytes);

OffloadCost cost_of(const TrainingEstimator& estimator, const TrainingJob& job, const OffloadWork& work);

}  // namespace gpuplan::sim

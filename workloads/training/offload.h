// Training state that lies outside the GPUs: what an optimiser pass on the host and weights streamed in move,
// and what they take of host memory and NVMe drives.
//
// Assumption: as ZeRO-Offload and ZeRO-Infinity do it. Gradients are summed on the GPU and go down once a
// step, the CPU's Adam reads each gradient once, reads and writes master weight and moments in fp32, and
// writes the weights that go back up. From NVMe the state passes through host memory in both directions.
#pragma once

#include "workloads/training/step.h"

namespace gpuplan {

// Bytes that a weight takes where it is kept (a GPU's memory or the host's).
double stored_weight_bytes(const TrainingJob& job);

// Once a step, for `elements` that this rank updates.
OffloadWork lower_offload(const TrainingJob& job, double elements);

// A rank's share of a layer's `elements`, over the host's link before each pass that needs it.
void add_weight_loads(const TrainingJob& job, double elements, LayerWork& work);

// What a rank of a stage keeps outside its GPU.
struct OffGpuBytes {
  Bytes host, nvme;
};
OffGpuBytes off_gpu_bytes(const TrainingJob& job, int stage);

}  // namespace gpuplan

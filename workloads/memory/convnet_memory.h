// Activations of a convolutional network that the backward pass needs, tensor by tensor (PyTorch's autograd):
//
//   convolution  its input                    batch norm  its input, mean and deviation of each channel
//   (fp32) ReLU         its output, in place         addition    nothing max pool     an index of 8 B an
//   output    average pool  nothing
//
// A tensor that two of them keep counts once: the ReLU's output is the next convolution's input. Fused norms
// keep a mask of a bit an element besides. Recomputed blocks keep their input alone.
#pragma once

#include "workloads/training/job.h"

namespace gpuplan {

struct ConvnetActivations {
  Bytes stored;   // when the forward pass ends
  Bytes working;  // besides, at the peak of the backward pass: gradients in flight, a block computed again
};
// Precondition: the job trains a convolutional network. Of one micro-batch.
ConvnetActivations convnet_activations(const TrainingJob& job);

// Bytes that one image takes in each unit, stem first; the last is the classifier's input and logits.
std::vector<Bytes> convnet_bytes_per_image(const TrainingJob& job);

}  // namespace gpuplan

// Activations that the backward pass needs, of one layer and one micro-batch on one rank: the tensors kept,
// counted one by one. For GPT (plain MLP of 4h, 16 bits, dropout, scores in memory) the sum is the published
// one (Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", 2022, Table 2):
//
//   s b h (34 + 5 a s / h)             one GPU
//   s b h (10 + 24 / t + 5 a s / h t)  tensor parallel          s b h (34 / t + 5 a s / h t)  and sequence
//   without the 5 a s / h term         selective recompute      2 s b h                       full recompute
#pragma once

#include "workloads/training/job.h"

namespace gpuplan {

struct LayerActivations {
  Bytes stored;   // from the layer's forward pass to its backward pass
  Bytes working;  // besides, while this one layer is computed again
};
LayerActivations layer_activations(const TrainingJob& job, bool experts, Recompute recompute);

// What the head keeps until the loss is differentiated: input of the last norm and of the output matrix, and
// the logits (fp32; 4 s b h / t (1 + v / h) of the paper).
Bytes head_activations(const TrainingJob& job);

// Dropout mask behind the embedding; images.
Bytes embedding_activations(const TrainingJob& job);

// Micro-batches, in units of a whole stage, whose activations stage `stage` holds at its peak. 1f1b: p - i;
// interleaved: p (1 + (p - 1) / (p v)) on the first; gpipe: all.
double micro_batches_in_flight(const TrainingJob& job, int stage);

}  // namespace gpuplan

// Layers around a convolution that move memory only (convolution.cpp prices the convolution itself).
#pragma once

#include "hwmodels/kernels/operations.h"

namespace gpuplan::kernels {

// Batch norm over `elements`, with `extra_reads` tensors of that size besides (a residual: 1) where a
// framework fuses them. Inference: one read, one write. Training: the statistics read the tensor once more.
Elementwise batch_norm(double elements, Precision precision, bool training = false, double extra_reads = 0.0);
// Pooling of `in` elements to `out`; windows overlap in cache, so that each input is read once.
Elementwise pooling(double in, double out, Precision precision);

}  // namespace gpuplan::kernels

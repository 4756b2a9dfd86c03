// What the scales of 8- and 4-bit products cost. A product's price holds a cast of one operand, 5 bytes an
// element (read for the greatest, read again, written); with a scale a tensor that is what runs, since
// transposed copies are written by the same pass.
//
// A scale a row: operands are cast once along each dimension, and products run slower. On one GPU's matrices
// torch.compile fuses a cast to those 5 bytes; around tensor parallelism it does not, and every product casts
// the gathered input for itself: 12 bytes, fitted to torchtitan's 8B rows on 64 H100 (tensor 8), of which its
// 70B rows are the check. Products 1.1 times as long: torchtitan commit 7a04053, 6,424 against 7,186
// tokens/s, less the casts. A scale a block (MXFP8): products 1.1 times as long, fitted to Megatron-Bridge's
// pairs of both recipes on Blackwell, which are 4 to 12 % apart.
#include <algorithm>

#include "workloads/training/passes.h"

namespace gpuplan {

namespace {

bool is_scaled(const TrainingJob& job) { return bytes_per_element(job.precision.compute) < 2.0; }

// Products that share an input and that the lowering takes as one.
double products_of(const TrainingJob& job, std::string_view name) {
  if (name == "qkv") {
    return 3.0;
  }
  return name == "mlp up" && job.model.mlp == Mlp::gated ? 2.0 : 1.0;
}

}  // namespace

double scaled_matrix(const TrainingJob& job) {
  constexpr double by_row = 1.1, by_block = 1.1;
  if (!is_scaled(job)) {
    return 1.0;
  }
  switch (job.precision.scaling) {
    case Scaling::tensor:
      return 1.0;
    case Scaling::row:
      return by_row;
    case Scaling::block:
      return by_block;
  }
  return 1.0;
}

void add_casts(const TrainingJob& job, LayerWork& work, std::string_view name, std::int64_t tokens,
               std::int64_t out, std::int64_t in) {
  constexpr double fused = 5.0, unfused = 12.0;
  if (!is_scaled(job) || job.precision.scaling != Scaling::row) {
    return;
  }
  const bool split = job.parallelism.tensor > 1;
  const double cast = split ? unfused : fused, times = split ? products_of(job, name) : 1.0;
  const double rows = static_cast<double>(tokens), input = static_cast<double>(in),
               output = static_cast<double>(out);
  const auto add = [&](TrainingPhase& phase, double elements, double bytes) {
    if (elements * bytes > 0.0) {
      phase.kernels.push_back(pass("cast", TrainingPart::elementwise, kernels::Elementwise::Kind::copy,
                                   elements, 0.8 * bytes, 0.2 * bytes, split ? 3.0 : 1.0));
    }
  };
  add(work.forward, rows * input, times * cast - fused);  // the input, along its rows
  add(work.forward, input * output, fused);               // the weights
  add(work.backward, rows * output, cast - fused);        // the gradient, along its rows
  add(work.backward, input * output, fused);
  add(work.weights, rows * input, times * cast - fused);  // both, along their columns
  add(work.weights, rows * output, cast);
}

}  // namespace gpuplan

// What the scales of 8- and 4-bit products cost: casts of their operands, and the products' own time.
//
// A scale a tensor: input and gradient are cast once, with a transposed copy for the second product they are
// in; the greatest is found first: 6 bytes an element. Where tensor-parallel ranks share the sequence, each
// casts its part and the parts are gathered. A scale a block of 32 (MXFP8): one pass writes both copies, 4
// bytes; products take 1.1 times as long, fitted to Megatron-Bridge's pairs of both recipes on Blackwell,
// which are 4 to 12 % apart. Weights are cast once a step, or as a shard: nothing.
//
// A scale a row: operands are cast along each dimension, 5 bytes a time where torch.compile fuses it. Around
// tensor parallelism it does not, and every product casts the gathered input for itself: 7 bytes, fitted to
// torchtitan's 8B rows on 64 H100 (tensor 8), of which its 70B rows are the check. Products take 1.1 times as
// long: torchtitan commit 7a04053, 6,424 against 7,186 tokens/s, less the casts.
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
  constexpr double by_tensor = 6.0, by_block = 4.0, by_row = 5.0, by_row_unfused = 7.0;
  if (!is_scaled(job)) {
    return;
  }
  const auto add = [&](TrainingPhase& phase, double elements, double bytes, double launches) {
    phase.kernels.push_back(pass("cast", TrainingPart::elementwise, kernels::Elementwise::Kind::copy,
                                 elements, 0.7 * bytes, 0.3 * bytes, launches));
  };
  const double rows = static_cast<double>(tokens), input = static_cast<double>(in),
               output = static_cast<double>(out);
  if (job.precision.scaling != Scaling::row) {
    // What is as wide as the model lies cut over the sequence before it is gathered.
    const double share = tokens_between(job) / static_cast<double>(job.local_tokens());
    const double bytes = job.precision.scaling == Scaling::tensor ? by_tensor : by_block;
    add(work.forward, rows * input * (in == job.model.hidden ? share : 1.0), bytes, 2.0);
    add(work.backward, rows * output * (out == job.model.hidden ? share : 1.0), bytes, 2.0);
    return;
  }
  const bool split = job.parallelism.tensor > 1;
  const double bytes = split ? by_row_unfused : by_row, times = split ? products_of(job, name) : 1.0;
  const double launches = split ? 3.0 : 1.0;
  add(work.forward, rows * input, times * bytes, launches);
  add(work.forward, input * output, by_row, 1.0);
  add(work.backward, rows * output, bytes, launches);
  add(work.backward, input * output, by_row, 1.0);
  add(work.weights, rows * input, times * bytes, launches);
  add(work.weights, rows * output, bytes, launches);
}

}  // namespace gpuplan

// Fine-tuning of low-rank additions (LoRA) beside frozen matrices: y = x W + (x A) B with A of `rank`
// columns.
//
//   forward   x A, (x A) B, and a pass that adds the two results; W is first expanded from 4 bits into
//             16 (QLoRA: bitsandbytes writes it out before every product, forward and backward)
//   backward  dx = dy W^T, the gradients of A and B, and of x through them, added in a pass
//
// Kernels one after the other, as PEFT runs them (assumed; fused ones save the passes). Experts carry no
// additions, and theirs are not expanded from 4 bits here: their fine-tuning is priced too low.
#include "workloads/training/low_rank.h"

#include "workloads/training/passes.h"

namespace gpuplan {

namespace {

using Kind = kernels::Elementwise::Kind;

TrainingKernel product(const TrainingJob& job, std::string_view name, TrainingPart part, std::int64_t m,
                       std::int64_t n, std::int64_t k) {
  kernels::Gemm op;
  op.m = m;
  op.n = n;
  op.k = k;
  op.activations = op.weights =
      bytes_per_element(job.precision.compute) < 2.0 ? Precision::bf16 : job.precision.compute;
  return {name, part, op};
}

TrainingPart passes_part(TrainingPart part) {
  return part == TrainingPart::head ? part : TrainingPart::elementwise;
}

}  // namespace

void add_expansion(const TrainingJob& job, LayerWork& work, TrainingPart part, double elements) {
  if (job.fine_tune.method != FineTune::qlora) {
    return;
  }
  for (TrainingPhase* phase : {&work.forward, &work.backward}) {
    phase->kernels.push_back(pass("expand 4 bits", passes_part(part), Kind::copy, elements,
                                  bytes_per_element(Precision::int4), job.weight_bytes()));
  }
}

void add_low_rank(const TrainingJob& job, LayerWork& work, TrainingPart part, std::int64_t tokens,
                  std::int64_t out, std::int64_t in) {
  const std::int64_t rank = job.fine_tune.rank;
  const double e = job.activation_bytes(), rows = static_cast<double>(tokens);
  const auto add = [&](TrainingPhase& phase, std::int64_t width) {
    const double wide = e * static_cast<double>(width);
    phase.kernels.push_back(pass("add low rank", passes_part(part), Kind::residual, rows, 2.0 * wide, wide));
  };
  work.forward.kernels.push_back(product(job, "low rank", part, tokens, rank, in));
  work.forward.kernels.push_back(product(job, "low rank", part, tokens, out, rank));
  add(work.forward, out);
  work.backward.kernels.push_back(product(job, "low rank", part, tokens, rank, out));
  work.backward.kernels.push_back(product(job, "low rank", part, tokens, in, rank));
  add(work.backward, in);
  work.weights.kernels.push_back(product(job, "low rank", part, rank, out, tokens));
  work.weights.kernels.push_back(product(job, "low rank", part, in, rank, tokens));
}

double frozen_bytes(const TrainingJob& job) {
  return job.fine_tune.method == FineTune::qlora ? bytes_per_element(Precision::int4) : job.weight_bytes();
}

}  // namespace gpuplan

#include "workloads/training/passes.h"

#include "workloads/training/low_rank.h"

namespace gpuplan {

using collectives::Collective;

TrainingKernel pass(std::string_view name, TrainingPart part, kernels::Elementwise::Kind kind, double tokens,
                    double read, double written, double launches) {
  kernels::Elementwise op;
  op.kind = kind;
  op.elements = tokens * written * 0.5;
  op.read = Bytes(tokens * read);
  op.written = Bytes(tokens * written);
  return {name, part, op, 1.0, false, launches};
}

void add_matrix(const TrainingJob& job, LayerWork& work, std::string_view name, TrainingPart part,
                std::int64_t tokens, std::int64_t out, std::int64_t in) {
  const Precision p = job.precision.compute;
  const auto gemm = [&](std::int64_t m, std::int64_t n, std::int64_t k) {
    kernels::Gemm op;
    op.m = m;
    op.n = n;
    op.k = k;
    op.activations = p;
    op.weights = p;
    op.quantised = true;  // casts are passes of their own: scaling.cpp
    return TrainingKernel{name, part, op, scaled_matrix(job)};
  };
  add_casts(job, work, name, tokens, out, in);
  work.forward.kernels.push_back(gemm(tokens, out, in));
  work.backward.kernels.push_back(gemm(tokens, in, out));
  work.flops += 4.0 * static_cast<double>(tokens) * static_cast<double>(out) * static_cast<double>(in);
  if (job.fine_tune.method != FineTune::full) {
    if (part != TrainingPart::head) {  // the output matrix has no additions and stays in 16 bits
      add_expansion(job, work, part, static_cast<double>(out) * static_cast<double>(in));
      const bool attention =
          name == "projection" || name == "qkv" || name.starts_with("query") || name.starts_with("key-value");
      if (attention || job.fine_tune.targets == LowRankTargets::all) {
        add_low_rank(job, work, part, tokens, out, in);
      }
    }
    return;
  }
  work.flops += 2.0 * static_cast<double>(tokens) * static_cast<double>(out) * static_cast<double>(in);
  work.weights.kernels.push_back(gemm(in, out, tokens));
  // Megatron adds in the product's epilogue: the accumulated gradient is read besides. Others add in a pass
  // of its own, which reads both and writes one.
  const double elements = static_cast<double>(out) * static_cast<double>(in), g = job.gradient_bytes();
  const bool fused = job.software.framework == Framework::megatron;
  if (fused) {
    work.weights.kernels.push_back(pass("accumulate", TrainingPart::elementwise,
                                        kernels::Elementwise::Kind::residual, elements, g,
                                        g - job.weight_bytes(), 0.0));
  } else if (job.micro_batches() > 1 || g > job.weight_bytes()) {
    work.weights.kernels.push_back(pass("accumulate", TrainingPart::elementwise,
                                        kernels::Elementwise::Kind::residual, elements,
                                        g + job.weight_bytes(), g));
  }
}

double tokens_between(const TrainingJob& job) {
  return static_cast<double>(job.local_tokens()) / (job.sequence_parallel() ? job.parallelism.tensor : 1.0);
}

namespace {

TrainingCollective over_tensor(const TrainingJob& job, std::string_view name, Collective kind,
                               Overlap overlap) {
  const double element =
      kind == Collective::all_gather ? job.gathered_activation_bytes() : job.activation_bytes();
  return {name,          kind,
          Group::tensor, Bytes(static_cast<double>(job.local_tokens()) * job.model.hidden * element),
          1.0,           overlap};
}

}  // namespace

void enter_tensor(const TrainingJob& job, LayerWork& work) {
  if (job.parallelism.tensor == 1) {
    return;
  }
  const Overlap hides = *job.software.overlap_tensor ? Overlap::matrices : Overlap::none;
  if (job.sequence_parallel()) {
    work.forward.collectives.push_back(over_tensor(job, "gather sequence", Collective::all_gather, hides));
    // Backward: gathered again for the weight gradient, behind the input's; the gradient is scattered behind
    // the weight gradient.
    const Overlap behind = job.software.framework == Framework::compiled ? hides : Overlap::matrices;
    work.backward.collectives.push_back(
        over_tensor(job, "gather sequence again", Collective::all_gather, behind));
    work.backward.collectives.push_back(
        over_tensor(job, "scatter gradient", Collective::reduce_scatter, behind));
    return;
  }
  const Overlap behind = job.software.framework == Framework::megatron ? Overlap::matrices : Overlap::none;
  work.backward.collectives.push_back(over_tensor(job, "reduce gradient", Collective::all_reduce, behind));
}

void leave_tensor(const TrainingJob& job, LayerWork& work) {
  if (job.parallelism.tensor == 1) {
    return;
  }
  const Overlap hides = *job.software.overlap_tensor ? Overlap::matrices : Overlap::none;
  if (job.sequence_parallel()) {
    work.forward.collectives.push_back(over_tensor(job, "scatter output", Collective::reduce_scatter, hides));
    work.backward.collectives.push_back(over_tensor(job, "gather gradient", Collective::all_gather, hides));
    return;
  }
  work.forward.collectives.push_back(
      over_tensor(job, "reduce output", Collective::all_reduce, Overlap::none));
}

}  // namespace gpuplan

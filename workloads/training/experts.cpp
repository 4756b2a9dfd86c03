// A layer's experts: router, tokens to the ranks that hold their experts and back, the grouped products.
// Assumption: the backward pass of the grouped products takes twice their forward pass (as many products of
// the same shapes), and the most loaded rank sets the pace.
#include <algorithm>

#include "workloads/training/passes.h"

namespace gpuplan {

void lower_experts(const TrainingJob& job, LayerWork& work) {
  const Model& m = job.model;
  const Experts& x = *m.moe;
  const TrainingParallelism& p = job.parallelism;
  const std::int64_t tokens = job.local_tokens();
  const double e = job.activation_bytes(), count = static_cast<double>(tokens);
  add_matrix(job, work, "router", TrainingPart::gemm, tokens, x.experts, m.hidden);
  // With an expert group each rank routes its own share of the sequence; the experts are whole.
  const double mine = p.expert > 1 ? count / p.tensor : count;
  const std::int64_t width = p.expert > 1 ? x.expert_ffn : std::max(1, x.expert_ffn / p.tensor);
  const double permuted = mine * x.top_k;
  for (TrainingPhase* phase : {&work.forward, &work.backward}) {
    phase->kernels.push_back(pass("permute", TrainingPart::experts, kernels::Elementwise::Kind::copy,
                                  permuted, e * m.hidden, e * m.hidden, 3.0));
    phase->kernels.push_back(pass("unpermute", TrainingPart::experts, kernels::Elementwise::Kind::copy,
                                  permuted, e * m.hidden, e * m.hidden / x.top_k, 3.0));
    if (p.expert > 1) {
      phase->collectives.push_back({"tokens to experts", collectives::Collective::all_to_all, Group::expert,
                                    Bytes(permuted * m.hidden * e * job.expert_imbalance), 2.0,
                                    Overlap::none});
    }
  }
  kernels::GroupedExperts op;
  op.hidden = m.hidden;
  op.expert_ffn = width;
  op.experts = x.experts;
  op.local_experts = x.experts / p.expert;
  op.top_k = x.top_k;
  // `tokens` of that price are spread over all experts: those of the whole expert group reach this rank.
  op.tokens = static_cast<std::int64_t>(mine * p.expert);
  op.activations = job.precision.compute;
  op.weights = job.precision.compute;
  op.imbalance = job.expert_imbalance;
  const TrainingKernel grouped{"experts", TrainingPart::experts, op};
  work.forward.kernels.push_back(grouped);
  work.backward.kernels.push_back(grouped);
  work.weights.kernels.push_back(grouped);
  const double matrices = m.mlp == Mlp::gated ? 3.0 : 2.0;
  work.flops += 6.0 * permuted * matrices * m.hidden * static_cast<double>(width);
  if (x.shared_experts > 0) {
    const std::int64_t f = std::int64_t{x.shared_experts} * x.shared_ffn_each / p.tensor;
    add_matrix(job, work, "shared expert up", TrainingPart::gemm, tokens, m.mlp == Mlp::gated ? 2 * f : f,
               m.hidden);
    add_matrix(job, work, "shared expert down", TrainingPart::gemm, tokens, m.hidden, f);
  }
}

}  // namespace gpuplan

// A layer's experts: router, tokens to the ranks that hold their experts and back, the grouped products.
// Assumption: products of experts run one after the other (TransformerEngine's grouped product is a call an
// expert), and the most loaded rank sets the pace.
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
  const bool deduplicated = job.software.expert_dispatch == ExpertDispatch::deduplicated;
  // Copies of what experts see, in front of and behind them: by destination, by local expert, padded for
  // 8-bit products (Megatron-Core's dispatcher).
  const double copies =
      1.0 + (x.experts > p.expert ? 1.0 : 0.0) + (bytes_per_element(job.precision.compute) < 2.0 ? 1.0 : 0.0);
  for (TrainingPhase* phase : {&work.forward, &work.backward}) {
    phase->kernels.push_back(pass("permute", TrainingPart::experts, kernels::Elementwise::Kind::copy,
                                  permuted, copies * e * m.hidden, copies * e * m.hidden, 3.0 * copies));
    phase->kernels.push_back(pass("unpermute", TrainingPart::experts, kernels::Elementwise::Kind::copy,
                                  permuted, copies * e * m.hidden,
                                  (copies - 1.0 + 1.0 / x.top_k) * e * m.hidden, 3.0 * copies));
    if (p.expert > 1) {
      phase->collectives.push_back({"tokens to experts", collectives::Collective::all_to_all, Group::expert,
                                    Bytes(permuted * m.hidden * e * job.expert_load()), 2.0, Overlap::none,
                                    deduplicated ? x.top_k : 0});
    }
  }
  // Tokens that this rank's experts see; the most loaded rank sets the pace.
  const int local = std::max(1, x.experts / p.expert);
  const double each = std::max(1.0, permuted * job.expert_load() / local);
  const bool gated = m.mlp == Mlp::gated;
  LayerWork one;
  const auto rows = static_cast<std::int64_t>(each);
  add_matrix(job, one, "expert up", TrainingPart::experts, rows, gated ? 2 * width : width, m.hidden);
  add_matrix(job, one, "expert down", TrainingPart::experts, rows, m.hidden, width);
  const double in = (gated ? 2.0 : 1.0) * e * static_cast<double>(width),
               out = e * static_cast<double>(width);
  one.forward.kernels.push_back(
      pass("activation", TrainingPart::experts, kernels::Elementwise::Kind::activation, each, in, out));
  one.backward.kernels.push_back(
      pass("activation", TrainingPart::experts, kernels::Elementwise::Kind::activation, each, in + out, in));
  const auto take = [&](TrainingPhase& to, const TrainingPhase& from) {
    for (TrainingKernel kernel : from.kernels) {
      kernel.count *= local;
      to.kernels.push_back(kernel);
    }
  };
  take(work.forward, one.forward);
  take(work.backward, one.backward);
  take(work.weights, one.weights);
  work.flops += one.flops * permuted / static_cast<double>(rows);
  if (x.shared_experts > 0) {
    const std::int64_t f = std::int64_t{x.shared_experts} * x.shared_ffn_each / p.tensor;
    add_matrix(job, work, "shared expert up", TrainingPart::gemm, tokens, m.mlp == Mlp::gated ? 2 * f : f,
               m.hidden);
    add_matrix(job, work, "shared expert down", TrainingPart::gemm, tokens, m.hidden, f);
  }
}

}  // namespace gpuplan

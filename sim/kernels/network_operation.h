// A whole network as one operation: its kernels one after another, as the host issues them.
#pragma once

#include "hwmodels/kernels/launch_sequence.h"
#include "sim/kernels/operation.h"
#include "workloads/lowering/iteration.h"
#include "workloads/lowering/network.h"

namespace gpuplan::sim {

struct NetworkSpecOperation {
  json::Value model;
  std::int64_t batch = 1;
  std::int64_t context = 512;
  std::optional<Precision> precision;
  kernels::Convolution::Layout layout = kernels::Convolution::Layout::nhwc;
  bool fused = true;
  kernels::Issue issue = kernels::Issue::graph;
  Model resolved_model;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, NetworkSpecOperation& s) {
  v.field("model", s.model, "a bottleneck ResNet, or a decoder (one decode step on one GPU)", json::required);
  v.field("batch", s.batch, "images, or sequences", json::Range{.min = 1, .max = 1 << 20});
  v.field("context", s.context, "decoders: cached tokens a sequence", json::Range{.min = 1, .max = 1 << 24});
  v.field("precision", s.precision,
          "of weights and activations; default: fp16 for images, bf16 for decoders");
  v.field("layout", s.layout, "of images: channels last or first");
  v.field("fused", s.fused, "norm, activation and residual in the convolutions' epilogues; else passes");
  v.field("issue", s.issue, "who issues the kernels: a CUDA graph, a stream, or an eager framework");
}

}  // namespace gpuplan::sim

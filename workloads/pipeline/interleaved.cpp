// As Megatron-LM orders it: groups of as many micro-batches as stages go through chunk after chunk.
#include <algorithm>

#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

PipelineSchedule interleaved(const PipelineShape& shape) {
  PipelineSchedule out = in_a_row(shape);
  const int p = shape.stages, v = shape.chunks, total = shape.micro_batches * v;
  for (int stage = 0; stage < p; ++stage) {
    const auto op = [&](Pass pass, int k) {
      const int within = k % (p * v), chunk = pass == Pass::forward ? within / p : v - 1 - within / p;
      return PipelineOp{pass, k / (p * v) * p + within % p, chunk * p + stage};
    };
    // With as many micro-batches as stages nothing is left to alternate: all forward passes come first.
    const int warm_up = shape.micro_batches == p ? total : std::min(total, 2 * (p - 1 - stage) + (v - 1) * p);
    auto& order = out.order[static_cast<std::size_t>(stage)];
    for (int k = 0; k < total + warm_up; ++k) {
      if (k < total) {
        order.push_back(op(Pass::forward, k));
      }
      if (k >= warm_up) {
        order.push_back(op(Pass::backward, k - warm_up));
      }
    }
  }
  return out;
}

}  // namespace gpuplan::pipeline

#include <algorithm>

#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

PipelineSchedule one_f_one_b(const PipelineShape& shape) {
  PipelineSchedule out = in_a_row(shape);
  for (int stage = 0; stage < shape.stages; ++stage) {
    const int warm_up = std::min(shape.micro_batches, shape.stages - 1 - stage);
    auto& order = out.order[static_cast<std::size_t>(stage)];
    for (int m = 0; m < shape.micro_batches + warm_up; ++m) {
      if (m < shape.micro_batches) {
        order.push_back({Pass::forward, m, stage});
      }
      if (m >= warm_up) {
        order.push_back({Pass::backward, m - warm_up, stage});
      }
    }
  }
  return out;
}

}  // namespace gpuplan::pipeline

#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

PipelineSchedule gpipe(const PipelineShape& shape) {
  PipelineSchedule out = in_a_row(shape);
  for (int stage = 0; stage < shape.stages; ++stage) {
    for (const Pass pass : {Pass::forward, Pass::backward}) {
      for (int m = 0; m < shape.micro_batches; ++m) {
        out.order[static_cast<std::size_t>(stage)].push_back({pass, m, stage});
      }
    }
  }
  return out;
}

}  // namespace gpuplan::pipeline

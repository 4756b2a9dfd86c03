#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

PipelineSchedule zero_bubble(const PipelineShape& shape) {
  PipelineSchedule out = in_a_row(shape);
  order_greedily(out, shape.stages);
  return out;
}

}  // namespace gpuplan::pipeline

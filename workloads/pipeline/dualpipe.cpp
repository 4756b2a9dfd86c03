#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

PipelineSchedule dualpipe(const PipelineShape& shape) {
  PipelineSchedule out = in_a_row(shape);
  out.chains.push_back({out.chains[0].rbegin(), out.chains[0].rend()});
  order_greedily(out, shape.stages + 1);
  return out;
}

}  // namespace gpuplan::pipeline

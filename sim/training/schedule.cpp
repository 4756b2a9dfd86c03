#include <algorithm>

#include "sim/training/estimate.h"

namespace gpuplan::sim {

Seconds pipeline_bubble(const TrainingJob& job, const std::vector<StageTime>& stages, std::size_t slowest) {
  const double p = job.parallelism.pipeline, v = job.parallelism.virtual_stages;
  if (p <= 1.0) {
    return Seconds(0.0);
  }
  Seconds others{0.0};
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (i != slowest) {
      others += stages[i].forward + stages[i].backward;
    }
  }
  const StageTime& t = stages[slowest];
  const Seconds b = t.backward - t.weights;
  switch (job.schedule()) {
    case PipelineSchedule::gpipe:
    case PipelineSchedule::one_forward_one_backward:
      return others;
    case PipelineSchedule::interleaved:
      return others / v;
    case PipelineSchedule::zero_bubble:
      return max(Seconds(0.0), (p - 1.0) * (t.forward + b - t.weights)) / v;
    case PipelineSchedule::dualpipe:
      return max(Seconds(0.0), (p / 2.0 - 1.0) * (max(t.forward, t.backward) + t.backward - 3.0 * t.weights));
  }
  return others;
}

}  // namespace gpuplan::sim

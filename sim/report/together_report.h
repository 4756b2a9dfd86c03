// What collectives, kernels and copies make of each other, and what a job loses by faults and stragglers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/collective/together.h"
#include "sim/report/collective_report.h"

namespace gpuplan::sim {

// Nothing where the scenario runs nothing together.
std::optional<TogetherResult> play_together(const CollectiveScenario& scenario, const Library& library);

// Adds collective.together.<name>.{time,alone,slowdown} and util.* to the report.
void report_together(CollectiveReport& report, const TogetherResult& result);
json::Value together_json(const TogetherResult& result);

// The arithmetic of what an activity shares: "node0/gpu0 SMs: gemm 0.1 + all_reduce 0.02 SM s at 132 / s".
std::vector<std::string> why_of(const ActivityResult& activity);

// A lane an activity (and GPU), as Chrome trace JSON (Perfetto).
json::Value together_trace(const TogetherResult& result);

// A training step with a row's collective in it, on the machine as it should be and as it is.
struct JobLoss {
  Seconds healthy, now;
  double gpu_hours_per_day = 0.0;     // that the cluster loses
  std::optional<double> usd_per_day;  // at the going price; nothing where there is none
  [[nodiscard]] double share() const { return 1.0 - healthy / now; }  // of the throughput
};
std::optional<JobLoss> job_loss(const CollectiveScenario& scenario, const CollectiveRow& row,
                                const Library& library);

// What stragglers add to a collective of `price`: the last to come, and steps through the slowest.
Seconds straggling(const CollectiveScenario& scenario, const collectives::CollectivePrice& price);

}  // namespace gpuplan::sim

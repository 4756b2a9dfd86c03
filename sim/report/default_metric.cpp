#include "sim/report/default_metric.h"

#include <array>

namespace gpuplan::sim {

namespace {

constexpr std::array kFirst = {"serving.tpot.mean", "serving.ttft.mean", "training.step_time",
                               "kernel.time",       "collective.time",   "silicon.delta.performance",
                               "silicon.die_cost"};

}  // namespace

std::string default_metric(const Result& result) {
  const auto counts = [&](const Metric& one) { return one.value.is_number() && one.value.number() > 0.0; };
  for (const char* name : kFirst) {
    const Metric* found = result.find(name);
    if (found != nullptr && counts(*found)) {
      return name;
    }
  }
  // Of a table of rows, the time of the last: the largest where sizes rise.
  for (auto one = result.metrics.rbegin(); one != result.metrics.rend(); ++one) {
    if (one->name.ends_with(".time") && counts(*one)) {
      return one->name;
    }
  }
  return "";
}

}  // namespace gpuplan::sim

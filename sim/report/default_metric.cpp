#include "sim/report/default_metric.h"

#include "sim/report/metric_sense.h"

namespace gpuplan::sim {

std::string default_metric(std::string_view kind, const Result& result) {
  const auto counts = [&](const Metric& one) { return one.value.is_number() && one.value.number() > 0.0; };
  for (const std::string& name : headline_metrics(kind)) {
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

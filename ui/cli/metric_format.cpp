#include "ui/cli/metric_format.h"

#include <fmt/format.h>

#include <cmath>

#include "sim/report/metric_sense.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

std::string metric_text(const std::string& metric, double value) {
  const std::string_view unit = sim::unit_of(metric);
  if (unit == "%") {
    return percent(value);
  }
  if (unit == "USD") {
    return std::abs(value) >= 1e5 ? "$" + grouped(value) : fmt::format("${:.4g}", value);
  }
  if (unit == "m2") {
    return fmt::format("{:.4g} mm2", value * 1e6);
  }
  if (unit.empty()) {
    return std::abs(value) >= 1e4 ? grouped(value) : fmt::format("{:.4g}", value);
  }
  if (unit.ends_with("/s") && unit != "B/s" && unit != "FLOP/s") {
    return std::abs(value) >= 1e4 ? grouped(value) : fmt::format("{:.4g}", value);  // the name says it
  }
  return si(value, unit);
}

std::string short_name(const std::string& metric, const std::string& kind) {
  return metric.starts_with(kind + ".") ? metric.substr(kind.size() + 1) : metric;
}

}  // namespace gpuplan::cli

#include "ui/cli/sweep/figure_text.h"

#include <fmt/format.h>

#include <cmath>

#include "sim/sweep/metric.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

std::string figure_text(const std::string& metric, double value) {
  const std::string_view unit = sweep::nature_of(metric).unit;
  if (unit == "%") {
    return percent(value);
  }
  if (unit == "USD") {
    return std::abs(value) >= 1000.0 ? "$" + grouped(value) : fmt::format("${:.3g}", value);
  }
  if (unit.empty() || unit == "tokens/s" || unit == "1/s" || unit == "m2") {
    return std::abs(value) >= 1000.0 && unit != "m2" ? grouped(value) : fmt::format("{:.4g}", value);
  }
  return si(value, unit);
}

}  // namespace gpuplan::cli

#include "ui/cli/metric_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <thread>

#include "sim/report/metric_sense.h"
#include "ui/cli/command.h"
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

int default_jobs() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u)); }

sim::EvaluateAllOptions evaluate_options(const boost::program_options::variables_map& options) {
  const int jobs = options["jobs"].as<int>();
  if (jobs < 1 || jobs > 1024) {
    throw UsageError{"--jobs takes 1 to 1024"};
  }
  sim::EvaluateAllOptions how;
  how.jobs = jobs;
  return how;
}

std::vector<sim::Answer> evaluate_here(const std::vector<sim::Asked>& asked, const sim::Library& library,
                                       const boost::program_options::variables_map& options) {
  sim::EvaluateAllOptions how = evaluate_options(options);
  std::optional<ProgressBar> bar;
  if (options.count("quiet") == 0) {
    bar.emplace();
    how.progress = [&](double done) { bar->show(done); };
  }
  return sim::evaluate_all(asked, library, how);
}

}  // namespace gpuplan::cli

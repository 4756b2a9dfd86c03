#include "sim/report/silicon_explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/json/problem.h"

namespace gpuplan::sim {

namespace {

using silicon::Metric;
using Lines = std::vector<std::string>;

template <class Three>
std::string spread_text(const Three& s, const char* format) {
  return fmt::format("{} ({} to {})", fmt::format(fmt::runtime(format), s.p50),
                     fmt::format(fmt::runtime(format), s.p10), fmt::format(fmt::runtime(format), s.p90));
}

void explain_area(const silicon::Assessment& die, Lines& lines) {
  lines.push_back(
      "area = sum over blocks of units x transistors / density, SRAM bits x cell / efficiency, PHYs");
  const auto names = enum_names(silicon::Block{});
  for (std::size_t b = 0; b < silicon::kBlockCount; ++b) {
    const Spread& block = die.blocks_mm2[b];
    if (block.p10 != 0.0 || block.p90 != 0.0) {
      lines.push_back(fmt::format("  {:<16} {}", names[b], spread_text(block, "{:.1f} mm2")));
    }
  }
  lines.push_back(fmt::format("  {:<16} {}", "sum", spread_text(die.of(Metric::area_mm2), "{:.1f} mm2")));
  lines.push_back(
      "unexplained: what the published area has beyond the model's; it stays as it is in a changed die");
}

void explain_more_area(const silicon::Comparison& both, Lines& lines) {
  lines.emplace_back("area more, by block, both dies on the same draws of the inputs:");
  const auto names = enum_names(silicon::Block{});
  for (std::size_t b = 0; b < silicon::kBlockCount; ++b) {
    const Spread& block = both.block_deltas_mm2[b];
    if (block.p10 != 0.0 || block.p90 != 0.0) {
      lines.push_back(fmt::format("  {:<16} {}", names[b], spread_text(block, "{:+.2f} mm2")));
    }
  }
  lines.push_back(
      fmt::format("  {:<16} {}", "sum", spread_text(both.delta(Metric::area_mm2), "{:+.2f} mm2")));
}

void explain_yield(const silicon::Assessment& die, const silicon::SiliconOptions& options, Lines& lines) {
  const double area = die.of(Metric::area_mm2).p50;
  const double d = options.wafer.diameter_mm - 2.0 * options.wafer.edge_exclusion_mm;
  lines.push_back(
      fmt::format("dies per wafer = pi (d/2)^2 / A - pi d / sqrt(2 A), d = {:.0f} mm, A = {:.1f} mm2: {:.1f}",
                  d, area, die.of(Metric::dies_per_wafer).p50));
  lines.push_back(fmt::format("perfect = share of dies that no defect hits, {} with clustering {:g}: {}",
                              json::name_of(options.wafer.yield), options.wafer.clustering,
                              spread_text(die.of(Metric::yield_perfect), "{:.3f}")));
  lines.push_back(fmt::format("sell = enough SMs, L2 groups and HBM sites work, and nothing else is hit: {}",
                              spread_text(die.of(Metric::yield_usable), "{:.3f}")));
}

void explain_cost(const silicon::Assessment& die, Lines& lines) {
  lines.push_back(fmt::format("die = wafer / (dies per wafer {:.1f} x yield {:.3f}): {}",
                              die.of(Metric::dies_per_wafer).p50, die.of(Metric::yield_usable).p50,
                              spread_text(die.of(Metric::die_cost_usd), "USD {:.1f}")));
  const auto names = enum_names(silicon::CostPart{});
  for (std::size_t p = 0; p < silicon::kCostPartCount; ++p) {
    lines.push_back(fmt::format("  {:<18} {}", names[p], spread_text(die.unit_cost_usd[p], "USD {:.0f}")));
  }
  lines.push_back(
      fmt::format("  {:<18} {}", "unit", spread_text(die.of(Metric::unit_cost_usd), "USD {:.0f}")));
}

void explain_performance(const SiliconScenario& s, const SiliconStudy& study, const SiliconOutcome& o,
                         Lines& lines) {
  lines.push_back("performance = 1 / sum over workloads of (share of hours / gain)");
  for (std::size_t w = 0; w < o.gains.size(); ++w) {
    const SiliconGain& gain = o.gains[w];
    lines.push_back(fmt::format(
        "  {}: {:.3f} of the hours, {} {:.4g} -> {:.4g}, slowed by power x {:.3f}: gain {:.4f} (x/: {:.3f} "
        "at 80 %), at a "
        "thousandfold {:.3f}",
        s.workloads[w].name, s.workloads[w].weight, study.runs[w].name, study.runs[w].metric, gain.metric,
        gain.slowed, gain.gain, std::exp(gain.half_width), gain.bound.value_or(gain.gain)));
  }
  lines.push_back(fmt::format(
      "  = {:.4f} ({:.3f} to {:.3f}); a thousandfold removes {:.1f} % of the time, at best {:.3f}",
      o.performance, o.performance80.p10, o.performance80.p90, 100.0 * o.removable, o.bound));
}

void explain_tco(const SiliconStudy& study, const SiliconOutcome& o, Lines& lines) {
  lines.push_back(fmt::format("TCO = (USD per GPU hour, changed) / (base: {:.3f}) / performance",
                              study.usd_per_gpu_hour));
  lines.push_back(fmt::format("  a buyer pays {} more a GPU: the hour costs x {:.5f}",
                              spread_text(o.price_usd, "USD {:.1f}"), o.tco_price));
  lines.push_back(fmt::format("  the GPU draws {:.0f} W in its work instead of {:.0f}: x {:.5f}", o.watts,
                              study.base_watts, o.tco_power));
  lines.push_back(fmt::format("  performance {:.4f}: x {:.5f}", o.performance, 1.0 / o.performance));
  lines.push_back(fmt::format("  = {}", spread_text(o.tco, "{:.4f}")));
  lines.emplace_back("each input alone at its tenth and ninetieth percentile:");
  for (std::size_t i = 0; i < std::min<std::size_t>(5, o.swings.size()); ++i) {
    const SiliconSwing& swing = o.swings[i];
    lines.push_back(fmt::format("  {} {:.4g} .. {:.4g}: {:.4f} .. {:.4f}", swing.input, swing.low, swing.high,
                                swing.at_low, swing.at_high));
  }
}

// The change that a metric is of, by its name: nothing for the base.
const SiliconOutcome* outcome_of(const SiliconScenario& s, const SiliconStudy& study,
                                 const std::string& metric) {
  const std::string prefix = "silicon.change.";
  if (metric.starts_with("silicon.base.") || study.changes.empty()) {
    return nullptr;
  }
  for (std::size_t i = 0; i < s.changes.size(); ++i) {
    if (metric.starts_with(prefix + s.changes[i].name + ".")) {
      return &study.changes[i];
    }
  }
  return &study.changes[study.foremost()];
}

}  // namespace

std::vector<std::string> silicon_headlines(const SiliconScenario& scenario) {
  std::vector<std::string> out = {"silicon.base.die_area", "silicon.base.yield", "silicon.base.unit_cost"};
  if (!scenario.changes.empty()) {
    out.emplace_back("silicon.delta.die_area");
    if (!scenario.workloads.empty()) {
      out.insert(out.end(), {"silicon.delta.performance", "silicon.delta.tco"});
    }
  }
  return out;
}

ExplanationText explain_silicon(const SiliconScenario& s, const SiliconStudy& study, const Result& result,
                                const std::string& metric) {
  const sim::Metric* found = result.find(metric);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const sim::Metric& one : result.metrics) {
      names.push_back(one.name);
    }
    throw InputError(Problem{"METRIC", "\"" + metric.substr(0, 60) + "\"", "a metric of this scenario",
                             did_you_mean(metric, names)});
  }
  ExplanationText out;
  out.title = fmt::format("{} = {:.4g}", metric, found->value.number());
  if (found->interval80) {
    out.title += fmt::format("  [{:.4g} .. {:.4g}]", (*found->interval80)[0], (*found->interval80)[1]);
  }
  const SiliconOutcome* o = outcome_of(s, study, metric);
  const silicon::Assessment& die = o == nullptr ? study.base : o->silicon.changed;
  const auto is = [&](const char* part) { return metric.find(part) != std::string::npos; };
  if (is("tco") || is("price_usd")) {
    explain_tco(study, *o, out.lines);
  } else if (is("performance") || is("removable") || is("bound")) {
    explain_performance(s, study, *o, out.lines);
  } else if (is("perf_per_watt")) {
    out.lines.push_back(
        fmt::format("performance {:.4f} x {:.1f} W / {:.1f} W", o->performance, study.base_watts, o->watts));
  } else if (is("yield") || is("dies_per_wafer")) {
    explain_yield(die, s.spec.model, out.lines);
  } else if (is("cost")) {
    explain_cost(die, out.lines);
  } else if (is("delta.die_area")) {
    explain_more_area(o->silicon, out.lines);
  } else if (is("die_area")) {
    explain_area(die, out.lines);
  } else {
    out.lines.push_back("a mean over the workloads, by their hours on the base");
  }
  return out;
}

}  // namespace gpuplan::sim

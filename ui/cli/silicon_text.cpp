#include "ui/cli/silicon_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/report/silicon_report.h"
#include "ui/cli/metric_format.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using Align = Table::Align;
using silicon::Metric;

std::string change_text(double ratio) { return fmt::format("{:+.1f} %", 100.0 * (ratio - 1.0)); }

// The same without the sign for percent, in three digits.
std::string short_change(double ratio) {
  const double percent = 100.0 * (ratio - 1.0);
  return std::abs(percent) < 99.95 ? fmt::format("{:+.1f}", percent) : fmt::format("{:+.0f}", percent);
}

template <class Three>
std::string range_text(const Three& spread, const char* format) {
  return fmt::format("{} ({}..{})", fmt::format(fmt::runtime(format), spread.p50),
                     fmt::format(fmt::runtime(format), spread.p10),
                     fmt::format(fmt::runtime(format), spread.p90));
}

std::string base_text(const sim::SiliconScenario& s, const silicon::Assessment& die) {
  std::string out =
      wrap(fmt::format("{}: {} in {}, {:.0f} mm2, {:.0f} dies a wafer", s.gpu.name, die.die, die.process,
                       die.of(Metric::area_mm2).p50, die.of(Metric::dies_per_wafer).p50),
           80, 2) +
      "\n";
  out +=
      wrap(fmt::format("yield {} perfect, {} that sell; a die costs USD {}, a unit USD {} to make",
                       percent(die.of(Metric::yield_perfect).p50), percent(die.of(Metric::yield_usable).p50),
                       range_text(die.of(Metric::die_cost_usd), "{:.0f}"),
                       range_text(die.of(Metric::unit_cost_usd), "{:.0f}")),
           80, 2) +
      "\n";
  return out;
}

std::string work_text(const sim::SiliconScenario& s, const sim::SiliconStudy& study) {
  Table table({"work", "hours", "on the base", "limited by", "W"},
              {Align::left, Align::right, Align::right, Align::left, Align::right});
  for (std::size_t w = 0; w < study.runs.size(); ++w) {
    const sim::SiliconWorkload& workload = s.workloads[w];
    table.row({fmt::format("{} {}", w + 1, workload.name), percent(workload.weight),
               short_name(study.runs[w].name, workload.kind) + " " +
                   metric_text(study.runs[w].name, study.runs[w].metric),
               study.runs[w].bottleneck, fmt::format("{:.0f}", study.runs[w].watts)});
  }
  return "\n" + table.text();
}

std::string area_text(const sim::SiliconScenario& s, const sim::SiliconStudy& study) {
  Table table({"silicon", "mm2 more", "of die", "sell", "die USD", "unit USD more"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right});
  for (const std::size_t i : study.ranking) {
    const silicon::Comparison& c = study.changes[i].silicon;
    table.row({s.changes[i].name, range_text(c.delta(Metric::area_mm2), "{:.1f}"),
               change_text(c.ratio(Metric::area_mm2).p50), percent(c.changed.of(Metric::yield_usable).p50),
               fmt::format("{:+.1f}", c.delta(Metric::die_cost_usd).p50),
               range_text(c.delta(Metric::unit_cost_usd), "{:.0f}")});
  }
  std::string out = "\n" + table.text();
  for (const std::size_t i : study.ranking) {
    if (!s.changes[i].filled.empty()) {
      out += wrap(fmt::format("{}: {} fills {:g} mm2", s.changes[i].name, s.changes[i].filled,
                              *s.spec.budget.area_mm2),
                  80, 2) +
             "\n";
    }
  }
  return out;
}

// A column for each workload, and all of them.
std::string performance_text(const sim::SiliconScenario& s, const sim::SiliconStudy& study) {
  constexpr std::size_t most = 4;
  const std::size_t shown = s.workloads.size() == 1 ? 0 : std::min(most, s.workloads.size());
  std::vector<std::string> header = {"faster, %"};
  std::vector<Align> align = {Align::left};
  for (std::size_t w = 0; w < shown; ++w) {
    header.push_back(std::to_string(w + 1));
    align.push_back(Align::right);
  }
  for (const char* column : {"all", "80 %", "at best", "removes", "per W"}) {
    header.emplace_back(column);
    align.push_back(Align::right);
  }
  Table table(header, align);
  for (const std::size_t i : study.ranking) {
    const sim::SiliconOutcome& o = study.changes[i];
    std::vector<std::string> row = {s.changes[i].name};
    for (std::size_t w = 0; w < shown; ++w) {
      row.push_back(o.gains[w].runs ? short_change(o.gains[w].gain) : "no");
    }
    const bool runs = o.runs;
    row.push_back(runs ? short_change(o.performance) : "-");
    row.push_back(runs ? fmt::format("{:+.0f}..{:+.0f}", 100.0 * (o.performance80.p10 - 1.0),
                                     100.0 * (o.performance80.p90 - 1.0))
                       : "-");
    row.push_back(runs && o.scales ? fmt::format("{:.2f}x", o.bound) : "-");
    row.push_back(runs && o.scales ? percent(o.removable) : "-");
    row.push_back(runs ? short_change(o.perf_per_watt) : "-");
    table.row(std::move(row));
  }
  return "\n" + table.text();
}

std::string money_text(const sim::SiliconScenario& s, const sim::SiliconStudy& study) {
  Table table({"cost of the work", "TCO", "80 %", "a mm2", "a USD", "budget"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::left});
  for (const std::size_t i : study.ranking) {
    const sim::SiliconOutcome& o = study.changes[i];
    const std::string budget =
        o.within_budget() ? "" : fmt::format("beyond: {}", fmt::join(o.over_budget, ", "));
    if (!o.runs) {
      table.row({s.changes[i].name, "-", "-", "-", "-", "does not run"});
      continue;
    }
    const double area = o.silicon.delta(Metric::area_mm2).p50;
    const double usd = o.silicon.delta(Metric::unit_cost_usd).p50;
    const double saved = 100.0 * (1.0 - o.tco.p50);
    table.row({s.changes[i].name, change_text(o.tco.p50),
               fmt::format("{:+.1f}..{:+.1f}", 100.0 * (o.tco.p10 - 1.0), 100.0 * (o.tco.p90 - 1.0)),
               area > 0.005 ? fmt::format("{:+.2f}", saved / area) : "-",
               usd > 0.0 ? fmt::format("{:+.3f}", saved / usd) : "-", budget});
  }
  return "\n" + table.text() +
         styled(wrap(fmt::format("base: USD {:.2f} an owned GPU and hour; a mm2, a USD: percent of TCO saved "
                                 "for each mm2 of die, each USD of unit cost; at best, removes: with a "
                                 "thousandfold of the effect (Amdahl)",
                                 study.usd_per_gpu_hour),
                     80, 2),
                Style::dim) +
         "\n";
}

std::string tornado_text(const sim::SiliconScenario& s, const sim::SiliconStudy& study) {
  const std::size_t best = study.foremost();
  const std::vector<sim::SiliconSwing>& swings = study.changes[best].swings;
  if (swings.empty()) {
    return "";
  }
  Table table({"what it hangs on", "low", "high", "TCO at low", "at high"},
              {Align::left, Align::right, Align::right, Align::right, Align::right});
  for (std::size_t i = 0; i < std::min<std::size_t>(6, swings.size()); ++i) {
    const sim::SiliconSwing& w = swings[i];
    table.row({w.input, fmt::format("{:.4g}", w.low), fmt::format("{:.4g}", w.high), change_text(w.at_low),
               change_text(w.at_high)});
  }
  return "\n" + wrap("TCO of " + s.changes[best].name, 80, 2) + "\n" + table.text();
}

}  // namespace

std::string silicon_text(const sim::SiliconScenario& s, const sim::SiliconStudy& study) {
  std::string out = styled(s.spec.name, Style::heading) + "\n" + base_text(s, study.base);
  if (!study.runs.empty()) {
    out += work_text(s, study);
  }
  if (!study.changes.empty()) {
    out += area_text(s, study);
    if (!study.runs.empty()) {
      out += performance_text(s, study) + money_text(s, study) + tornado_text(s, study);
    }
    out += "\n";
  }
  for (const std::string& finding : sim::findings_of(s, study)) {
    out += "- " + wrap(finding, 78, 2) + "\n";
  }
  for (const std::string& warning : sim::report_silicon(s, study).warnings) {
    out += styled("warning", Style::bad) + "  " + wrap(warning, 71, 9) + "\n";
  }
  return out;
}

}  // namespace gpuplan::cli

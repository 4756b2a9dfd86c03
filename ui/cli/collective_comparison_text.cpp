#include "ui/cli/collective_comparison_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using sim::AlgorithmComparison;
using sim::CollectiveComparison;
using sim::CollectiveRow;
using sim::CollectiveScenario;
using sim::CommunicationCost;
using sim::CommunicationSpec;
using sim::VariantOutcome;

// "64 KiB", "1 GiB", "26 GB": binary where it is whole.
std::string size_text(double bytes) {
  constexpr double kKibi = 1024.0;
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = bytes;
  std::size_t unit = 0;
  while (value >= kKibi && unit + 1 < std::size(units)) {
    value /= kKibi;
    ++unit;
  }
  return std::nearbyint(value) == value ? fmt::format("{:.0f} {}", value, units[unit]) : si(bytes, "B");
}

// How a row of a table is called: by its variant, where there are any.
std::string label(const CollectiveComparison& comparison, const VariantOutcome& variant) {
  return comparison.variants.size() > 1 ? variant.scenario->spec.name : "this machine";
}

std::string ratio(double value) { return fmt::format("{:.2f}x", value); }

std::string rows_text(const CollectiveComparison& comparison) {
  std::string text;
  const VariantOutcome& first = comparison.variants.front();
  for (std::size_t i = 0; i < first.rows.size(); ++i) {
    text += "\n" +
            styled(fmt::format("{} of {}", json::name_of(first.rows[i].operation.collective),
                               size_text(first.rows[i].operation.bytes.si())),
                   Style::heading) +
            "\n";
    Table table({"", "GPUs", "time", "vs. first", "busbw", "algo", "proto", "error"});
    for (const VariantOutcome& variant : comparison.variants) {
      const CollectiveRow& row = variant.rows[i];
      table.row({label(comparison, variant), std::to_string(variant.scenario->group.ranks),
                 si(row.time().si(), "s"), ratio(row.time().si() / first.rows[i].time().si()),
                 fmt::format("{:.1f}", row.price.bus_bandwidth.si() * 1e-9),
                 std::string(json::name_of(row.price.choice.algorithm)),
                 std::string(json::name_of(row.price.choice.protocol)), percent(row.price.relative_error)});
    }
    text += table.text();
  }
  return text;
}

// "tree up to 2.1 MB, then ring": who is fastest from small to large.
std::string winners_text(const std::vector<sim::Winner>& winners) {
  std::string text;
  for (std::size_t i = 0; i < winners.size(); ++i) {
    text += (i == 0 ? "" : ", then ") + std::string(json::name_of(winners[i].algorithm));
    text += i + 1 < winners.size() ? " up to " + si(winners[i + 1].bytes, "B")
                                   : std::string(i == 0 ? " always" : "");
  }
  return winners.empty() ? "none of them runs" : text;
}

std::string compared_text(const CollectiveScenario& scenario, const CollectiveComparison& comparison,
                          std::size_t which) {
  const auto collective = comparison.variants.front().comparisons[which].collective;
  std::string text =
      "\n" + styled(fmt::format("{}, by algorithm", json::name_of(collective)), Style::heading) + "\n";
  std::vector<std::string> header = {"", "GPUs", "B"};
  for (const collectives::Algorithm algorithm : scenario.spec.compare) {
    header.push_back(std::string(json::name_of(algorithm)) + " us");
  }
  Table table(header);
  for (const VariantOutcome& variant : comparison.variants) {
    for (const AlgorithmComparison::Row& row : variant.comparisons[which].rows) {
      std::vector<std::string> cells = {label(comparison, variant),
                                        std::to_string(variant.scenario->group.ranks), size_text(row.bytes)};
      for (const Seconds time : row.times) {
        const double us = time.si() * 1e6;
        cells.push_back(std::isnan(us) ? "-"
                        : us < 1e4     ? fmt::format("{:.1f}", us)
                                       : fmt::format("{:.0f}", us));
      }
      table.row(std::move(cells));
    }
  }
  text += table.text() + "\n" + styled("the fastest, from 256 B to 64 GiB", Style::heading) + "\n";
  for (const VariantOutcome& variant : comparison.variants) {
    const AlgorithmComparison& one = variant.comparisons[which];
    text += wrap(fmt::format("{}: {}; NCCL itself takes {}", label(comparison, variant),
                             winners_text(one.by_time), winners_text(one.by_nccl)),
                 80, 4) +
            "\n";
  }
  return text;
}

std::string workload_heading(const CommunicationSpec& spec, const CommunicationCost& cost) {
  std::string text = spec.name + ":";
  for (std::size_t i = 0; i < cost.rows.size(); ++i) {
    const CollectiveRow& row = cost.rows[i];
    text += fmt::format("{} {:.0f} {} of {}", i == 0 ? "" : " +", cost.counts[i],
                        json::name_of(row.operation.collective), size_text(row.operation.bytes.si()));
  }
  return text;
}

std::string workload_text(const CollectiveScenario& scenario, const CollectiveComparison& comparison,
                          std::size_t which) {
  const CommunicationSpec& spec = scenario.spec.workloads[which];
  const VariantOutcome& first = comparison.variants.front();
  std::string text =
      "\n" + styled(wrap(workload_heading(spec, first.workloads[which]), 80, 4), Style::heading) + "\n";
  const bool computes = spec.compute.has_value();
  if (computes) {
    text +=
        wrap(fmt::format(
                 "computation {}; collectives may run during {} of it",
                 spec.compute->time.si() > 0.0
                     ? si(spec.compute->time.si(), "s")
                     : fmt::format("6 x {:.4g} billion parameters x {:.0f} tokens / (peak x {:.2f})",
                                   1e-9 * spec.compute->parameters, spec.compute->tokens, spec.compute->mfu),
                 percent(spec.overlap)),
             80, 2) +
        "\n";
  }
  Table table(computes ? std::vector<std::string>{"", "collectives", "compute", "exposed", "step",
                                                  "vs. first", "limited by"}
                       : std::vector<std::string>{"", "collectives", "vs. first", "limited by"});
  for (const VariantOutcome& variant : comparison.variants) {
    const CommunicationCost& cost = variant.workloads[which];
    std::vector<std::string> cells = {label(comparison, variant), si(cost.communication.si(), "s")};
    if (computes) {
      cells.push_back(si(cost.compute.si(), "s"));
      cells.push_back(si(cost.exposed.si(), "s"));
      cells.push_back(si(cost.step().si(), "s"));
    }
    cells.push_back(ratio(cost.step().si() / first.workloads[which].step().si()));
    cells.push_back(cost.limiter);
    table.row(std::move(cells));
  }
  return text + table.text();
}

}  // namespace

std::string collective_comparison_text(const CollectiveScenario& scenario,
                                       const CollectiveComparison& comparison) {
  std::string text = styled(scenario.spec.name, Style::heading) + "\n";
  if (!scenario.spec.description.empty()) {
    text += wrap(scenario.spec.description, 80, 0) + "\n";
  }
  for (std::size_t i = 0; i < scenario.spec.workloads.size(); ++i) {
    text += workload_text(scenario, comparison, i);
  }
  if (!scenario.spec.compare.empty()) {
    for (std::size_t i = 0; i < comparison.variants.front().comparisons.size(); ++i) {
      text += compared_text(scenario, comparison, i);
    }
  } else {
    text += rows_text(comparison);
    text += wrap("bandwidths in GB/s as nccl-tests counts them; error: expected, absolute", 80, 0) + "\n";
  }
  const std::vector<std::string> findings = sim::findings_of(comparison);
  if (!findings.empty()) {
    text += "\n";
  }
  for (const std::string& finding : findings) {
    text += "  " + wrap(finding, 78, 4) + "\n";
  }
  for (const std::string& warning : comparison.result.warnings) {
    text += styled("warning  ", Style::bad) + wrap(warning, 71, 9) + "\n";
  }
  return text;
}

std::vector<std::string> explain_workload(const CollectiveScenario& variant, const CommunicationSpec& spec,
                                          const CommunicationCost& cost) {
  std::vector<std::string> out;
  if (spec.compute && spec.compute->time.si() > 0.0) {
    out.push_back(fmt::format("computation {}, as given", si(cost.compute.si(), "s")));
  } else if (spec.compute) {
    out.push_back(fmt::format("computation 6 x {:.4g} parameters x {:.4g} tokens / ({} x {:.3f}) = {}",
                              spec.compute->parameters, spec.compute->tokens,
                              si(variant.gpu.peak(Precision::bf16)->si(), "FLOP/s"), spec.compute->mfu,
                              si(cost.compute.si(), "s")));
  }
  for (std::size_t i = 0; i < cost.rows.size(); ++i) {
    const CollectiveRow& row = cost.rows[i];
    out.push_back(fmt::format("{:.0f} x {} of {:.4g} B: {:.0f} x {} = {}", cost.counts[i],
                              json::name_of(row.operation.collective), row.operation.bytes.si(),
                              cost.counts[i], si(row.time().si(), "s"),
                              si(cost.counts[i] * row.time().si(), "s")));
    for (const std::string& line : row.why.lines) {
      out.push_back("  " + line);
    }
  }
  out.push_back(fmt::format("exposed max(0, {} - {:.2f} x {}) = {}; step {}",
                            si(cost.communication.si(), "s"), spec.overlap, si(cost.compute.si(), "s"),
                            si(cost.exposed.si(), "s"), si(cost.step().si(), "s")));
  return out;
}

}  // namespace gpuplan::cli

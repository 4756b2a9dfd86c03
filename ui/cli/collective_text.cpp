#include "ui/cli/collective_text.h"

#include <fmt/format.h>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

constexpr double kElement = 2.0;  // bytes of a bf16, which the table counts in

std::string algorithm_text(collectives::Algorithm algorithm) {
  if (algorithm == collectives::Algorithm::collnet_direct ||
      algorithm == collectives::Algorithm::collnet_chain) {
    return "collnet";
  }
  return std::string(json::name_of(algorithm));
}

std::string machine_text(const sim::CollectiveScenario& scenario) {
  const collectives::Communicator& group = scenario.group;
  std::string text =
      fmt::format("{} x {} on {} {}, {} {} per GPU", group.ranks, scenario.gpu.name, group.nodes,
                  scenario.node.name, group.nvlink ? "NVLink" : "PCIe", si(group.link.si(), "B/s"));
  if (group.nodes > 1) {
    text += fmt::format(", {} NICs of {} per node, {}", group.nics, si(group.nic.si(), "B/s"),
                        json::name_of(group.fabric));
  }
  return text;
}

std::string us_text(Seconds time) {
  const double us = time.si() * 1e6;
  return us < 1e4 ? fmt::format("{:.1f}", us) : fmt::format("{:.0f}", us);
}

// Times over seeds of the hash, and over that of even spreading; nothing where none were asked for.
std::string seeds_text(const sim::CollectiveScenario& scenario, collectives::Collective collective,
                       const std::vector<sim::CollectiveRow>& rows) {
  Table table({"B", "even us", "best", "median", "90 %", "worst us"});
  bool any = false;
  for (const sim::CollectiveRow& row : rows) {
    if (row.operation.collective != collective || !row.seeds) {
      continue;
    }
    any = true;
    const auto cell = [&](Seconds time) {
      return fmt::format("{} {:.2f}x", us_text(time), row.seeds->slowdown(time));
    };
    table.row({fmt::format("{:.0f}", row.operation.bytes.si()), us_text(row.seeds->even),
               cell(row.seeds->best), cell(row.seeds->median), cell(row.seeds->p90), cell(row.seeds->worst)});
  }
  return any ? fmt::format("over {} seeds of the hash, against even spreading\n", *scenario.spec.ecmp_seeds) +
                   table.text()
             : "";
}

std::string together_text(const sim::TogetherResult& result) {
  using enum Table::Align;
  std::string text = "\n" + styled("together", Style::heading) + "\n";
  Table table({"what", "alone", "together", "slower", "from", "to", "held by"},
              {left, right, right, right, right, right, left});
  for (const sim::ActivityResult& a : result.activities) {
    const bool held = a.shared && a.slowdown() > 1.0005;
    table.row({a.name, si(a.alone.si(), "s"), si(a.time().si(), "s"), fmt::format("{:.2f}x", a.slowdown()),
               si(a.begin.si(), "s"), si(a.end.si(), "s"), held ? a.shared->name : "-"});
  }
  text += table.text();
  const sim::TogetherUse& use = result.use;
  return text +
         wrap(fmt::format("of what is used, busy until {}: SMs {}, HBM {}, NVLink {}, PCIe {}, network {}",
                          si(result.end.si(), "s"), percent(use.sm), percent(use.hbm), percent(use.nvlink),
                          percent(use.pcie), percent(use.network)),
              80, 0) +
         "\n";
}

}  // namespace

std::string collective_text(const sim::CollectiveScenario& scenario,
                            const std::vector<sim::CollectiveRow>& rows, const sim::CollectiveReport& report,
                            const std::optional<sim::TogetherResult>& together) {
  std::string text = styled(scenario.spec.name, Style::heading) + "\n";
  if (!scenario.spec.description.empty()) {
    text += wrap(scenario.spec.description, 80, 0) + "\n";
  }
  text += "\n" + wrap(machine_text(scenario), 80, 2) + "\n";
  if (together) {
    text += together_text(*together);
  }
  for (const collectives::Collective collective : scenario.spec.collectives) {
    if (rows.empty()) {
      break;
    }
    text += "\n" + styled(std::string(json::name_of(collective)), Style::heading) + "\n";
    // Where links are played, what they make of the time stands in place of the number of elements.
    const bool links = scenario.topology != nullptr;
    Table table(
        {"B", links ? "links" : "count", "type", "us", "algbw", "busbw", "algo", "proto", "ch", "error"});
    for (const sim::CollectiveRow& row : rows) {
      if (row.operation.collective != collective) {
        continue;
      }
      const collectives::CollectivePrice& p = row.price;
      const double bytes = row.operation.bytes.si();
      const std::string second = !links       ? fmt::format("{:.0f}", bytes / kElement)
                                 : row.played ? fmt::format("{:.2f}x", row.played->slowdown)
                                              : "-";
      table.row({fmt::format("{:.0f}", bytes), second, "bf16", us_text(row.time()),
                 fmt::format("{:.1f}", p.algorithm_bandwidth.si() * 1e-9),
                 fmt::format("{:.1f}", p.bus_bandwidth.si() * 1e-9), algorithm_text(p.choice.algorithm),
                 std::string(json::name_of(p.choice.protocol)), std::to_string(p.choice.channels),
                 percent(p.relative_error)});
    }
    text += table.text() + seeds_text(scenario, collective, rows);
  }
  text += rows.empty()
              ? ""
              : wrap("bandwidths in GB/s as nccl-tests counts them; error: expected, absolute" +
                         std::string(scenario.topology ? "; links: time over that with every link wide enough"
                                                       : ""),
                     80, 0) +
                    "\n";
  if (!report.steps.empty()) {
    text += "\n" + styled("who sends which chunk (#) to whom; + it is added", Style::heading) + "\n";
    for (const std::string& step : report.steps) {
      text += wrap(step, 80, 4) + "\n";
    }
  }
  if (!report.losses.empty()) {
    text += "\n" + styled("what the job loses", Style::heading) + "\n";
    for (const std::string& loss : report.losses) {
      text += wrap(loss, 80, 4) + "\n";
    }
  }
  for (const std::string& warning : report.result.warnings) {
    text += styled("warning  ", Style::bad) + wrap(warning, 71, 9) + "\n";
  }
  return text;
}

}  // namespace gpuplan::cli

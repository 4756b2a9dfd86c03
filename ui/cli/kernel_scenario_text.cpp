#include "ui/cli/kernel_scenario_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using kernels::Limiter;
using kernels::Price;

std::string short_name(Limiter limiter) {
  switch (limiter) {
    case Limiter::compute:
      return "compute";
    case Limiter::hbm_bandwidth:
      return "HBM";
    case Limiter::l2_bandwidth:
      return "L2";
    case Limiter::latency:
      return "latency";
    case Limiter::launch:
      return "launch";
    case Limiter::link_bandwidth:
      return "link";
  }
  return "";
}

std::string figure_text(const sim::KernelFigure& figure) {
  if (!figure.unit.empty()) {
    return si(figure.value, figure.unit);
  }
  return figure.value > 0.0 && figure.value < 1.0 ? percent(figure.value)
                                                  : fmt::format("{:.4g}", figure.value);
}

// The one or two figures worth a column: those that most cases have.
std::vector<std::string_view> figure_columns(const std::vector<const sim::KernelRow*>& rows,
                                             std::size_t most) {
  std::vector<std::pair<std::string_view, std::size_t>> seen;
  for (const sim::KernelRow* row : rows) {
    for (const sim::KernelFigure& figure : row->outcome.figures) {
      auto found =
          std::find_if(seen.begin(), seen.end(), [&](const auto& s) { return s.first == figure.name; });
      found == seen.end() ? void(seen.emplace_back(figure.name, 1)) : void(++found->second);
    }
  }
  std::stable_sort(seen.begin(), seen.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < seen.size() && i < most; ++i) {
    names.push_back(seen[i].first);
  }
  return names;
}

// Three digits, no exponent below a million.
std::string three_digits(double value) {
  return value < 99.95 ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

// A swept value: sizes as written, large ones with a prefix.
std::string coordinate_text(const json::Value& value) {
  if (value.is_string()) {
    return value.string();
  }
  return value.is_number() && value.number() >= 1e6 ? si(value.number(), "") : json::dump(value);
}

std::string label(std::string_view figure) {
  static const std::map<std::string_view, std::string> labels = {
      {"numerical_error", "error"}, {"memory_bound", "by HBM"},  {"resident_warps", "warps"},
      {"items_per_s", "items/s"},   {"shared_memory", "shared"}, {"l2_bytes", "from L2"},
      {"l2_hits", "in L2"}};
  const auto found = labels.find(figure);
  return found != labels.end() ? found->second : std::string(figure);
}

// One machine's rows: a column for the kernel and one for each swept field.
class KernelLines {
 public:
  // `figures`: at most so many columns of what only some operations have.
  KernelLines(const sim::KernelScenario& scenario, const std::vector<const sim::KernelRow*>& rows,
              std::size_t figures)
      : scenario_(scenario), figures_(figure_columns(rows, figures)) {
    const auto any = [&](auto&& holds) { return std::any_of(rows.begin(), rows.end(), holds); };
    occupancy_ = any([](const sim::KernelRow* row) { return row->outcome.occupancy.has_value(); });
    speedup_ = any([](const sim::KernelRow* row) { return row->speedup.has_value(); });
    for (const sim::KernelRow* row : rows) {
      for (const sim::Coordinate& c : scenario.cases[row->index].at) {
        if (c.field != "gpu" && std::find(fields_.begin(), fields_.end(), c.field) == fields_.end()) {
          fields_.push_back(c.field);
        }
      }
    }
  }

  [[nodiscard]] std::string text(const std::vector<const sim::KernelRow*>& rows) const {
    Table table(header());
    for (const sim::KernelRow* row : rows) {
      table.row(cells(*row));
    }
    return table.text();
  }

 private:
  [[nodiscard]] std::vector<std::string> header() const {
    std::vector<std::string> names = {"kernel"};
    names.insert(names.end(), fields_.begin(), fields_.end());
    names.insert(names.end(), {"time", "HBM", "FLOP/B", "of peak", "limit"});
    if (occupancy_) {
      names.emplace_back("occup.");
    }
    for (const std::string_view figure : figures_) {
      names.push_back(label(figure));
    }
    if (speedup_) {
      names.emplace_back("speedup");
    }
    return names;
  }

  [[nodiscard]] std::vector<std::string> cells(const sim::KernelRow& row) const {
    const sim::KernelCase& one = scenario_.cases[row.index];
    const Price& p = row.outcome.price;
    std::vector<std::string> out = {one.entry};
    for (const std::string& field : fields_) {
      const json::Value* value = one.coordinate(field);
      out.push_back(value == nullptr ? "" : coordinate_text(*value));
    }
    if (!row.outcome.refusal.empty()) {
      out.emplace_back("no");
      out.resize(header().size(), "-");
      return out;
    }
    const bool traffic = p.hbm_bytes.si() > 0.0;
    out.push_back(si(p.time.si(), "s"));
    out.push_back(traffic ? si(p.hbm_bytes.si(), "B") : "-");
    out.push_back(traffic && p.flops.si() > 0.0 ? three_digits(p.flops.si() / p.hbm_bytes.si()) : "-");
    out.push_back(percent(p.fraction_of_peak));
    out.push_back(short_name(p.limiter));
    if (occupancy_) {
      out.push_back(row.outcome.occupancy ? percent(*row.outcome.occupancy) : "-");
    }
    for (const std::string_view wanted : figures_) {
      const auto found = std::find_if(row.outcome.figures.begin(), row.outcome.figures.end(),
                                      [&](const sim::KernelFigure& f) { return f.name == wanted; });
      out.push_back(found != row.outcome.figures.end() ? figure_text(*found) : "-");
    }
    if (speedup_) {
      out.push_back(row.speedup ? fmt::format("{:.2f}x", *row.speedup) : "-");
    }
    return out;
  }

  const sim::KernelScenario& scenario_;
  bool occupancy_ = false, speedup_ = false;
  std::vector<std::string> fields_;
  std::vector<std::string_view> figures_;
};

// The table with as many columns of figures (two at most) as 80 columns of text hold.
std::string fitting_table(const sim::KernelScenario& scenario,
                          const std::vector<const sim::KernelRow*>& rows) {
  std::string text;
  for (const std::size_t figures : {2, 1, 0}) {
    text = KernelLines(scenario, rows, figures).text(rows);
    const bool fits = columns(text.substr(0, text.find('\n'))) <= 80;
    const bool cut = text.find('~') != std::string::npos;  // names
    if (fits && (!cut || figures < 2)) {
      break;
    }
  }
  return text;
}

// The kernels of a network, in order.
std::string parts_text(const sim::KernelOutcome& outcome) {
  Table table({"  kernel", "calls", "time", "share", "HBM", "FLOP/B", "of peak", "limit"});
  for (const sim::KernelPart& part : outcome.parts) {
    const Price& p = part.price;
    table.row({"  " + part.name, fmt::format("{:g}", part.calls), si(p.time.si(), "s"),
               percent(p.time * part.calls / outcome.price.time), si(p.hbm_bytes.si(), "B"),
               p.hbm_bytes.si() > 0.0 ? three_digits(p.flops.si() / p.hbm_bytes.si()) : "-",
               percent(p.fraction_of_peak), short_name(p.limiter)});
  }
  return table.text();
}

std::string machine_text(const Gpu& gpu) {
  const FlopsPerSecond peak = gpu.peak(Precision::bf16).value_or(gpu.vector_fp32_peak);
  return fmt::format("{}: {} in 16 bit, {} of {}, ridge at {:.0f} FLOP a byte", gpu.name,
                     si(peak.si(), "FLOP/s"), si(gpu.memory_bandwidth.si(), "B/s"),
                     gpu.memory_type.empty() ? "memory" : gpu.memory_type,
                     peak.si() / gpu.memory_bandwidth.si());
}

}  // namespace

std::string kernel_scenario_text(const sim::KernelScenario& scenario, const std::vector<sim::KernelRow>& rows,
                                 const sim::KernelReport& report) {
  std::string text = styled(scenario.spec.name, Style::heading) + "\n";
  if (!scenario.spec.description.empty()) {
    text += wrap(scenario.spec.description, 80, 0) + "\n";
  }
  for (std::size_t machine = 0; machine < scenario.machines.size(); ++machine) {
    text += "\n" + wrap(machine_text(scenario.machines[machine].gpu), 80, 2) + "\n\n";
    std::vector<const sim::KernelRow*> here;
    for (const sim::KernelRow& row : rows) {
      if (scenario.cases[row.index].gpu == machine) {
        here.push_back(&row);
      }
    }
    text += fitting_table(scenario, here);
  }
  if (scenario.spec.parts) {
    for (const sim::KernelRow& row : rows) {
      if (!row.outcome.parts.empty()) {
        text +=
            "\n" + styled(scenario.cases[row.index].name(), Style::heading) + "\n" + parts_text(row.outcome);
      }
    }
  }
  if (!report.findings.empty()) {
    text += "\n" + styled("what the table shows", Style::heading) + "\n";
    for (const std::string& finding : report.findings) {
      text += "  " + wrap(finding, 78, 4) + "\n";
    }
  }
  for (const std::string& warning : report.result.warnings) {
    text += styled("warning  ", Style::bad) + wrap(warning, 71, 9) + "\n";
  }
  return text;
}

}  // namespace gpuplan::cli

#include "ui/cli/training_comparison_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using sim::CaseOutcome;
using sim::SweepOutcome;
using sim::TrainingComparison;

constexpr std::size_t kWidth = 80;

std::string gigabytes(Bytes bytes) { return fmt::format("{:.1f}", bytes.si() * 1e-9); }
std::string share(const CaseOutcome& one, const char* metric) {
  return fmt::format("{:.0f} %", std::max(0.0, 100.0 * one.result.number(metric)));
}

// "+12.3" GB where too large, "-" where a rule forbids it.
std::string refused(const CaseOutcome& one) {
  const double over = one.short_by.si() * 1e-9;
  return over <= 0.0 ? "-" : over < 100.0 ? fmt::format("+{:.1f}", over) : fmt::format("+{:.0f}", over);
}

std::string variants_text(const TrainingComparison& c) {
  Table table({"", "step", "tok/s/GPU", "MFU", "GB/GPU", "comm", "bubble", "$/Mtok"});
  for (std::size_t i = 0; i < c.variants.size(); ++i) {
    const CaseOutcome& one = c.variants[i];
    const std::string name = (c.winner == i ? "> " : "  ") + one.name;
    if (!one.runs()) {
      table.row({name, one.short_by.si() > 0.0 ? "no fit" : "no", "", "",
                 one.memory.si() > 0.0 ? gigabytes(one.memory) : "", "", "", ""});
      continue;
    }
    const double usd = one.result.number("cost.usd_per_million_tokens");
    table.row({name, si(one.step, "s"), grouped(one.tokens_per_s() / one.gpus), share(one, "training.mfu"),
               gigabytes(one.memory), share(one, "training.exposed_communication_fraction"),
               share(one, "training.bubble_fraction"), usd > 0.0 ? fmt::format("{:.3g}", usd) : "-"});
  }
  std::string text = table.text();
  text +=
      wrap("comm: collectives that nothing hides; comm and bubble as shares of the step", kWidth, 0) + "\n";
  for (const CaseOutcome& one : c.variants) {
    if (!one.split.empty()) {
      text += "  " + wrap(fmt::format("{}: {}", one.name, one.split), 78, 4) + "\n";
    }
    if (one.short_by.si() > 0.0) {
      text +=
          "  " +
          wrap(fmt::format("{} does not fit: {} of {} GB, {} too many; {}", one.name, gigabytes(one.memory),
                           gigabytes(one.usable), gigabytes(one.short_by), one.why_not),
               78, 4) +
          "\n";
    } else if (!one.runs()) {
      text += "  " + wrap(fmt::format("{}: {}", one.name, one.why_not), 78, 4) + "\n";
    }
  }
  return text;
}

// Whether a step has other tokens or GPUs at other values, so that only rates compare.
bool changes_work(const SweepOutcome& sweep) {
  const CaseOutcome* first = nullptr;
  for (const auto& row : sweep.cases) {
    for (const CaseOutcome& one : row) {
      if (one.runs() && first == nullptr) {
        first = &one;
      }
      if (one.runs() && (one.tokens != first->tokens || one.gpus != first->gpus)) {
        return true;
      }
    }
  }
  return false;
}

std::string sweep_text(const TrainingComparison& c, const SweepOutcome& sweep) {
  const bool rates = changes_work(sweep);
  std::vector<std::vector<std::string>> rows;
  std::size_t width = 0;
  for (std::size_t i = 0; i < sweep.values.size(); ++i) {
    std::vector<std::string>& cells = rows.emplace_back();
    cells.push_back(sim::value_text(sweep.path, sweep.values[i]));
    for (std::size_t k = 0; k < sweep.cases[i].size(); ++k) {
      const CaseOutcome& one = sweep.cases[i][k];
      const std::string number = !one.runs() ? refused(one)
                                 : rates     ? grouped(one.tokens_per_s() / one.gpus)
                                             : si(one.step, "s");
      cells.push_back((c.variants.size() > 1 && sweep.leads.leaders[i] == k ? "*" : "") + number);
    }
  }
  std::vector<std::string> header = {""};
  for (const CaseOutcome& one : c.variants) {
    header.push_back(one.name);
  }
  for (std::size_t k = 0; k < header.size(); ++k) {
    std::size_t widest = columns(header[k]);
    for (const auto& row : rows) {
      widest = std::max(widest, columns(row[k]));
    }
    width += widest + (k > 0 ? 2 : 0);
  }
  // Long names become letters, with a line that says whose.
  std::string key;
  if (width > kWidth) {
    for (std::size_t k = 1; k < header.size(); ++k) {
      const std::string letter(1, static_cast<char>('A' + (k - 1) % 26));
      key += fmt::format("{}{}: {}", k > 1 ? "; " : "", letter, header[k]);
      header[k] = letter;
    }
  }
  Table table(header);
  for (auto& row : rows) {
    table.row(std::move(row));
  }
  const std::string title =
      fmt::format("{}{}", rates ? "tokens/s/GPU" : "time of a step",
                  c.variants.size() > 1 ? ", * the fastest; +: GB too many" : "; +: GB too many");
  return "\n" + styled("over " + sweep.path, Style::heading) + "   " + title + "\n" +
         (key.empty() ? "" : wrap(key, kWidth, 2) + "\n") + table.text();
}

}  // namespace

std::string training_comparison_text(const sim::TrainingStudy& study, const TrainingComparison& comparison) {
  const sim::TrainingScenario& base = study.base;
  std::string text = styled(base.spec.name, Style::heading) + "\n";
  if (!base.spec.description.empty()) {
    text += wrap(base.spec.description, kWidth, 0) + "\n";
  }
  text += "\n" + variants_text(comparison);
  for (const SweepOutcome& sweep : comparison.sweeps) {
    text += sweep_text(comparison, sweep);
  }
  const std::vector<std::string> findings = sim::findings_of(comparison);
  if (!findings.empty()) {
    text += "\n" + styled("verdict", Style::heading) + "\n";
  }
  for (const std::string& finding : findings) {
    text += "  " + wrap(finding, 78, 4) + "\n";
  }
  std::vector<std::string> warnings = base.notes;
  for (const CaseOutcome& one : comparison.variants) {
    warnings.insert(warnings.end(), one.result.warnings.begin(), one.result.warnings.end());
  }
  for (std::size_t i = 0; i < warnings.size(); ++i) {
    if (std::find(warnings.begin(), warnings.begin() + static_cast<std::ptrdiff_t>(i), warnings[i]) ==
        warnings.begin() + static_cast<std::ptrdiff_t>(i)) {
      text += styled("warning  ", Style::bad) + wrap(warnings[i], 71, 9) + "\n";
    }
  }
  return text;
}

}  // namespace gpuplan::cli

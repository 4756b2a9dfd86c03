#include "sim/kernels/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace gpuplan::sim {

KernelPricer::KernelPricer(const KernelScenario& scenario, const Library& library)
    : scenario_(scenario), sm_(kernels::sm_limits(library.data_dir)) {
  for (const KernelMachine& machine : scenario.machines) {
    models_.push_back(kernels::KernelModel::for_gpu(machine.gpu, library.data_dir));
  }
}

KernelOutcome KernelPricer::price(const KernelCase& one, kernels::Explanation* why) const {
  return one.operation->price({models_[one.gpu], sm_, scenario_.machines[one.gpu].node}, why);
}

std::vector<KernelRow> price_kernels(const KernelScenario& scenario, const KernelPricer& pricer) {
  std::vector<KernelRow> rows;
  for (std::size_t i = 0; i < scenario.cases.size(); ++i) {
    rows.push_back({.index = i, .outcome = pricer.price(scenario.cases[i]), .speedup = std::nullopt});
  }
  for (KernelRow& row : rows) {
    if (const auto other = baseline_of(scenario.cases[row.index], scenario)) {
      const KernelOutcome& base = rows[*other].outcome;
      if (base.refusal.empty() && row.outcome.refusal.empty()) {
        row.speedup = base.price.time / row.outcome.price.time;
      }
    }
  }
  return rows;
}

namespace {

// Cases that differ in one numeric field only, by its value.
struct Line {
  std::string field;
  std::vector<const KernelRow*> rows;
  std::string label;  // entry and the other coordinates
};

// The field a case is read along: the last numeric one that is swept.
const Coordinate* axis_of(const KernelCase& one) {
  const auto found =
      std::find_if(one.at.rbegin(), one.at.rend(), [](const Coordinate& c) { return c.value.is_number(); });
  return found != one.at.rend() ? &*found : nullptr;
}

std::vector<Line> lines_of(const KernelScenario& scenario, const std::vector<KernelRow>& rows) {
  std::vector<Line> lines;
  for (const KernelRow& row : rows) {
    const KernelCase& one = scenario.cases[row.index];
    const Coordinate* axis = axis_of(one);
    if (axis == nullptr) {
      continue;
    }
    std::string label = one.entry;
    for (const Coordinate& c : one.at) {
      label += c.field == axis->field ? "" : " " + c.text();
    }
    auto line = std::find_if(lines.begin(), lines.end(),
                             [&](const Line& l) { return l.label == label && l.field == axis->field; });
    if (line == lines.end()) {
      line = lines.insert(lines.end(), Line{axis->field, {}, std::move(label)});
    }
    line->rows.push_back(&row);
  }
  for (Line& line : lines) {
    std::stable_sort(line.rows.begin(), line.rows.end(), [&](const KernelRow* a, const KernelRow* b) {
      return scenario.cases[a->index].coordinate(line.field)->number() <
             scenario.cases[b->index].coordinate(line.field)->number();
    });
  }
  return lines;
}

// Prices along a line at any whole value.
class Along {
 public:
  Along(const Line& line, const KernelScenario& scenario, const KernelPricer& pricer, const Library& library)
      : line_(line), scenario_(scenario), pricer_(pricer), library_(library) {}

  [[nodiscard]] double at(std::size_t i) const {
    return scenario_.cases[line_.rows[i]->index].coordinate(line_.field)->number();
  }
  [[nodiscard]] std::optional<KernelOutcome> outcome(double value) const {
    return priced(scenario_.cases[line_.rows.front()->index], value);
  }
  [[nodiscard]] std::optional<double> speedup(double value) const {
    const auto other = baseline_of(scenario_.cases[line_.rows.front()->index], scenario_);
    if (!other || scenario_.cases[*other].coordinate(line_.field) == nullptr) {
      return std::nullopt;
    }
    const auto mine = outcome(value), base = priced(scenario_.cases[*other], value);
    if (!mine || !base || !mine->refusal.empty() || !base->refusal.empty()) {
      return std::nullopt;
    }
    return base->price.time / mine->price.time;
  }
  // The last whole value from at(i) on for which `same` holds, where it does at i and does not at i + 1.
  [[nodiscard]] double last(std::size_t i, const std::function<bool(double)>& same) const {
    double low = at(i), high = at(i + 1);
    if (low != std::floor(low) || high != std::floor(high)) {
      return low;
    }
    while (high - low > 1.0) {
      const double middle = std::floor(low + (high - low) / 2.0);
      (same(middle) ? low : high) = middle;
    }
    return low;
  }

 private:
  [[nodiscard]] std::optional<KernelOutcome> priced(const KernelCase& like, double value) const {
    const KernelCase one =
        moved(like, line_.field, json::Value(static_cast<std::int64_t>(value)), scenario_, library_);
    return one.operation ? std::optional(pricer_.price(one)) : std::nullopt;
  }

  const Line& line_;
  const KernelScenario& scenario_;
  const KernelPricer& pricer_;
  const Library& library_;
};

std::string number(double value) { return fmt::format("{:.15g}", value); }

// "hbm_bandwidth up to m = 230, compute beyond"
std::string limiter_text(const Line& line, const Along& along) {
  std::string text;
  const auto limiter = [&](std::size_t i) { return line.rows[i]->outcome.price.limiter; };
  std::size_t end = 0;  // of the rows that run
  while (end < line.rows.size() && line.rows[end]->outcome.refusal.empty()) {
    ++end;
  }
  if (end == 0) {
    return line.rows.front()->outcome.refusal;
  }
  int changes = 0;
  for (std::size_t i = 0; i + 1 < end; ++i) {
    if (limiter(i) != limiter(i + 1)) {
      if (++changes > 4) {
        return text + "then changing";
      }
      const double last = along.last(i, [&](double value) {
        const auto outcome = along.outcome(value);
        return outcome && outcome->price.limiter == limiter(i);
      });
      text += fmt::format("{} up to {} = {}, ", json::name_of(limiter(i)), line.field, number(last));
    }
  }
  text += std::string(json::name_of(limiter(end - 1)));
  if (end < line.rows.size()) {
    const double last = along.last(end - 1, [&](double value) {
      const auto outcome = along.outcome(value);
      return outcome && outcome->refusal.empty();
    });
    return text + fmt::format(" up to {} = {}; beyond, it {}", line.field, number(last),
                              line.rows[end]->outcome.refusal);
  }
  return text + (changes > 0 ? " beyond" : " throughout");
}

// "1.98x at m = 1; faster up to m = 87, slower beyond"
std::string speedup_text(const Line& line, const Along& along, const std::string& baseline) {
  const KernelRow *best = nullptr, *worst = nullptr;
  for (const KernelRow* row : line.rows) {
    if (row->speedup) {
      best = best == nullptr || *row->speedup > *best->speedup ? row : best;
      worst = worst == nullptr || *row->speedup < *worst->speedup ? row : worst;
    }
  }
  if (best == nullptr) {
    return "";
  }
  const auto where = [&](const KernelRow* row) {
    const auto i = std::find(line.rows.begin(), line.rows.end(), row) - line.rows.begin();
    return fmt::format("{:.2f}x at {} = {}", *row->speedup, line.field,
                       number(along.at(static_cast<std::size_t>(i))));
  };
  std::string text = fmt::format("against {} {}", baseline, where(best));
  text += best != worst ? " down to " + where(worst) : "";
  int crossings = 0;
  for (std::size_t i = 0; i + 1 < line.rows.size(); ++i) {
    const auto &a = line.rows[i]->speedup, &b = line.rows[i + 1]->speedup;
    if (!a || !b || (*a > 1.0) == (*b > 1.0)) {
      continue;
    }
    if (++crossings > 3) {
      return text + ", to and fro";
    }
    const bool faster = *a > 1.0;
    const double last = along.last(i, [&](double value) {
      const auto speedup = along.speedup(value);
      return speedup && (*speedup > 1.0) == faster;
    });
    text += fmt::format("{} {} up to {} = {}", crossings == 1 ? ";" : ",", faster ? "faster" : "slower",
                        line.field, number(last));
  }
  return text + (crossings > 0 ? ", then the other way" : "");
}

}  // namespace

std::vector<std::string> kernel_findings(const KernelScenario& scenario, const std::vector<KernelRow>& rows,
                                         const KernelPricer& pricer, const Library& library) {
  std::vector<std::string> findings;
  for (const Line& line : lines_of(scenario, rows)) {
    if (line.rows.size() < 2) {
      continue;
    }
    const Along along(line, scenario, pricer, library);
    std::string text = line.label + ": " + limiter_text(line, along);
    const std::string compared = speedup_text(line, along, scenario.spec.baseline);
    if (!compared.empty()) {
      text.append("; ").append(compared);
    }
    findings.push_back(std::move(text));
  }
  return findings;
}

}  // namespace gpuplan::sim

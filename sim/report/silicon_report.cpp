#include "sim/report/silicon_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gpuplan::sim {

namespace {

using silicon::Metric;

// Percent more or less, as "-18.3 %".
std::string change_text(double ratio) { return fmt::format("{:+.1f} %", 100.0 * (ratio - 1.0)); }

class Metrics {
 public:
  explicit Metrics(std::vector<sim::Metric>& out) : out_(out) {}
  void add(const std::string& name, double value) {
    out_.push_back({name, json::Value(value), std::nullopt});
  }
  // Times `scale`, less `offset`.
  template <class Three>
  void add(const std::string& name, const Three& spread, double scale = 1.0, double offset = 0.0) {
    out_.push_back({name, json::Value(spread.p50 * scale - offset),
                    std::array<double, 2>{spread.p10 * scale - offset, spread.p90 * scale - offset}});
  }

 private:
  std::vector<sim::Metric>& out_;
};

constexpr double kSquareMetres = 1e-6;

void add_die(const std::string& prefix, const silicon::Assessment& die, Metrics& m) {
  m.add(prefix + "die_area", die.of(Metric::area_mm2), kSquareMetres);
  m.add(prefix + "die_cost", die.of(Metric::die_cost_usd));
  m.add(prefix + "unit_cost", die.of(Metric::unit_cost_usd));
  m.add(prefix + "yield", die.of(Metric::yield_usable));
  m.add(prefix + "yield_perfect", die.of(Metric::yield_perfect));
  m.add(prefix + "dies_per_wafer", die.of(Metric::dies_per_wafer));
}

void add_change(const std::string& prefix, const SiliconOutcome& o, bool works, Metrics& m) {
  add_die(prefix, o.silicon.changed, m);
  m.add(prefix + "delta.die_area", o.silicon.delta(Metric::area_mm2), kSquareMetres);
  m.add(prefix + "delta.cost", o.silicon.ratio(Metric::die_cost_usd), 1.0, 1.0);
  m.add(prefix + "delta.unit_cost_usd", o.silicon.delta(Metric::unit_cost_usd));
  if (!works || !o.runs) {
    return;
  }
  m.add(prefix + "delta.performance", Spread{o.performance80.p10, o.performance, o.performance80.p90}, 1.0,
        1.0);
  const double per_watt = o.perf_per_watt / o.performance;
  m.add(prefix + "delta.perf_per_watt",
        Spread{o.performance80.p10 * per_watt, o.perf_per_watt, o.performance80.p90 * per_watt}, 1.0, 1.0);
  m.add(prefix + "delta.price_usd", o.price_usd);
  m.add(prefix + "delta.tco", o.tco, 1.0, 1.0);
  m.add(prefix + "tco_ratio", o.tco);
  if (o.scales) {
    m.add(prefix + "removable_fraction", o.removable);
    m.add(prefix + "bound", o.bound);
  }
}

json::Value swings_json(const std::vector<SiliconSwing>& swings) {
  json::Value out{json::Array{}};
  for (const SiliconSwing& swing : swings) {
    json::Value one;
    one["input"] = swing.input;
    one["low"] = swing.low;
    one["high"] = swing.high;
    one["tco_at_low"] = swing.at_low;
    one["tco_at_high"] = swing.at_high;
    out.push_back(std::move(one));
  }
  return out;
}

json::Value change_json(const SiliconScenario& s, std::size_t index, const SiliconOutcome& o) {
  const SiliconCase& change = s.changes[index];
  json::Value out;
  out["name"] = change.name;
  out["change"] = json::write(change.change);
  out["gpu"] = change.overrides;
  out["silicon"] = silicon::to_json(o.silicon);
  json::Value gains{json::Array{}};
  for (std::size_t w = 0; w < o.gains.size(); ++w) {
    json::Value one;
    one["workload"] = s.workloads[w].name;
    one["runs"] = o.gains[w].runs;
    if (!o.gains[w].runs) {
      one["why_not"] = o.gains[w].why_not;
    }
    one["metric"] = o.gains[w].metric;
    one["gain"] = o.gains[w].gain;
    one["half_width80"] = o.gains[w].half_width;
    one["bound"] = o.gains[w].bound ? json::Value(*o.gains[w].bound) : json::Value();
    one["watts"] = o.gains[w].watts;
    gains.push_back(std::move(one));
  }
  out["workloads"] = std::move(gains);
  json::Value over{json::Array{}};
  for (const std::string& text : o.over_budget) {
    over.push_back(json::Value(text));
  }
  out["over_budget"] = std::move(over);
  out["tornado"] = swings_json(o.swings);
  return out;
}

std::string budget_text(const SiliconScenario& s) {
  const SiliconBudgetSpec& b = s.spec.budget;
  std::string out;
  if (b.area_mm2) {
    out += fmt::format("{:g} mm2", *b.area_mm2);
  }
  if (b.usd) {
    out += fmt::format("{}USD {:g}", out.empty() ? "" : ", ", *b.usd);
  }
  if (b.watts) {
    out += fmt::format("{}{:g} W", out.empty() ? "" : ", ", *b.watts);
  }
  return out;
}

// "33.2 % less", "4.1 % more".
std::string less_text(double ratio) {
  return fmt::format("{:.1f} % {}", std::abs(100.0 * (ratio - 1.0)), ratio <= 1.0 ? "less" : "more");
}

std::string worth_text(const SiliconScenario& s, std::size_t index, const SiliconOutcome& o) {
  return fmt::format(
      "{}: the same work costs {} (80 %: {} to {}); throughput alone would make it {}, the dearer unit {}, "
      "the power {}",
      s.changes[index].name, less_text(o.tco.p50), less_text(o.tco.p10), less_text(o.tco.p90),
      change_text(1.0 / o.performance), change_text(o.tco_price), change_text(o.tco_power));
}

std::string fleet_text(const SiliconScenario& s, const SiliconStudy& study, std::size_t index) {
  const SiliconOutcome& o = study.changes[index];
  const auto millions = [&](double tco) { return (1.0 - tco) * study.fleet_usd_per_year * 1e-6; };
  return fmt::format(
      "a fleet of {:g} of the base costs USD {:.4g} million a year; {} saves {:.3g} of it (80 %: {:.3g} to "
      "{:.3g}) with {:g} GPUs",
      s.spec.fleet_gpus, study.fleet_usd_per_year * 1e-6, s.changes[index].name, millions(o.tco.p50),
      millions(o.tco.p90), millions(o.tco.p10), std::ceil(s.spec.fleet_gpus / o.performance));
}

void area_findings(const SiliconScenario& s, const SiliconStudy& study, std::vector<std::string>& out) {
  for (std::size_t i : study.ranking) {
    const SiliconOutcome& o = study.changes[i];
    const auto& area = o.silicon.delta(Metric::area_mm2);
    const auto& cost = o.silicon.delta(Metric::die_cost_usd);
    const double base = o.silicon.base.of(Metric::area_mm2).p50;
    out.push_back(
        fmt::format("{}: {:+.2f} mm2 ({:.2f} to {:.2f}), {:+.2f} % of the die; a die that sells costs "
                    "{:+.1f} % more (USD {:.2f}; "
                    "{:.2f} to {:.2f})",
                    s.changes[i].name, area.p50, area.p10, area.p90, 100.0 * area.p50 / base,
                    100.0 * (o.silicon.ratio(Metric::die_cost_usd).p50 - 1.0), cost.p50, cost.p10, cost.p90));
  }
}

// Names by what they save for each unit of something, best first; those that take none of it stand before
// all.
std::string per_unit_text(const SiliconScenario& s, const SiliconStudy& study, Metric unit,
                          const char* text) {
  std::vector<std::pair<double, std::string>> order;
  for (std::size_t i = 0; i < study.changes.size(); ++i) {
    const SiliconOutcome& o = study.changes[i];
    const double saved = 100.0 * (1.0 - o.tco.p50), taken = o.silicon.delta(unit).p50;
    if (!o.runs || saved <= 0.0 || taken < 0.0) {
      continue;
    }
    constexpr double none = 0.005;
    order.emplace_back(taken > none ? saved / taken : 1e9 * saved,
                       taken > none ? fmt::format("{} ({:.3g} %)", s.changes[i].name, saved / taken)
                                    : fmt::format("{} (takes none)", s.changes[i].name));
  }
  if (order.size() < 2) {
    return "";
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string names;
  for (const auto& [value, name] : order) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return fmt::format("saved for each {}: {}", text, names);
}

void flip_findings(const SiliconScenario& s, const SiliconStudy& study, std::vector<std::string>& out) {
  if (study.flips.empty()) {
    out.push_back(study.winner
                      ? "no assumption alone, at its tenth or ninetieth percentile, makes another the best"
                      : "no assumption alone, at its tenth or ninetieth percentile, makes one cheaper than "
                        "the base");
    return;
  }
  for (const SiliconFlip& flip : study.flips) {
    const std::string then = flip.winner < s.changes.size() ? s.changes[flip.winner].name + " is the best"
                                                            : "nothing is cheaper than the base";
    out.push_back(fmt::format("with {} at {:.4g} ({}): {}", flip.input, flip.value,
                              flip.high ? "one case in ten is above" : "one case in ten is below", then));
  }
}

}  // namespace

Result report_silicon(const SiliconScenario& s, const SiliconStudy& study) {
  Result out;
  out.scenario = resolved_json(s);
  Metrics m(out.metrics);
  const bool works = !s.workloads.empty();
  if (!study.ranking.empty()) {
    add_change("silicon.", study.changes[study.foremost()], works, m);
  } else {
    add_die("silicon.", study.base, m);
  }
  add_die("silicon.base.", study.base, m);
  if (works) {
    m.add("silicon.base.usd_per_gpu_hour", study.usd_per_gpu_hour);
    m.add("silicon.base.fleet_usd_per_year", study.fleet_usd_per_year);
    m.add("silicon.base.watts", study.base_watts);
  }
  for (std::size_t i = 0; i < study.changes.size(); ++i) {
    add_change("silicon.change." + s.changes[i].name + ".", study.changes[i], works, m);
  }
  for (std::size_t w = 0; w < study.runs.size(); ++w) {
    if (!study.runs[w].bottleneck.empty()) {
      out.bottlenecks.push_back(
          {study.runs[w].bottleneck, s.workloads[w].weight, "limits " + s.workloads[w].name});
    }
  }
  json::Value provenance;
  provenance["silicon.*"] =
      "area, yield and cost by the models of hwmodels/silicon, each input with its source and range; P10 to "
      "P90 over "
      "draws";
  provenance["silicon.delta.performance"] =
      "the simulator on the changed GPU; its interval is that of predictions for GPUs that exist";
  provenance["silicon.delta.tco"] =
      "owned fleet of the cost model; price more = unit cost more x price_per_unit_cost";
  out.provenance = std::move(provenance);
  out.warnings = s.notes;
  for (std::size_t i = 0; i < study.changes.size(); ++i) {
    const SiliconOutcome& o = study.changes[i];
    if (o.silicon.changed.beyond_reticle > 0.05) {
      out.warnings.push_back(fmt::format("{}: larger than one exposure (858 mm2) in {:.0f} % of the draws",
                                         s.changes[i].name, 100.0 * o.silicon.changed.beyond_reticle));
    }
    for (std::size_t w = 0; w < o.gains.size(); ++w) {
      if (!o.gains[w].runs) {
        out.warnings.push_back(fmt::format("{}: {} does not run: {}", s.changes[i].name, s.workloads[w].name,
                                           o.gains[w].why_not));
      }
    }
  }
  return out;
}

std::vector<std::string> findings_of(const SiliconScenario& s, const SiliconStudy& study) {
  std::vector<std::string> out;
  if (s.workloads.empty()) {
    area_findings(s, study, out);
    return out;
  }
  const std::string budget = budget_text(s);
  const std::string within = budget.empty() ? "" : " within " + budget;
  if (!study.winner) {
    out.push_back("nothing" + within + " makes the same work cheaper than the base does");
  }
  const std::size_t best = study.ranking.empty() ? 0 : study.foremost();
  if (best < study.changes.size()) {
    const SiliconOutcome& o = study.changes[best];
    if (study.winner) {
      out.push_back("best" + within + ": " + s.changes[best].name);
    }
    out.push_back(worth_text(s, best, o));
    if (study.winner) {
      out.push_back(fleet_text(s, study, best));
    }
    if (o.scales) {
      out.push_back(fmt::format(
          "Amdahl: a thousandfold of the effect of {} would remove {:.0f} % of the base's time and "
          "make the work {:.2f} times faster",
          s.changes[best].name, 100.0 * o.removable, o.bound));
    }
    if (!o.swings.empty()) {
      const SiliconSwing& first = o.swings.front();
      out.push_back(fmt::format(
          "the assumption that dominates: {}; from {:.4g} to {:.4g} the cost goes from {} to {}", first.input,
          first.low, first.high, change_text(first.at_low), change_text(first.at_high)));
    }
  }
  for (const std::string& ranking :
       {per_unit_text(s, study, silicon::Metric::area_mm2, "mm2 of die"),
        per_unit_text(s, study, silicon::Metric::unit_cost_usd, "USD of unit cost")}) {
    if (!ranking.empty()) {
      out.push_back(ranking);
    }
  }
  flip_findings(s, study, out);
  return out;
}

json::Value silicon_json(const SiliconScenario& s, const SiliconStudy& study) {
  json::Value out = report_silicon(s, study).to_json();
  out["base"] = silicon::to_json(study.base);
  json::Value runs{json::Array{}};
  for (std::size_t w = 0; w < study.runs.size(); ++w) {
    json::Value one;
    one["name"] = s.workloads[w].name;
    one["weight"] = s.workloads[w].weight;
    one["metric"] = study.runs[w].name;
    one["value"] = study.runs[w].metric;
    one["bottleneck"] = study.runs[w].bottleneck;
    one["watts"] = study.runs[w].watts;
    runs.push_back(std::move(one));
  }
  out["workloads"] = std::move(runs);
  json::Value changes{json::Array{}}, ranking{json::Array{}}, flips{json::Array{}}, findings{json::Array{}};
  for (std::size_t i = 0; i < study.changes.size(); ++i) {
    changes.push_back(change_json(s, i, study.changes[i]));
  }
  for (const std::size_t i : study.ranking) {
    ranking.push_back(json::Value(s.changes[i].name));
  }
  for (const SiliconFlip& flip : study.flips) {
    json::Value one;
    one["input"] = flip.input;
    one["at"] = flip.high ? "p90" : "p10";
    one["value"] = flip.value;
    one["winner"] = flip.winner < s.changes.size() ? json::Value(s.changes[flip.winner].name) : json::Value();
    flips.push_back(std::move(one));
  }
  for (const std::string& text : findings_of(s, study)) {
    findings.push_back(json::Value(text));
  }
  out["changes"] = std::move(changes);
  out["ranking"] = std::move(ranking);
  out["winner"] = study.winner ? json::Value(s.changes[*study.winner].name) : json::Value();
  out["flips"] = std::move(flips);
  out["findings"] = std::move(findings);
  return out;
}

}  // namespace gpuplan::sim

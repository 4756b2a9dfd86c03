#include "sim/silicon/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hwmodels/catalogue/gpu_number.h"
#include "hwmodels/json/path.h"
#include "sim/report/default_metric.h"
#include "sim/report/difference.h"
#include "sim/report/metric_sense.h"
#include "sim/silicon/activity.h"
#include "sim/silicon/fleet.h"

namespace gpuplan::sim {

namespace {

constexpr double kThousandfold = 1000.0;
constexpr double kMoreSms = 64.0;  // of SMs: kernels launch no more blocks than that
constexpr int kPowerSamples = 500;
// Error of the effect of a change with which the same kernels run, over the effect, both in logarithms: 80 %
// of 98 pairs of measured serving runs on H100 and H200, which differ in HBM alone, are inside (TPOT 0.72,
// throughput 0.61).
constexpr double kEffectError = 0.7;

double better(const std::string& metric, double base, double now) {
  return sense_of(metric) == Sense::lower ? base / now : now / base;
}

// Answers by workload of the base, of the base without a power cap, and of each change as it is and with a
// thousandfold of its effect.
class Runs {
 public:
  Runs(const SiliconScenario& scenario, const Library& library, const SiliconStudyOptions& options)
      : s_(scenario) {
    json::Value uncapped{json::Object{}};
    uncapped["tdp_w"] = json::Value(s_.gpu.tdp.si() * kThousandfold);
    ask_all("", s_.base_overrides, {});
    ask_all("", laid_over(s_.base_overrides, uncapped), {});
    for (std::size_t i = 0; i < s_.changes.size(); ++i) {
      const SiliconCase& change = s_.changes[i];
      const std::string where = fmt::format(" with changes[{}]", i);
      ask_all(where, laid_over(s_.base_overrides, without_power(change.overrides)), change.set);
    }
    for (std::size_t i = 0; i < s_.changes.size(); ++i) {
      const SiliconCase& change = s_.changes[i];
      exaggerations_.push_back(asked_.size());
      if (change.scales()) {
        ask_all(fmt::format(" with changes[{}]", i),
                laid_over(s_.base_overrides, exaggerated(change.overrides, s_.gpu)), change.set);
      }
    }
    EvaluateAllOptions how;
    how.jobs = options.jobs;
    how.progress = options.progress;
    if (!asked_.empty()) {
      answers_ = evaluate_all(asked_, library, how);
    }
  }

  [[nodiscard]] const Answer& base(std::size_t workload) const { return at(0, workload); }
  [[nodiscard]] const Answer& uncapped(std::size_t workload) const { return at(1, workload); }
  [[nodiscard]] const Answer& changed(std::size_t change, std::size_t workload) const {
    return at(2 + change, workload);
  }
  // Of a change that scales.
  [[nodiscard]] const Answer& exaggeration(std::size_t change, std::size_t workload) const {
    return answers_[exaggerations_[change] + workload];
  }

 private:
  [[nodiscard]] const Answer& at(std::size_t row, std::size_t workload) const {
    return answers_[row * s_.workloads.size() + workload];
  }

  // What new stacks and links may draw is theirs: kernels do not get it as clock.
  static json::Value without_power(json::Value overrides) {
    std::erase_if(overrides.object(), [](const json::Member& member) { return member.first == "tdp_w"; });
    return overrides;
  }

  void ask_all(const std::string& where, const json::Value& overrides, const json::Value& set) {
    for (const SiliconWorkload& workload : s_.workloads) {
      Asked one{workload.document, workload.path + where, workload.base_dir};
      const json::Value& gpu = s_.spec.machine.gpu;
      json::Value machine{json::Object{}};
      if (gpu.is_object()) {
        machine = gpu;
      } else {
        machine["base"] = gpu;
      }
      json::set_value(one.document, "machine.gpu", laid_over(machine, overrides), "machine.gpu");
      const json::Value* fields = set.is_object() ? set.find(workload.kind) : nullptr;
      if (fields != nullptr && fields->is_object()) {
        for (const json::Member& member : fields->object()) {
          json::set_value(one.document, member.first, member.second, one.name + ": set");
        }
      }
      asked_.push_back(std::move(one));
    }
  }

  const SiliconScenario& s_;
  std::vector<Asked> asked_;
  std::vector<std::size_t> exaggerations_;  // by change, where its first is
  std::vector<Answer> answers_;
};

// Share of the time that matrix units limit, as the run says it.
double compute_share(const Result& result) {
  for (const Bottleneck& one : result.bottlenecks) {
    if (one.resource == "compute" || one.resource == "matrix_units") {
      return std::clamp(one.share, 0.0, 1.0);
    }
  }
  return 0.0;
}

// What work reads again and again from HBM (B of a GPU): weights, or all that a kernel moves. Zero: unknown.
double footprint(const Result& result) {
  for (const char* name :
       {"serving.memory.weights_per_gpu", "training.memory.weights_per_gpu", "kernel.hbm_bytes"}) {
    if (result.number(name) > 0.0) {
      return result.number(name);
    }
  }
  return 0.0;
}

// What counts of a workload whose scenario does not say it.
std::string metric_of(const SiliconWorkload& workload, const Result& result) {
  if (!workload.metric.empty()) {
    return workload.metric;
  }
  for (const char* name : {"serving.output_tokens_per_s_per_gpu", "training.tokens_per_s_per_gpu",
                           "training.samples_per_s_per_gpu"}) {
    if (result.find(name) != nullptr) {
      return name;
    }
  }
  return default_metric(result);
}

double number_of(const Answer& answer, const SiliconWorkload& workload, const std::string& name) {
  const Metric* metric = answer.result.find(name);
  if (metric == nullptr || !metric->value.is_number() || !(metric->value.number() > 0.0) ||
      sense_of(name) == Sense::neutral) {
    std::vector<std::string> names;
    for (const Metric& one : answer.result.metrics) {
      names.push_back(one.name);
    }
    throw InputError(Problem{workload.path + ": metric", "\"" + name + "\"",
                             "a number above zero that the workload reports, of which more or less is better",
                             did_you_mean(name, names)});
  }
  return metric->value.number();
}

bool other_kernels(const json::Value& set, const std::string& kind) {
  return set.is_object() && set.find(kind) != nullptr;
}

class Study {
 public:
  Study(const SiliconScenario& scenario, const Library& library, const SiliconStudyOptions& options)
      : s_(scenario), library_(library), runs_(scenario, library, options) {}

  SiliconStudy run() {
    out_.base = s_.model.assess(s_.base, s_.spec.model);
    read_base();
    for (std::size_t i = 0; i < s_.changes.size(); ++i) {
      out_.changes.push_back(outcome(i));
    }
    if (!s_.workloads.empty()) {
      money();
    }
    rank();
    return std::move(out_);
  }

 private:
  void read_base() {
    for (std::size_t w = 0; w < s_.workloads.size(); ++w) {
      const SiliconWorkload& workload = s_.workloads[w];
      const Answer& answer = runs_.base(w);
      if (!answer.problems.empty()) {
        throw InputError(answer.problems);
      }
      if (!answer.ran()) {
        throw InputError(Problem{workload.path, answer.why, "a workload that runs on the base", ""});
      }
      SiliconBaseRun run;
      run.name = metric_of(workload, answer.result);
      run.metric = number_of(answer, workload, run.name);
      const Powered powered = power_of(answer, s_.base, s_.gpu);
      run.watts = powered.watts;
      run.clock = powered.clock;
      run.bottleneck = answer.result.bottlenecks.empty() ? "" : answer.result.bottlenecks.front().resource;
      out_.base_watts += workload.weight * run.watts;
      out_.runs.push_back(std::move(run));
    }
  }

  struct Powered {
    double watts = 0.0;  // of one GPU, within its cap
    double clock = 1.0;  // share of the highest clock that the cap leaves what it does
  };
  [[nodiscard]] Powered power_of(const Answer& answer, const silicon::Design& design, const Gpu& gpu) const {
    silicon::SiliconOptions options = s_.spec.model;
    options.samples = std::min(options.samples, kPowerSamples);
    const silicon::Activity activity = activity_of(answer.result, gpu);
    const double watts = s_.model.power(design, activity, Hertz(), options).total_w.p50;
    if (watts <= gpu.tdp.si()) {
      return {watts, 1.0};
    }
    const double clock = s_.model.clock_under_cap_mhz(design, activity, gpu.tdp, options).p50;
    return {gpu.tdp.si(), std::min(1.0, clock / design.product.clock_max_mhz)};
  }

  SiliconGain gain_of(std::size_t change, std::size_t w) const {
    const SiliconCase& one = s_.changes[change];
    const SiliconWorkload& workload = s_.workloads[w];
    const std::string& metric = out_.runs[w].name;
    const Answer& now = runs_.changed(change, w);
    const bool same = !other_kernels(one.set, workload.kind);
    SiliconGain out;
    if (!now.problems.empty() && !same) {
      throw InputError(now.problems);  // what `set` makes of the workload is no scenario
    }
    if (!now.ran()) {
      out.runs = false;
      out.why_not = now.why;
      return out;
    }
    const double base = out_.runs[w].metric;
    out.metric = number_of(now, workload, metric);
    const Powered powered = power_of(now, one.design, one.gpu);
    out.watts = powered.watts;
    // The base's time holds what its own cap costs it; only what the change draws more slows it down further.
    const double clock = std::min(1.0, powered.clock / out_.runs[w].clock);
    const double computing = compute_share(now.result);
    out.slowed = computing / clock + 1.0 - computing;
    out.gain = better(metric, base, out.metric) / out.slowed;
    const double correlation = error_correlation(workload.kind, true);
    for (const Difference& d : differences(runs_.base(w).result, now.result, correlation)) {
      if (d.metric == metric && d.ratio80) {
        out.half_width = 0.5 * std::log((*d.ratio80)[1] / (*d.ratio80)[0]);
      }
    }
    if (same) {
      out.half_width = std::min(out.half_width, kEffectError * std::abs(std::log(out.gain)));
      out.half_width = std::max(out.half_width, pinned_l2(one, now.result));
    }
    if (one.scales() && runs_.exaggeration(change, w).ran()) {
      const double most = number_of(runs_.exaggeration(change, w), workload, metric);
      // Without a cap on both sides. A bound below the gain itself says that a thousandfold hurts.
      const Answer& free = runs_.uncapped(w);
      const double cap =
          free.ran() ? std::max(1.0, better(metric, base, number_of(free, workload, metric))) : 1.0;
      out.bound = std::max({1.0, out.gain, better(metric, base, most) / cap});
    }
    return out;
  }

  // The kernel models hold operands in L2 and stream the rest, whatever its size. More of it could at best
  // keep as much of what streams as it adds: that is how far they may err.
  [[nodiscard]] double pinned_l2(const SiliconCase& one, const Result& result) const {
    const double more = std::max(0.0, one.gpu.l2.si() - s_.gpu.l2.si());
    const double streamed = footprint(result);
    return more > 0.0 && streamed > 0.0 ? std::log1p(std::min(1.0, more / streamed)) : 0.0;
  }

  SiliconOutcome outcome(std::size_t change) const {
    SiliconOutcome out;
    const SiliconCase& one = s_.changes[change];
    out.silicon = s_.model.compare(s_.base, one.design, s_.spec.model);
    double hours = 0.0, least = 0.0, energy = 0.0;
    out.scales = one.scales();
    for (std::size_t w = 0; w < s_.workloads.size(); ++w) {
      SiliconGain gain = gain_of(change, w);
      out.runs = out.runs && gain.runs;
      const double weight = s_.workloads[w].weight;
      hours += weight / gain.gain;
      least += weight / gain.bound.value_or(gain.gain);
      energy += weight / gain.gain * gain.watts;
      out.gains.push_back(std::move(gain));
    }
    if (hours > 0.0) {
      out.performance = 1.0 / hours;
      out.bound = 1.0 / least;
      out.removable = std::max(0.0, 1.0 - least);
      out.watts = energy / hours;
      out.perf_per_watt = out_.base_watts > 0.0 ? out.performance * out_.base_watts / out.watts : 1.0;
    }
    check_budget(one, out);
    return out;
  }

  void check_budget(const SiliconCase& change, SiliconOutcome& out) const {
    if (out.silicon.changed.beyond_reticle > 0.5 && out.silicon.base.beyond_reticle <= 0.5) {
      out.over_budget.push_back(fmt::format("{:.0f} mm2, more than one exposure prints",
                                            out.silicon.changed.of(silicon::Metric::area_mm2).p50));
    }
    const SiliconBudgetSpec& budget = s_.spec.budget;
    // Sized to the budget at the medians: rounding is no breach.
    constexpr double slack = 1.005;
    const double area = out.silicon.delta(silicon::Metric::area_mm2).p50;
    if (budget.area_mm2 && area > *budget.area_mm2 * slack) {
      out.over_budget.push_back(fmt::format("{:.3g} mm2 of {:.3g}", area, *budget.area_mm2));
    }
    const double usd = out.silicon.delta(silicon::Metric::unit_cost_usd).p50;
    if (budget.usd && usd > *budget.usd * slack) {
      out.over_budget.push_back(fmt::format("USD {:.3g} of {:.3g}", usd, *budget.usd));
    }
    const double more = change.gpu.tdp.si() - s_.gpu.tdp.si();
    if (budget.watts && more > *budget.watts * slack) {
      out.over_budget.push_back(fmt::format("{:.3g} W of {:.3g}", more, *budget.watts));
    }
  }

  void money() {
    std::vector<FleetChange> changes;
    for (std::size_t i = 0; i < s_.changes.size(); ++i) {
      changes.push_back(fleet_change(i));
    }
    const Fleet fleet(s_, library_, out_.base_watts);
    out_.usd_per_gpu_hour = fleet.base_hourly();
    out_.fleet_usd_per_year = fleet.base_usd_per_year();
    for (std::size_t i = 0; i < s_.changes.size(); ++i) {
      fleet.price(changes[i], out_.changes[i]);
    }
    out_.flips = fleet.flips(changes, [&](const std::vector<double>& tco) { return best_of(tco); });
  }

  [[nodiscard]] FleetChange fleet_change(std::size_t i) const {
    const SiliconOutcome& o = out_.changes[i];
    FleetChange out;
    out.name = s_.changes[i].name;
    out.machine = cost_machine(s_.changes[i].gpu, s_.node);
    out.unit_cost = o.silicon.delta(silicon::Metric::unit_cost_usd);
    out.watts = o.watts;
    for (std::size_t w = 0; w < o.gains.size(); ++w) {
      out.gains.push_back(
          {s_.workloads[w].name, s_.workloads[w].weight, o.gains[w].gain, o.gains[w].half_width});
    }
    return out;
  }

  // The cheapest within the budget; nothing where none is cheaper than the base.
  [[nodiscard]] std::optional<std::size_t> best_of(const std::vector<double>& tco) const {
    std::optional<std::size_t> out;
    for (std::size_t i = 0; i < tco.size(); ++i) {
      const SiliconOutcome& o = out_.changes[i];
      if (o.runs && o.within_budget() && tco[i] < 1.0 && (!out || tco[i] < tco[*out])) {
        out = i;
      }
    }
    return out;
  }

  void rank() {
    out_.ranking.resize(out_.changes.size());
    std::iota(out_.ranking.begin(), out_.ranking.end(), std::size_t{0});
    const auto key = [&](std::size_t i) {
      const SiliconOutcome& o = out_.changes[i];
      const double value = s_.workloads.empty() ? o.silicon.delta(silicon::Metric::area_mm2).p50 : o.tco.p50;
      return std::pair((o.runs ? 0 : 2) + (o.within_budget() ? 0 : 1), value);
    };
    std::stable_sort(out_.ranking.begin(), out_.ranking.end(),
                     [&](std::size_t a, std::size_t b) { return key(a) < key(b); });
    std::vector<double> tco;
    for (const SiliconOutcome& o : out_.changes) {
      tco.push_back(o.tco.p50);
    }
    if (!s_.workloads.empty()) {
      out_.winner = best_of(tco);
    }
  }

  const SiliconScenario& s_;
  const Library& library_;
  Runs runs_;
  SiliconStudy out_;
};

// Numbers of a GPU that work does not feel by themselves.
bool unfelt(std::string_view field) {
  return field == "scale_up_links" || field == "tdp_w" || field == "die_area_mm2";
}

// TFLOP/s of the base in a format by name; 0 where it has none.
double peak_of(const Gpu& gpu, const std::string& format) {
  for (std::size_t i = 0; i < kPrecisionCount; ++i) {
    if (kPrecisionNames[i] == (format == "fp4" ? "nvfp4" : format)) {
      const auto peak = gpu.peak(static_cast<Precision>(i));
      return peak ? peak->si() * 1e-12 : 0.0;
    }
  }
  return 0.0;
}

}  // namespace

json::Value exaggerated(const json::Value& overrides, const Gpu& base) {
  json::Value out = overrides;
  bool computes = false;
  for (json::Member& member : out.object()) {
    if (member.first == "matrix_peak_tflops") {
      for (json::Member& peak : member.second.object()) {
        if (peak.second.is_number() && peak.second.number() > peak_of(base, peak.first)) {
          peak.second = json::Value(peak.second.number() * kThousandfold);
          computes = true;
        }
      }
      continue;
    }
    const double now = unfelt(member.first) ? 0.0 : gpu_number(base, member.first).value_or(0.0);
    if (now <= 0.0 || !member.second.is_number() || member.second.number() <= now) {
      continue;  // no field that work feels, or less of it
    }
    if (member.second.is_integer()) {
      computes = computes || member.first == "sm_count";
      member.second = json::Value(static_cast<std::int64_t>(now * kMoreSms));
    } else if (member.first == "sparse_factor") {
      member.second = json::Value(16.0);
    } else {
      member.second = json::Value(now * kThousandfold);
    }
  }
  if (computes) {
    out["tdp_w"] = json::Value(base.tdp.si() * kThousandfold);  // or the power cap would eat it
  }
  return out;
}

std::size_t SiliconStudy::foremost() const {
  std::size_t out = winner.value_or(ranking.front());
  for (std::size_t i = 0; !winner && i < changes.size(); ++i) {
    if (changes[i].runs && (!changes[out].runs || changes[i].tco.p50 < changes[out].tco.p50)) {
      out = i;
    }
  }
  return out;
}

SiliconStudy study_silicon(const SiliconScenario& scenario, const Library& library,
                           const SiliconStudyOptions& options) {
  return Study(scenario, library, options).run();
}

}  // namespace gpuplan::sim

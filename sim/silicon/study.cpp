#include "sim/silicon/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hwmodels/json/path.h"
#include "sim/report/difference.h"
#include "sim/report/metric_sense.h"
#include "sim/silicon/activity.h"
#include "sim/silicon/fleet.h"

namespace gpuplan::sim {

namespace {

constexpr double kThousandfold = 1000.0;
constexpr double kMoreSms = 64.0;  // of SMs: kernels launch no more blocks than that

double better(const std::string& metric, double base, double now) {
  return sense_of(metric) == Sense::lower ? base / now : now / base;
}

class Runs {
 public:
  Runs(const SiliconScenario& scenario, const Library& library, const SiliconStudyOptions& options)
      : s_(scenario) {
    for (const SiliconWorkload& workload : s_.workloads) {
      ask(workload, s_.base_overrides, {});
    }
    for (const SiliconCase& change : s_.changes) {
      for (const bool most : {false, true}) {
        const json::Value over = most ? exaggerated(change.overrides, s_.gpu) : change.overrides;
        for (const SiliconWorkload& workload : s_.workloads) {
          ask(workload, laid_over(s_.base_overrides, over), change.set);
        }
      }
    }
    EvaluateAllOptions how;
    how.jobs = options.jobs;
    how.progress = options.progress;
    if (!asked_.empty()) {
      answers_ = evaluate_all(asked_, library, how);
    }
  }

  [[nodiscard]] const Answer& base(std::size_t workload) const { return answers_[workload]; }
  [[nodiscard]] const Answer& changed(std::size_t change, std::size_t workload, bool most) const {
    const std::size_t n = s_.workloads.size();
    return answers_[n + (2 * change + (most ? 1 : 0)) * n + workload];
  }

 private:
  void ask(const SiliconWorkload& workload, const json::Value& overrides, const json::Value& set) {
    Asked one{workload.document, workload.path, workload.base_dir};
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
        json::set_value(one.document, member.first, member.second, "set");
      }
    }
    asked_.push_back(std::move(one));
  }

  const SiliconScenario& s_;
  std::vector<Asked> asked_;
  std::vector<Answer> answers_;
};

double number_of(const Answer& answer, const SiliconWorkload& workload) {
  const Metric* metric = answer.result.find(workload.metric);
  if (metric == nullptr || !metric->value.is_number() || !(metric->value.number() > 0.0)) {
    std::vector<std::string> names;
    for (const Metric& one : answer.result.metrics) {
      names.push_back(one.name);
    }
    throw InputError(Problem{workload.path + ": metric", "\"" + workload.metric + "\"",
                             "a number above zero that the workload reports",
                             did_you_mean(workload.metric, names)});
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
      const Answer& answer = runs_.base(w);
      if (!answer.problems.empty()) {
        throw InputError(answer.problems);
      }
      if (!answer.ran()) {
        throw InputError(Problem{s_.workloads[w].path, answer.why, "a workload that runs on the base", ""});
      }
      SiliconBaseRun run;
      run.metric = number_of(answer, s_.workloads[w]);
      run.watts = watts(answer, s_.base, s_.gpu);
      run.bottleneck = answer.result.bottlenecks.empty() ? "" : answer.result.bottlenecks.front().resource;
      out_.base_watts += s_.workloads[w].weight * run.watts;
      out_.runs.push_back(std::move(run));
    }
  }

  // Of one GPU; the cap holds.
  [[nodiscard]] double watts(const Answer& answer, const silicon::Design& design, const Gpu& gpu) const {
    silicon::SiliconOptions options = s_.spec.model;
    options.samples = 10;  // only the median is taken
    const double power =
        s_.model.power(design, activity_of(answer.result, gpu), Hertz(), options).total_w.p50;
    return std::min(power, gpu.tdp.si());
  }

  SiliconGain gain_of(std::size_t change, std::size_t w) const {
    const SiliconWorkload& workload = s_.workloads[w];
    const Answer& now = runs_.changed(change, w, false);
    SiliconGain out;
    if (!now.problems.empty()) {
      throw InputError(now.problems);  // what `set` makes of the workload is no scenario
    }
    if (!now.ran()) {
      out.runs = false;
      out.why_not = now.why;
      return out;
    }
    const double base = out_.runs[w].metric;
    out.metric = number_of(now, workload);
    out.gain = better(workload.metric, base, out.metric);
    out.watts = watts(now, s_.changes[change].design, s_.changes[change].gpu);
    const double correlation = error_correlation(workload.kind, true);
    for (const Difference& d : differences(runs_.base(w).result, now.result, correlation)) {
      if (d.metric == workload.metric && d.ratio80) {
        out.half_width = 0.5 * std::log((*d.ratio80)[1] / (*d.ratio80)[0]);
      }
    }
    if (!other_kernels(s_.changes[change].set, workload.kind)) {
      out.half_width = std::min(out.half_width, std::abs(std::log(out.gain)));
    }
    const Answer& most = runs_.changed(change, w, true);
    if (most.ran()) {
      // A bound below the gain itself says that a thousandfold hurts: then the gain is what there is.
      out.bound = std::max({1.0, out.gain, better(workload.metric, base, number_of(most, workload))});
    }
    return out;
  }

  SiliconOutcome outcome(std::size_t change) const {
    SiliconOutcome out;
    const SiliconCase& one = s_.changes[change];
    out.silicon = s_.model.compare(s_.base, one.design, s_.spec.model);
    double hours = 0.0, least = 0.0, energy = 0.0;
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
      out.touched = 1.0 - least;
      out.watts = energy / hours;
      out.perf_per_watt = out_.base_watts > 0.0 ? out.performance * out_.base_watts / out.watts : 1.0;
    }
    check_budget(one, out);
    return out;
  }

  void check_budget(const SiliconCase& change, SiliconOutcome& out) const {
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

double field_of(const Gpu& gpu, const std::string& name) {
  return name == "sm_count"                   ? gpu.sm_count
         : name == "l2_mib"                   ? gpu.l2.si() / 1048576.0
         : name == "memory_gb"                ? gpu.memory.si() * 1e-9
         : name == "memory_bandwidth_gbps"    ? gpu.memory_bandwidth.si() * 1e-9
         : name == "scale_up_bandwidth_gbps"  ? gpu.scale_up_bandwidth.si() * 1e-9
         : name == "vector_fp64_tflops"       ? gpu.vector_fp64_peak.si() * 1e-12
         : name == "shared_memory_kib_per_sm" ? gpu.shared_memory_per_sm.si() / 1024.0
         : name == "registers_per_sm"         ? gpu.registers_per_sm
         : name == "sparse_factor"            ? gpu.sparse_factor
                                              : 0.0;
}

}  // namespace

json::Value exaggerated(const json::Value& overrides, const Gpu& base) {
  json::Value out = overrides;
  bool computes = false;
  for (json::Member& member : out.object()) {
    if (member.first == "matrix_peak_tflops") {
      for (json::Member& peak : member.second.object()) {
        if (peak.second.is_number()) {
          peak.second = json::Value(peak.second.number() * kThousandfold);
          computes = true;
        }
      }
      continue;
    }
    const double now = field_of(base, member.first);
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

SiliconStudy study_silicon(const SiliconScenario& scenario, const Library& library,
                           const SiliconStudyOptions& options) {
  return Study(scenario, library, options).run();
}

}  // namespace gpuplan::sim

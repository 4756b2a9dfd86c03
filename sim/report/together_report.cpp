#include "sim/report/together_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace gpuplan::sim {

namespace {

double slowest_clock(const CollectiveScenario& scenario) {
  double slowest = 1.0;
  for (const Straggler& s : scenario.stragglers) {
    slowest = std::min(slowest, s.clock);
  }
  return slowest;
}

Seconds latest(const CollectiveScenario& scenario) {
  Seconds late{0.0};
  for (const Straggler& s : scenario.stragglers) {
    late = max(late, s.late);
  }
  return late;
}

}  // namespace

std::optional<TogetherResult> play_together(const CollectiveScenario& scenario, const Library& library) {
  if (scenario.together.empty()) {
    return std::nullopt;
  }
  const auto collectives = collectives::CollectiveModel::load(library.data_dir);
  const auto kernels = kernels::KernelModel::for_gpu(scenario.gpu, library.data_dir);
  const std::vector<kernels::SmLimits> sm = kernels::sm_limits(library.data_dir);
  const auto& seed = scenario.spec.ecmp_seed;
  const TogetherMachine machine{
      .topology = *scenario.topology,
      .gpu = scenario.gpu,
      .node = scenario.node,
      .group = scenario.group,
      .stragglers = scenario.stragglers,
      .ecmp_seed = seed ? std::optional(static_cast<std::uint64_t>(*seed)) : std::nullopt};
  return play_together(machine, scenario.together, collectives, kernels, sm);
}

void report_together(CollectiveReport& report, const TogetherResult& result) {
  Result& out = report.result;
  const auto add = [&](const std::string& name, double value, std::optional<double> spread80 = std::nullopt) {
    const auto interval =
        spread80 ? std::optional(std::array<double, 2>{value / (1.0 + *spread80), value * (1.0 + *spread80)})
                 : std::nullopt;
    out.metrics.push_back({name, json::Value(value), interval});
  };
  for (const ActivityResult& a : result.activities) {
    const std::string prefix = "collective.together." + a.name + ".";
    add(prefix + "time", a.time().si(), a.spread80);
    add(prefix + "alone", a.alone.si(), a.spread80);
    add(prefix + "slowdown", a.slowdown());
  }
  add("collective.together.end", result.end.si());
  add("util.sm", result.use.sm);
  add("util.hbm", result.use.hbm);
  add("util.nvlink", result.use.nvlink);
  add("util.pcie", result.use.pcie);
  add("util.network", result.use.network);
  out.metrics.push_back({"sim.events", json::Value(static_cast<std::int64_t>(result.events)), std::nullopt});
  out.provenance["together"] =
      "slow-down in proportion on full resources; SMs of collectives by their channels, HBM bytes by the "
      "algorithm, both assumed";
}

json::Value together_json(const TogetherResult& result) {
  json::Array out;
  for (const ActivityResult& a : result.activities) {
    json::Object one{{"name", a.name},        {"what", a.what},    {"alone", a.alone.si()},
                     {"begin", a.begin.si()}, {"end", a.end.si()}, {"slowdown", a.slowdown()}};
    if (a.shared) {
      json::Object amounts;
      for (const auto& [name, amount] : a.shared->amounts) {
        amounts.emplace_back(name, amount);
      }
      one.emplace_back("shared", json::Object{{"resource", a.shared->name},
                                              {"unit", a.shared->unit},
                                              {"capacity", a.shared->capacity},
                                              {"amounts", std::move(amounts)}});
    }
    out.emplace_back(std::move(one));
  }
  return out;
}

std::vector<std::string> why_of(const ActivityResult& a) {
  std::vector<std::string> out = {fmt::format("alone {:.2f} us ({})", a.alone.si() * 1e6, a.what)};
  if (!a.shared) {
    out.emplace_back("shares no resource with the others");
  } else {
    std::string text;
    double sum = 0.0;
    for (const auto& [name, amount] : a.shared->amounts) {
      text += fmt::format("{}{} {:.4g}", text.empty() ? "" : " + ", name, amount);
      sum += amount;
    }
    out.push_back(fmt::format("{}: {} = {:.4g} {} at {:.4g} / s: busy {:.2f} us", a.shared->name, text, sum,
                              a.shared->unit, a.shared->capacity, sum / a.shared->capacity * 1e6));
  }
  out.push_back(fmt::format("together {:.2f} us, {:.3f} times as long, from {:.2f} to {:.2f} us",
                            a.time().si() * 1e6, a.slowdown(), a.begin.si() * 1e6, a.end.si() * 1e6));
  return out;
}

json::Value together_trace(const TogetherResult& result) {
  json::Array events;
  for (std::size_t i = 0; i < result.activities.size(); ++i) {
    events.push_back(json::Object{{"name", "process_name"},
                                  {"ph", "M"},
                                  {"pid", i},
                                  {"args", json::Object{{"name", result.activities[i].name}}}});
  }
  for (const ActivitySpan& span : result.spans) {
    events.push_back(json::Object{{"name", result.activities[span.activity].name},
                                  {"ph", "X"},
                                  {"pid", span.activity},
                                  {"tid", span.lane},
                                  {"ts", span.begin.si() * 1e6},
                                  {"dur", (span.end - span.begin).si() * 1e6}});
  }
  return json::Object{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

Seconds straggling(const CollectiveScenario& scenario, const collectives::CollectivePrice& price) {
  const double steps = price.time.si() - price.parts.transfer * 1e-6;
  return latest(scenario) + Seconds(steps * (1.0 / slowest_clock(scenario) - 1.0) / scenario.group.ranks);
}

std::optional<JobLoss> job_loss(const CollectiveScenario& scenario, const CollectiveRow& row,
                                const Library& library) {
  if (!scenario.spec.job) {
    return std::nullopt;
  }
  const JobSpec& job = *scenario.spec.job;
  const auto count = static_cast<double>(job.count);
  const auto step = [&](Seconds compute, Seconds collective, Seconds late) {
    const Seconds all = collective * count, hidden = compute * job.hidden;
    return compute + max(Seconds(0.0), all - hidden) + late;
  };
  const Seconds late = latest(scenario);  // once a step
  JobLoss out;
  out.healthy = step(job.compute, row.price.time, Seconds(0.0));
  out.now = step(job.compute / slowest_clock(scenario), row.time() - late, late);
  out.gpu_hours_per_day = 24.0 * scenario.group.ranks * out.share();
  if (const PricePoint* point = library.hardware.latest_on_demand(scenario.gpu.name)) {
    out.usd_per_day = out.gpu_hours_per_day * point->on_demand->si() * 3600.0;
  }
  return out;
}

}  // namespace gpuplan::sim

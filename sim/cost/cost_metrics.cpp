#include "sim/cost/cost_metrics.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::sim {

namespace {

void add(const std::string& name, double value, const Spread& spread, double scale, Result& result) {
  Metric metric{name, json::Value(value), std::nullopt};
  if (spread.p90 > spread.p10) {
    metric.interval80 =
        std::array<double, 2>{std::min(value, spread.p10 * scale), std::max(value, spread.p90 * scale)};
  }
  result.metrics.push_back(std::move(metric));
}

// The same purchase with nothing uncertain but its outlay.
CostWay outlay_alone(const CostWay& bought) {
  CostWay out = bought;
  for (std::size_t i = 0; i < kCostInputs; ++i) {
    const auto input = static_cast<CostInput>(i);
    if (input != CostInput::usd_per_gpu && input != CostInput::server_over_gpu &&
        input != CostInput::network_over_server && input != CostInput::storage_over_server &&
        input != CostInput::spares) {
      out.inputs[i].low = out.inputs[i].high = out.inputs[i].mid;
    }
  }
  return out;
}

}  // namespace

Uncertain relative(double half_width) {
  return {std::exp(-half_width), 1.0, std::exp(half_width), {"error of the simulation", Standing::derived}};
}

void add_run_interval(Result& result) {
  const Metric* time = result.find("training.time_to_train");
  const Metric* hour = result.find("cost.usd_per_hour");
  if (result.find("cost.usd_to_train") == nullptr || time == nullptr || hour == nullptr) {
    return;
  }
  const auto width = [](const Metric& metric, std::size_t side) {
    const double bound = metric.interval80 ? (*metric.interval80)[side] : metric.value.number();
    return bound > 0.0 && metric.value.number() > 0.0 ? std::abs(std::log(bound / metric.value.number()))
                                                      : 0.0;
  };
  for (Metric& metric : result.metrics) {
    if (metric.name == "cost.usd_to_train") {
      const double usd = metric.value.number();
      metric.interval80 = {usd * std::exp(-std::hypot(width(*time, 0), width(*hour, 0))),
                           usd * std::exp(std::hypot(width(*time, 1), width(*hour, 1)))};
    }
  }
}

void add_cost_metrics(const CostedRun& run, const Catalogue& catalogue, Result& result) {
  const auto gpus = static_cast<double>(run.gpus);
  const CostWay way =
      resolve_way(run.spec, run.spec.chosen(), run.machine, run.busy_watts, catalogue, run.performance);
  if (way.known()) {
    const double hourly = parts_of(way).total() * gpus;
    const CostSpreads spreads = cost_spreads(way, run.seed);
    add("cost.usd_per_hour", hourly, spreads.hourly, gpus, result);
    for (const auto& [name, done] : run.per_hour) {
      if (done > 0.0) {
        add(name, hourly / done, spreads.work, gpus / done, result);
      }
    }
  }
  const CostWay bought = resolve_way(run.spec, Acquisition::owned, run.machine, run.busy_watts, catalogue);
  if (bought.known()) {
    const double capex = capex_of(bought, medians(bought.inputs)) * gpus;
    add("cost.capex", capex, cost_spreads(outlay_alone(bought), run.seed).capex, gpus, result);
  }
}

}  // namespace gpuplan::sim

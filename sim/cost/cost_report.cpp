#include "sim/cost/cost_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/cost/cost_metrics.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/scenario/training_scenario.h"

namespace gpuplan::sim {

namespace {

constexpr double kHoursOfDay = 24.0;

// The relative error of a metric as a performance; of a time, whose longer end is the slower, inverted.
Uncertain performance_of(const Result& result, const char* name, bool is_time) {
  const Metric* metric = result.find(name);
  if (metric == nullptr || !metric->interval80 || metric->value.number() <= 0.0) {
    return exactly(1.0, {"no error is stated", Standing::assumed});
  }
  double low = (*metric->interval80)[0] / metric->value.number();
  double high = (*metric->interval80)[1] / metric->value.number();
  if (is_time) {
    std::swap(low, high);
    low = 1.0 / low;
    high = 1.0 / high;
  }
  return {low, 1.0, high, {"error of the simulation", Standing::derived}};
}

Spread scaled(const Spread& spread, double median, double factor) {
  return {std::min(spread.p10, median) * factor, median * factor, std::max(spread.p90, median) * factor};
}

WayCost cost_of(const CostSubject& subject, const CostWay& way) {
  const double gpus = subject.gpus;
  const CostWork& work = subject.work;
  WayCost out;
  out.way = way;
  out.parts = parts_of(way);
  const double median = out.parts.total();
  const CostSpreads spreads = cost_spreads(way, subject.seed);
  out.usd_per_gpu_hour = scaled(spreads.hourly, median, 1.0);
  out.usd_per_hour = median * gpus;
  const auto per_million = [&](double per_s) {
    return per_s > 0.0 ? std::optional(scaled(spreads.work, median, gpus / (per_s * 3.6e-3))) : std::nullopt;
  };
  out.per_million = per_million(work.units_per_s);
  out.per_million_output = per_million(work.output_per_s);
  if (work.run_hours) {
    out.per_run = scaled(spreads.work, median, gpus * *work.run_hours);
  }
  out.usd_per_year = out.usd_per_hour * way[CostInput::utilisation].mid * kHoursOfYear;
  if (median <= 0.0) {
    return out;  // what costs nothing is moved by nothing
  }
  out.swings = tornado(way.inputs, [&](std::span<const double> values) {
    return parts_of(way, values).total() / values[static_cast<std::size_t>(CostInput::performance)] / median;
  });
  return out;
}

ApiBreakEven against(const ApiPrice& price, const CostReport& report) {
  const CostWork& work = report.subject.work;
  ApiBreakEven out;
  out.price = price;
  out.api_per_million_output = price.per_million_output(work.prompt_per_output());
  for (const WayCost& cost : report.ways) {
    // The machine is kept all day, whatever it does.
    std::vector<double> values = medians(cost.way.inputs);
    values[static_cast<std::size_t>(CostInput::utilisation)] = 1.0;
    const double day = parts_of(cost.way, values).total() * report.subject.gpus * kHoursOfDay;
    const double tokens = day / out.api_per_million_output * 1e6;
    out.ways.push_back({cost.way.way, tokens, tokens <= work.output_per_s * 86400.0});
  }
  return out;
}

// What only an owned machine has.
void add_owned(CostReport& report, const CostWay& owned) {
  const double gpus = report.subject.gpus;
  const std::vector<double> values = medians(owned.inputs);
  report.capex = capex_of(owned, values) * gpus;
  const Spread capex = cost_spreads(owned, report.subject.seed).capex;
  report.capex_spread = {capex.p10 * gpus, report.capex, capex.p90 * gpus};
  const WayCost* cost = report.way(Acquisition::owned);
  report.life_usd = cost->usd_per_year * owned[CostInput::years].mid;
  for (const WayCost& rented : report.ways) {
    if (rented.way.way != Acquisition::owned) {
      const std::optional<double> fall = report.trend ? std::optional(-report.trend->per_year) : std::nullopt;
      report.rent_or_buy.push_back(rent_or_buy(owned, rented.way, fall, report.subject.seed));
    }
  }
}

void add_notes(CostReport& report, const CostWay& owned) {
  const CostSpec& spec = report.subject.spec;
  if (!spec.cost_of_capital) {
    report.notes.push_back("cost of capital: 0 where the scenario gives none (up to 10 % in the ranges)");
  }
  if (spec.owned && !spec.acquisition) {
    report.notes.push_back(
        "owned: true counts the machine and its electricity alone; \"acquisition\": \"owned\" counts "
        "hosting, "
        "staff, maintenance, storage, spares and the value of the used machine too");
  }
  const WayCost* rent = report.way(Acquisition::on_demand);
  if (rent != nullptr && owned.known() && report.trend) {
    report.notes.push_back(
        fmt::format("on-demand prices of {}: {:+.0f} % a year ({:+.0f} to {:+.0f}), {} points from {} to {}; "
                    "sellers differ "
                    "over the years",
                    report.subject.machine.gpu, 100.0 * report.trend->per_year, 100.0 * report.trend->low,
                    100.0 * report.trend->high, report.trend->points, report.trend->from, report.trend->to));
  }
}

}  // namespace

CostSubject cost_subject(const ServingScenario& s, const Result& result) {
  CostSubject out{.name = s.spec.name,
                  .model = s.model.name,
                  .node = s.node.name,
                  .spec = s.spec.cost,
                  .machine = s.rates.machine,
                  .gpus = s.gpus_used(),
                  .work = {},
                  .seed = static_cast<std::uint64_t>(s.spec.seed)};
  out.work.units_per_s = result.number("serving.total_tokens_per_s");
  out.work.output_per_s = result.number("serving.output_tokens_per_s");
  out.work.performance = performance_of(result, "serving.total_tokens_per_s", false);
  out.work.busy_watts = result.number("power.mean") / out.gpus;
  return out;
}

CostSubject cost_subject(const TrainingScenario& s, const Result& result) {
  const bool images = s.job.sees_images();
  CostSubject out{.name = s.spec.name,
                  .model = s.job.model.name,
                  .node = s.machine.node.name,
                  .spec = s.spec.cost,
                  .machine = s.rates.machine,
                  .gpus = s.job.gpus,
                  .work = {},
                  .seed = static_cast<std::uint64_t>(s.spec.seed)};
  out.work.unit = images ? "samples" : "tokens";
  out.work.units_per_s = result.number(images ? "training.samples_per_s" : "training.tokens_per_s");
  out.work.performance = performance_of(result, "training.step_time", true);
  out.work.busy_watts = result.number("power.mean") / out.gpus;
  if (result.find("training.time_to_train") != nullptr) {
    out.work.run_hours = result.number("training.time_to_train") / 3600.0;
  }
  return out;
}

const WayCost* CostReport::way(Acquisition which) const {
  for (const WayCost& one : ways) {
    if (one.way.way == which) {
      return &one;
    }
  }
  return nullptr;
}

const WayCost* CostReport::cheapest() const {
  const auto least = std::min_element(ways.begin(), ways.end(), [](const WayCost& a, const WayCost& b) {
    return a.usd_per_hour < b.usd_per_hour;
  });
  return least == ways.end() ? nullptr : &*least;
}

CostReport report_cost(const CostSubject& subject, const Catalogue& catalogue,
                       const std::vector<ApiPrice>& apis) {
  CostReport out;
  out.subject = subject;
  out.trend = price_trend(catalogue, {.gpu = subject.machine.gpu,
                                      .kind = PriceKind::on_demand,
                                      .as_of = subject.spec.date,
                                      .vendor = subject.spec.vendor});
  CostWay owned;
  for (std::size_t i = 0; i < kAcquisitions; ++i) {
    const auto which = static_cast<Acquisition>(i);
    const CostWay way = resolve_way(subject.spec, which, subject.machine, subject.work.busy_watts, catalogue,
                                    subject.work.performance);
    if (way.known()) {
      out.ways.push_back(cost_of(subject, way));
    } else if (std::find(out.missing.begin(), out.missing.end(), way.missing) == out.missing.end()) {
      out.missing.push_back(way.missing);
    }
    if (which == Acquisition::owned) {
      owned = way;
    }
  }
  const double use = owned[CostInput::utilisation].mid, pue = owned[CostInput::pue].mid;
  out.energy_kwh_per_year = (use * subject.work.busy_watts + (1.0 - use) * subject.machine.watts(0.0)) * pue *
                            subject.gpus * kHoursOfYear / 1000.0;
  if (owned.known()) {
    add_owned(out, owned);
  }
  for (const ApiPrice& price : apis) {
    if (subject.work.output_per_s > 0.0) {
      out.apis.push_back(against(price, out));
    }
  }
  add_notes(out, owned);
  return out;
}

double equal_rent(const CostSubject& base, double base_rent, const CostSubject& other) {
  const double per_token = base_rent * base.gpus / base.work.units_per_s;
  return per_token * other.work.units_per_s / other.gpus;
}

}  // namespace gpuplan::sim

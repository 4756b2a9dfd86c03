#include "sim/cost/cost_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/cost/cost_inputs.h"

namespace gpuplan::sim {

namespace {

constexpr double kJoulesOfKwh = 3.6e6;
constexpr int kSamples = 1000;

class Values {
 public:
  explicit Values(std::span<const double> values) : values_(values) {}
  double operator[](CostInput input) const { return values_[static_cast<std::size_t>(input)]; }

 private:
  std::span<const double> values_;
};

double server_price(const Values& v) { return v[CostInput::usd_per_gpu] * v[CostInput::server_over_gpu]; }

double outlay(const Values& v) {
  return server_price(v) * (v[CostInput::network_over_server] + v[CostInput::storage_over_server]) *
         (1.0 + v[CostInput::spares]);
}

// A year's share of what is laid out, less what the used servers bring.
double capital_per_year(const Values& v) {
  const double years = v[CostInput::years], rate = v[CostInput::cost_of_capital];
  const double back =
      server_price(v) * (1.0 + v[CostInput::spares]) * std::pow(1.0 - v[CostInput::price_erosion], years);
  if (rate < 1e-9) {
    return (outlay(v) - back) / years;
  }
  const double grown = std::pow(1.0 + rate, years);
  return outlay(v) * rate / (1.0 - 1.0 / grown) - back * rate / (grown - 1.0);
}

// Owned: what is paid whether the machine works or not, and its electricity.
void add_owned(const CostMachine& machine, const Values& v, CostParts& out) {
  const double kept = 1.0 / (v[CostInput::utilisation] * kHoursOfYear);
  out.capital = capital_per_year(v) * kept;
  out.staff = v[CostInput::staff_usd_per_gpu_year] * kept;
  out.maintenance = v[CostInput::maintenance] * server_price(v) * kept;
  out.hosting = v[CostInput::hosting_usd_per_kw_month] * machine.maximum() / 1000.0 * 12.0 * kept;
}

}  // namespace

CostMachine cost_machine(const Gpu& gpu, const Node& node, int servers_together) {
  CostMachine out{.gpu = gpu.name,
                  .gpus_per_server = std::max(1, node.gpu_count),
                  .servers_together = std::max(1, servers_together),
                  .tdp = gpu.tdp.si(),
                  .host = 0.3 * gpu.tdp.si()};
  if (node.power.si() > 0.0 && node.gpu_count > 0) {
    out.host = std::max(0.0, node.power.si() / node.gpu_count - out.tdp);
  }
  return out;
}

CostParts parts_of(const CostWay& way, std::span<const double> values) {
  const Values v(values);
  CostParts out;
  const double rent = v[CostInput::usd_per_gpu_hour];
  switch (way.way) {
    case Acquisition::on_demand:
      out.rent = rent;
      break;
    case Acquisition::reserved_1y:
    case Acquisition::reserved_3y:
      out.rent = rent / v[CostInput::utilisation];
      break;
    case Acquisition::spot:
      out.rent = rent * (1.0 - v[CostInput::spot_discount]) *
                 (1.0 + v[CostInput::interruptions_per_day] / 24.0 * way.machine.servers_together *
                            v[CostInput::hours_lost]);
      break;
    case Acquisition::owned:
      add_owned(way.machine, v, out);
      break;
  }
  if (way.pays_electricity) {
    const double idle_hours = way.way == Acquisition::owned ? 1.0 / v[CostInput::utilisation] - 1.0 : 0.0;
    const double joules = 3600.0 * (v[CostInput::mean_watts] + idle_hours * way.machine.watts(0.0));
    out.energy = joules * v[CostInput::usd_per_kwh] * v[CostInput::pue] / kJoulesOfKwh;
  }
  return out;
}

CostParts parts_of(const CostWay& way) { return parts_of(way, medians(way.inputs)); }

double capex_of(const CostWay& /*way*/, std::span<const double> values) { return outlay(Values(values)); }

CostSpreads cost_spreads(const CostWay& way, std::uint64_t seed) {
  std::vector<double> hourly, work, capex;
  for (std::vector<double>* sample : {&hourly, &work, &capex}) {
    sample->reserve(kSamples);
  }
  draw(way.inputs, seed, kSamples, [&](std::span<const double> values) {
    hourly.push_back(parts_of(way, values).total());
    work.push_back(hourly.back() / Values(values)[CostInput::performance]);
    capex.push_back(capex_of(way, values));
  });
  return {spread_of(hourly), spread_of(work), spread_of(capex)};
}

GpuRates resolve_rates(const CostSpec& spec, const CostMachine& machine, const Catalogue& catalogue,
                       const std::string& path, std::vector<Problem>& problems) {
  check_cost(spec, catalogue, path, problems);
  GpuRates out;
  out.machine = machine;
  if (spec.mean_load) {
    out.mean_watts = *spec.mean_load * machine.maximum();
  }
  const CostWay way = resolve_way(spec, spec.chosen(), machine, 0.0, catalogue);
  const CostWay bought = resolve_way(spec, Acquisition::owned, machine, 0.0, catalogue);
  out.hour_source = way.known() ? way.source : way.missing;
  out.purchase_source = bought.known() ? bought.source : bought.missing;
  if (bought.known()) {
    out.bought = std::make_shared<const CostWay>(bought);
    out.usd_per_gpu = capex_of(bought, medians(bought.inputs));
  }
  if (!way.known()) {
    if (way.way == Acquisition::owned && problems.empty()) {
      problems.push_back({path + ".usd_per_gpu", "nothing",
                          "the price of a GPU: it is owned, and the catalogue has none of " + machine.gpu,
                          ""});
    }
    return out;
  }
  out.chosen = std::make_shared<const CostWay>(way);
  // With no power while it works only idle hours draw any.
  std::vector<double> values = medians(way.inputs);
  values[static_cast<std::size_t>(CostInput::mean_watts)] = 0.0;
  out.usd_per_hour = parts_of(way, values).total();
  if (way.pays_electricity) {
    out.usd_per_joule = way[CostInput::usd_per_kwh].mid * way[CostInput::pue].mid / kJoulesOfKwh;
  }
  return out;
}

}  // namespace gpuplan::sim

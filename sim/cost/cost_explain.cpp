#include "sim/cost/cost_explain.h"

#include <fmt/format.h>

#include <cmath>

namespace gpuplan::sim {

namespace {

using Lines = std::vector<std::string>;

std::string outlay_line(const CostWay& owned) {
  const auto mid = [&](CostInput input) { return owned[input].mid; };
  return fmt::format(
      "outlay = USD {:.0f} a GPU x {:.3g} server x ({:.3g} network + {:.3g} storage) x {:.3g} "
      "with spares = USD {:.0f}",
      mid(CostInput::usd_per_gpu), mid(CostInput::server_over_gpu), mid(CostInput::network_over_server),
      mid(CostInput::storage_over_server), 1.0 + mid(CostInput::spares),
      capex_of(owned, medians(owned.inputs)));
}

void explain_owned(const CostWay& way, const CostParts& p, Lines& out) {
  const auto mid = [&](CostInput input) { return way[input].mid; };
  const double server = mid(CostInput::usd_per_gpu) * mid(CostInput::server_over_gpu);
  const double back = server * (1.0 + mid(CostInput::spares)) *
                      std::pow(1.0 - mid(CostInput::price_erosion), mid(CostInput::years));
  out.push_back(outlay_line(way));
  out.push_back(
      fmt::format("capital = (outlay - USD {:.0f} for the used server) over {:g} years{} / 8766 h / {:.3g} "
                  "of the hours = "
                  "${:.4g}",
                  back, mid(CostInput::years),
                  mid(CostInput::cost_of_capital) > 0.0
                      ? fmt::format(" at {:.3g} % interest", 100.0 * mid(CostInput::cost_of_capital))
                      : "",
                  mid(CostInput::utilisation), p.capital));
  if (p.hosting > 0.0) {
    out.push_back(fmt::format("hosting = {:.0f} W x ${:.4g} a kW and month x 12 / 8766 h / {:.3g} = ${:.4g}",
                              way.machine.maximum(), mid(CostInput::hosting_usd_per_kw_month),
                              mid(CostInput::utilisation), p.hosting));
  }
  if (p.maintenance + p.staff > 0.0) {
    out.push_back(fmt::format(
        "maintenance = {:.3g} % of USD {:.0f} a year = ${:.4g}; staff = USD {:.0f} a year = ${:.4g}",
        100.0 * mid(CostInput::maintenance), server, p.maintenance, mid(CostInput::staff_usd_per_gpu_year),
        p.staff));
  }
}

void explain_rent(const CostWay& way, const CostParts& p, Lines& out) {
  const double rent = way[CostInput::usd_per_gpu_hour].mid, use = way[CostInput::utilisation].mid;
  switch (way.way) {
    case Acquisition::reserved_1y:
    case Acquisition::reserved_3y:
      out.push_back(
          fmt::format("rent = ${:.4g} for all hours / {:.3g} of them = ${:.4g}", rent, use, p.rent));
      break;
    case Acquisition::spot:
      out.push_back(
          fmt::format("rent = ${:.4g} x (1 - {:.3g}) x (1 + {:.3g} interruptions a day and server / 24 x {} "
                      "servers x {:.3g} "
                      "h lost) = ${:.4g}",
                      rent, way[CostInput::spot_discount].mid, way[CostInput::interruptions_per_day].mid,
                      way.machine.servers_together, way[CostInput::hours_lost].mid, p.rent));
      break;
    case Acquisition::on_demand:
    case Acquisition::owned:
      out.push_back(fmt::format("rent = ${:.4g}", p.rent));
      break;
  }
}

}  // namespace

std::vector<std::string> explain_way(const CostWay& way, double busy_watts) {
  std::vector<double> values = medians(way.inputs);
  values[static_cast<std::size_t>(CostInput::mean_watts)] = busy_watts;
  const CostParts p = parts_of(way, values);
  Lines out;
  if (way.way == Acquisition::owned) {
    explain_owned(way, p, out);
  } else {
    explain_rent(way, p, out);
  }
  if (way.pays_electricity) {
    const double idle = way.way == Acquisition::owned ? 1.0 / way[CostInput::utilisation].mid - 1.0 : 0.0;
    out.push_back(
        fmt::format("electricity = ({:.0f} W + {:.3g} idle hours x {:.0f} W) x PUE {:.3g} x ${:.4g} a "
                    "kWh = ${:.4g}",
                    busy_watts, idle, way.machine.watts(0.0), way[CostInput::pue].mid,
                    way[CostInput::usd_per_kwh].mid, p.energy));
  }
  out.push_back(fmt::format("together ${:.4g} a GPU-hour [{}]", p.total(), way.source));
  return out;
}

std::vector<std::string> explain_outlay(const CostWay& owned) {
  return {outlay_line(owned), "[" + owned.source + "]"};
}

}  // namespace gpuplan::sim

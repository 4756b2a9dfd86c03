#include "sim/scenario/training_cost.h"

#include <fmt/format.h>

#include <algorithm>

namespace gpuplan::sim {

namespace {

constexpr double kHoursOfYear = 8766.0, kJoulesOfKwh = 3.6e6;

// A fact of tco.json, or what the scenario gives. The catalogue ships all that are asked for.
double fact(const std::optional<double>& given, const Catalogue& catalogue, const char* path) {
  return given ? *given : catalogue.tco(path)->value;
}

void find_prices(const TrainingCostSpec& spec, const std::string& gpu, const Catalogue& catalogue,
                 TrainingRates& out) {
  const PricePoint* rent = catalogue.latest_on_demand(gpu);
  const PricePoint* buy = catalogue.latest_purchase(gpu);
  out.usd_per_hour = spec.usd_per_gpu_hour;
  out.usd_per_gpu = spec.usd_per_gpu;
  out.hour_source = out.purchase_source = "scenario: cost";
  if (!out.usd_per_hour) {
    out.hour_source = "unknown: the catalogue has no on-demand price of " + gpu;
    if (rent != nullptr && rent->on_demand) {
      out.usd_per_hour = rent->on_demand->si() * 3600.0;
      out.hour_source =
          fmt::format("catalogue: on demand, {} {}, {}", rent->vendor, rent->date, rent->source);
    }
  }
  if (!out.usd_per_gpu) {
    out.purchase_source = "unknown: the catalogue has no purchase price of " + gpu;
    if (buy != nullptr && buy->purchase) {
      out.usd_per_gpu = buy->purchase->si();
      out.purchase_source =
          fmt::format("catalogue: purchase, {} {}, {}", buy->vendor, buy->date, buy->source);
    }
  }
}

void write_off(const TrainingCostSpec& spec, const Catalogue& catalogue, TrainingRates& out) {
  const double server = fact({}, catalogue, "server_cost_over_gpu.default");
  const double network = fact({}, catalogue, "network_cost_over_server.any");
  const double years = fact(spec.years, catalogue, "lifetime_years.from_2023");
  const double kwh = fact(spec.usd_per_kwh, catalogue, "electricity_usd_per_kwh.2025");
  const double pue = fact(spec.pue, catalogue, "pue.other");
  out.usd_per_hour = *out.usd_per_gpu * server * network / (years * kHoursOfYear);
  out.usd_per_joule = kwh * pue / kJoulesOfKwh;
  out.hour_source = fmt::format(
      "owned: USD {:.0f} a GPU x {:.2f} server x {:.2f} network over {:g} years, electricity USD {:.4g} a "
      "kWh "
      "x PUE {:.3g} (catalogue: tco.json, or the scenario)",
      *out.usd_per_gpu, server, network, years, kwh, pue);
}

}  // namespace

TrainingRates resolve_rates(const TrainingCostSpec& spec, const Gpu& gpu, const Node& node,
                            const Catalogue& catalogue, const std::string& path,
                            std::vector<Problem>& problems) {
  TrainingRates out;
  find_prices(spec, gpu.name, catalogue, out);
  // As serving has it: the node's power beyond its GPUs, or where unknown 0.3 of theirs (assumed).
  out.tdp = gpu.tdp.si();
  out.host = node.power.si() > 0.0 && node.gpu_count > 0
                 ? std::max(0.0, node.power.si() / node.gpu_count - out.tdp)
                 : 0.3 * out.tdp;
  if (!spec.owned) {
    if (spec.usd_per_kwh) {
      out.usd_per_joule = *spec.usd_per_kwh * spec.pue.value_or(1.0) / kJoulesOfKwh;
      out.hour_source += fmt::format(", and electricity at USD {:.4g} a kWh", *spec.usd_per_kwh);
    }
    return out;
  }
  if (!out.usd_per_gpu) {
    problems.push_back({path + ".usd_per_gpu", "nothing",
                        "the price of a GPU: it is owned, and the catalogue has none of " + gpu.name, ""});
    return out;
  }
  write_off(spec, catalogue, out);
  return out;
}

}  // namespace gpuplan::sim

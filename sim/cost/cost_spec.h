// What a scenario says of money: `cost`, the same for serving and training. Everything is optional; what is
// not given has a default of the catalogue (tco.json, price table) with its source and range.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

// How the GPUs are had.
enum class Acquisition { on_demand, reserved_1y, reserved_3y, spot, owned };
inline std::span<const std::string_view> enum_names(Acquisition /*tag*/) {
  static constexpr std::array<std::string_view, 5> names = {"on_demand", "reserved_1y", "reserved_3y", "spot",
                                                            "owned"};
  return names;
}
inline constexpr std::size_t kAcquisitions = 5;

// What a cost is computed from; each is an input that can be uncertain.
enum class CostInput {
  usd_per_gpu_hour,
  usd_per_gpu,
  server_over_gpu,
  network_over_server,
  storage_over_server,
  spares,
  years,
  price_erosion,
  cost_of_capital,
  maintenance,
  staff_usd_per_gpu_year,
  hosting_usd_per_kw_month,
  mean_watts,
  pue,
  usd_per_kwh,
  utilisation,
  spot_discount,
  interruptions_per_day,
  hours_lost,
  performance
};
inline std::span<const std::string_view> enum_names(CostInput /*tag*/) {
  static constexpr std::array<std::string_view, 20> names = {"usd_per_gpu_hour",
                                                             "usd_per_gpu",
                                                             "server_over_gpu",
                                                             "network_over_server",
                                                             "storage_over_server",
                                                             "spares",
                                                             "years",
                                                             "price_erosion",
                                                             "cost_of_capital",
                                                             "maintenance",
                                                             "staff_usd_per_gpu_year",
                                                             "hosting_usd_per_kw_month",
                                                             "mean_watts",
                                                             "pue",
                                                             "usd_per_kwh",
                                                             "utilisation",
                                                             "spot_discount",
                                                             "interruptions_per_day",
                                                             "hours_lost",
                                                             "performance"};
  return names;
}
inline constexpr std::size_t kCostInputs = 20;

// How far an input may lie from its value.
struct CostRange {
  CostInput input = CostInput::utilisation;
  double low = 0.0, high = 0.0;
};
template <class V>
void describe(V& v, CostRange& s) {
  v.field("input", s.input, "which input of the cost", json::required);
  v.field("low", s.low, "one case in ten lies below", json::not_negative(), json::required);
  v.field("high", s.high, "one case in ten lies above", json::not_negative(), json::required);
}

struct CostSpec {
  std::optional<Acquisition> acquisition;  // none: on demand, or as `owned` says
  bool owned = false;
  std::string date, vendor;
  std::optional<double> usd_per_gpu_hour;
  std::optional<double> usd_per_gpu, usd_per_server, server_over_gpu, network_over_server,
      storage_over_server;
  std::optional<double> spares, years, price_erosion, residual_value, cost_of_capital, maintenance;
  std::optional<double> staff_usd_per_gpu_year, staff_usd_per_mw_year;
  std::optional<double> hosting_usd_per_kw_month, building_usd_per_watt, building_years;
  std::optional<double> mean_load, pue, usd_per_kwh, utilisation;
  std::optional<double> spot_discount, interruptions_per_day, hours_lost;
  std::vector<CostRange> ranges;

  [[nodiscard]] Acquisition chosen() const {
    return acquisition.value_or(owned ? Acquisition::owned : Acquisition::on_demand);
  }
};

template <class V>
void describe_capital(V& v, CostSpec& s) {
  v.field("usd_per_gpu", s.usd_per_gpu,
          "purchase price of a GPU without its server; default: what the price table's latest points make of "
          "a server's share",
          json::not_negative());
  v.field("usd_per_server", s.usd_per_server,
          "price of a whole server with its GPUs, instead of usd_per_gpu x server_over_gpu",
          json::positive());
  v.field("server_over_gpu", s.server_over_gpu, "cost of a server over that of its GPUs", json::at_least(1));
  v.field("network_over_server", s.network_over_server,
          "cost of the servers with their network over that of the servers", json::at_least(1));
  v.field("storage_over_server", s.storage_over_server, "cost of shared storage over that of the servers",
          json::not_negative());
  v.field("spares", s.spares, "servers kept as spares over those that work", json::not_negative());
  v.field("years", s.years, "in which owned GPUs are written off; default: the catalogue's",
          json::Range{.min = 0, .max = 100, .open_min = true});
  v.field("price_erosion", s.price_erosion,
          "share of its value that a used server loses in a year; what is left after `years` comes back",
          json::fraction());
  v.field("residual_value", s.residual_value,
          "share of a server's price that it brings after `years`, instead of price_erosion",
          json::fraction());
  v.field("cost_of_capital", s.cost_of_capital, "interest a year on the money laid out; default 0",
          json::fraction());
}

template <class V>
void describe(V& v, CostSpec& s) {
  v.field("acquisition", s.acquisition,
          "how the GPUs are had; default: on demand. On demand and spot are paid for the hours used, the "
          "others for all hours");
  v.field("owned", s.owned,
          "short for acquisition owned, counting the machine and its electricity alone: hosting, staff, "
          "maintenance, storage, spares and the value of the used machine are 0 where not given");
  v.field("date", s.date, "prices as known on that day (YYYY-MM-DD); default: the latest");
  v.field("vendor", s.vendor, "rents of sellers whose name contains this, and their sales where they sell");
  v.field("usd_per_gpu_hour", s.usd_per_gpu_hour,
          "rent per GPU and hour; default: the catalogue's latest price for the acquisition",
          json::not_negative());
  describe_capital(v, s);
  v.field("maintenance", s.maintenance, "repair and support a year over the price of the servers",
          json::fraction());
  v.field("staff_usd_per_gpu_year", s.staff_usd_per_gpu_year, "people who run the machine",
          json::not_negative());
  v.field("staff_usd_per_mw_year", s.staff_usd_per_mw_year,
          "the same by the machine's maximum power, instead of per GPU", json::not_negative());
  v.field("hosting_usd_per_kw_month", s.hosting_usd_per_kw_month,
          "space and cooling, by the machine's maximum power", json::not_negative());
  v.field("building_usd_per_watt", s.building_usd_per_watt,
          "own building instead of hosting: its price by the machine's maximum power", json::positive());
  v.field("building_years", s.building_years, "in which the building is written off; default 20",
          json::Range{.min = 0, .max = 100, .open_min = true});
  v.field("mean_load", s.mean_load,
          "mean power over the server's maximum; default: the power that the simulation has",
          json::fraction());
  v.field("usd_per_kwh", s.usd_per_kwh, "electricity; default: the catalogue's latest for US industry",
          json::not_negative());
  v.field("pue", s.pue, "power of the building over that of the machines; default: the catalogue's",
          json::Range{.min = 1, .max = 10});
  v.field("utilisation", s.utilisation,
          "share of the hours in which the machine does what the scenario has it do",
          json::Range{.min = 0, .max = 1, .open_min = true});
  v.field("spot_discount", s.spot_discount, "share taken off the on-demand price", json::fraction());
  v.field("interruptions_per_day", s.interruptions_per_day, "of one spot server", json::not_negative());
  v.field("hours_lost", s.hours_lost, "work and restart that a spot interruption costs (h)",
          json::not_negative());
  v.field("ranges", s.ranges, "how far inputs may lie from their values, where not as the catalogue has it");
}

}  // namespace gpuplan::sim

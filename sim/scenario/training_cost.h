// What training costs: GPU hours rented, or bought and written off, and the electricity that they draw.
//
//   rented  hours x GPUs x rent; electricity is in the rent
//   owned   price of a GPU x server over GPU x network over server, over the lifetime, and energy x PUE x
//   price
//           of electricity (factors of the catalogue's tco.json, or as given)
//   power   TDP (0.15 + 0.85 of the time that kernels run), and a GPU's share of what else the node draws
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

struct TrainingCostSpec {
  std::optional<double> usd_per_gpu_hour, usd_per_gpu;
  bool owned = false;
  std::optional<double> usd_per_kwh, pue, years;
};
template <class V>
void describe(V& v, TrainingCostSpec& s) {
  v.field("usd_per_gpu_hour", s.usd_per_gpu_hour,
          "rent per GPU and hour; default: the catalogue's latest on-demand price", json::not_negative());
  v.field("usd_per_gpu", s.usd_per_gpu, "purchase price per GPU; default: the catalogue's latest",
          json::not_negative());
  v.field("owned", s.owned,
          "GPUs are bought, not rented: an hour is its share of their price with server and network, and "
          "electricity is paid for");
  v.field("usd_per_kwh", s.usd_per_kwh, "electricity; default: the catalogue's latest for US industry",
          json::not_negative());
  v.field("pue", s.pue, "power of the building over that of the machines; default: the catalogue's",
          json::Range{.min = 1, .max = 10});
  v.field("years", s.years, "in which owned GPUs are written off; default: the catalogue's",
          json::Range{.min = 0, .max = 100, .open_min = true});
}

// Of one GPU with its share of node and network.
struct TrainingRates {
  std::optional<double> usd_per_hour;  // without electricity where owned; none: no price is known
  std::optional<double> usd_per_gpu;
  double usd_per_joule = 0.0;  // at the machine, cooling included; 0 where the rent holds it
  std::string hour_source, purchase_source;
  double tdp = 0.0, host = 0.0;  // W

  // W while kernels run for `busy` of the time.
  [[nodiscard]] double watts(double busy) const { return tdp * (0.15 + 0.85 * busy) + host; }
  // USD an hour, electricity included.
  [[nodiscard]] double hourly(double busy) const {
    return usd_per_hour.value_or(0.0) + watts(busy) * 3600.0 * usd_per_joule;
  }
};

// Owned without a price of purchase is a problem at `path`.
TrainingRates resolve_rates(const TrainingCostSpec& spec, const Gpu& gpu, const Node& node,
                            const Catalogue& catalogue, const std::string& path,
                            std::vector<Problem>& problems);

}  // namespace gpuplan::sim

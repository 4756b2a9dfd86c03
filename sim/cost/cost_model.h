// What an hour of a GPU costs.
//
//   on demand   rent
//   reserved    rent / utilisation: all hours are paid
//   spot        rent x (1 - discount) x (1 + interruptions of all servers that stop together x hours lost)
//   owned       (capital + hosting + staff + maintenance) / utilisation + electricity
//
//   capital     P r / (1 - (1 + r)^-n) - R r / ((1 + r)^n - 1) a year (r = 0: (P - R) / n), with the outlay
//               P = GPU x server over GPU x (network over server + storage) x (1 + spares) and what a used
//               server brings, R = GPU x server over GPU x (1 + spares) x (1 - erosion)^n
//   hosting     maximum power x USD per kW and month
//   electricity mean power x PUE x USD per kWh, and in hours that earn nothing the idle machine's
//   power       TDP (0.15 + 0.85 of the time that kernels run) and a GPU's share of what else the node draws
//
// Prices are of one moment: neither a contract's later cuts nor taxes, egress (none: tokens are small) or the
// value of having a machine at once are in it. Checked against published all-in costs of H100 clusters: the
// outlay within 10 %.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/uncertainty/uncertain.h"
#include "sim/cost/cost_spec.h"

namespace gpuplan::sim {

inline constexpr double kHoursOfYear = 8766.0;  // 365.25 days

// The machine as costs see it: one GPU with its share of the node.
struct CostMachine {
  std::string gpu;
  int gpus_per_server = 8;
  int servers_together = 1;  // that stop when one of them does
  double tdp = 0.0;          // W
  double host = 0.0;         // W, what else the node draws; 0.3 TDP where unknown (assumed)

  [[nodiscard]] double watts(double busy) const { return tdp * (0.15 + 0.85 * busy) + host; }
  [[nodiscard]] double maximum() const { return tdp + host; }
};
CostMachine cost_machine(const Gpu& gpu, const Node& node, int servers_together = 1);

// USD per GPU and hour in which the machine works.
struct CostParts {
  double rent = 0.0, capital = 0.0, hosting = 0.0, staff = 0.0, maintenance = 0.0, energy = 0.0;
  [[nodiscard]] double total() const { return rent + capital + hosting + staff + maintenance + energy; }
};

// One way to have the machine, with all that its cost rests on.
struct CostWay {
  Acquisition way = Acquisition::on_demand;
  CostMachine machine;
  std::array<Uncertain, kCostInputs> inputs;  // by CostInput
  bool pays_electricity = false;
  std::string missing;  // why there is no price; empty where there is one
  std::string source;   // of the rent, or of the purchase price

  [[nodiscard]] bool known() const { return missing.empty(); }
  [[nodiscard]] const Uncertain& operator[](CostInput input) const {
    return inputs[static_cast<std::size_t>(input)];
  }
};

// `spec` with the catalogue's defaults. `busy_watts`: mean power of a GPU with its share of the node while it
// works, where no mean load is given. `performance`: relative error of the work done in an hour (median 1).
CostWay resolve_way(const CostSpec& spec, Acquisition way, const CostMachine& machine, double busy_watts,
                    const Catalogue& catalogue, const Uncertain& performance = exactly(1.0, {}));

// The cost with one value for each input (by CostInput).
CostParts parts_of(const CostWay& way, std::span<const double> values);
CostParts parts_of(const CostWay& way);  // medians
// USD laid out per GPU with server, network, storage and spares.
double capex_of(const CostWay& way, std::span<const double> values);

struct CostSpreads {
  Spread hourly;  // USD per GPU and working hour
  Spread work;    // the same over the relative performance: what the cost of a token is proportional to
  Spread capex;   // USD per GPU; zero where nothing is bought
};
CostSpreads cost_spreads(const CostWay& way, std::uint64_t seed = 1);

// Rates of one GPU as searches need them: medians, linear in its power.
struct GpuRates {
  std::optional<double> usd_per_hour;  // without the electricity of work; none: no price is known
  std::optional<double> usd_per_gpu;   // outlay: with server, network, storage and spares
  double usd_per_joule = 0.0;          // at the machine, cooling included; 0 where the rent holds it
  std::string hour_source, purchase_source;
  CostMachine machine;
  std::optional<double> mean_watts;               // given as a mean load, whatever the work
  std::shared_ptr<const CostWay> chosen, bought;  // what they rest on; none without a price

  // W while kernels run for `busy` of the time.
  [[nodiscard]] double watts(double busy) const { return mean_watts.value_or(machine.watts(busy)); }
  // USD an hour, electricity included.
  [[nodiscard]] double hourly(double busy) const {
    return usd_per_hour.value_or(0.0) + watts(busy) * 3600.0 * usd_per_joule;
  }
};

using TrainingRates = GpuRates;

// Rates of the chosen acquisition. What contradicts itself, or is owned without any price, is a problem below
// `path`.
GpuRates resolve_rates(const CostSpec& spec, const CostMachine& machine, const Catalogue& catalogue,
                       const std::string& path, std::vector<Problem>& problems);

}  // namespace gpuplan::sim

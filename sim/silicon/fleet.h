// A fleet's cost for the same work, with a changed GPU over the base: one formula of many inputs, each with
// its range, so that it can be drawn, and each input turned alone.
#pragma once

#include <functional>
#include <optional>

#include "sim/silicon/study.h"

namespace gpuplan::sim {

struct FleetGain {
  std::string workload;
  double weight = 1.0, gain = 1.0, half_width = 0.0;
};

struct FleetChange {
  std::string name;
  CostMachine machine;  // with its power limit
  Spread unit_cost;     // USD more
  double watts = 0.0;   // mean of the GPU in its work
  std::vector<FleetGain> gains;
};

class Fleet {
 public:
  // `base_watts`: mean of a base GPU in its work. Throws InputError where no price of the GPU is known.
  Fleet(const SiliconScenario& scenario, const Library& library, double base_watts);

  // USD per GPU and working hour of the base, at the medians.
  [[nodiscard]] double base_hourly() const;
  // The base's fleet, with the hours that earn nothing.
  [[nodiscard]] double base_usd_per_year() const;
  // Fills price, TCO, its parts and its swings.
  void price(const FleetChange& change, SiliconOutcome& out) const;

  using Chooser = std::function<std::optional<std::size_t>(const std::vector<double>& tco)>;
  // Assumptions, alone at their P10 or P90, with which `choose` names another change than at the medians.
  [[nodiscard]] std::vector<SiliconFlip> flips(const std::vector<FleetChange>& changes,
                                               const Chooser& choose) const;

 private:
  // Inputs of one change: those of money, the price per cost, then its own.
  struct Inputs {
    std::vector<Uncertain> values;
    std::vector<std::string> names;
  };
  [[nodiscard]] Inputs inputs_of(const FleetChange& change) const;
  // Hours of the fleet for the base's work, with all gains off by `error` half widths.
  [[nodiscard]] static double hours(const FleetChange& change, double error);
  [[nodiscard]] double tco(const FleetChange& change, std::span<const double> values) const;
  [[nodiscard]] double price_more(std::span<const double> values) const;
  [[nodiscard]] double hourly(const CostWay& way, std::span<const double> values, double price,
                              double watts) const;

  const SiliconScenario& s_;
  CostWay base_;
  double base_watts_;
  const Catalogue& catalogue_;
};

}  // namespace gpuplan::sim

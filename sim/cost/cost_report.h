// The cost of what a scenario does: every way to have its machine side by side, per hour, per million tokens
// or per run, what dominates each, and where owning pays.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/price_table.h"
#include "sim/cost/api_prices.h"
#include "sim/cost/break_even.h"
#include "sim/report/result.h"

namespace gpuplan::sim {

struct ServingScenario;
struct TrainingScenario;

// What the machine does in an hour, from a run's metrics.
struct CostWork {
  double units_per_s = 0.0;   // tokens (serving: prompt and output), or samples of images
  double output_per_s = 0.0;  // serving: output tokens
  std::string unit = "tokens";
  std::optional<double> run_hours;           // a whole training run, failures included
  Uncertain performance = exactly(1.0, {});  // relative
  double busy_watts = 0.0;                   // per GPU with its share of the node

  // Prompt tokens with each output token.
  [[nodiscard]] double prompt_per_output() const {
    return output_per_s > 0.0 ? (units_per_s - output_per_s) / output_per_s : 0.0;
  }
};

// A scenario that has run, as costs see it.
struct CostSubject {
  std::string name, model, node;
  CostSpec spec;
  CostMachine machine;
  int gpus = 1;
  CostWork work;
  std::uint64_t seed = 1;
};
CostSubject cost_subject(const ServingScenario& scenario, const Result& result);
CostSubject cost_subject(const TrainingScenario& scenario, const Result& result);

// One way to have the machine. Spreads of the fleet's cost are 80 %.
struct WayCost {
  CostWay way;
  CostParts parts;            // USD per GPU and working hour, at the medians
  Spread usd_per_gpu_hour;    // working
  double usd_per_hour = 0.0;  // of all GPUs, at the medians
  std::optional<Spread> per_million, per_million_output, per_run;  // USD; p50: at the medians
  double usd_per_year = 0.0;                                       // of all GPUs, with the utilisation
  std::vector<Swing> swings;  // of the cost of work, widest first; relative to the median
};

// An API beside the machine as it is had; tokens are output tokens, each with its prompt.
struct ApiBreakEven {
  ApiPrice price;
  double api_per_million_output = 0.0;
  struct Way {
    Acquisition way = Acquisition::on_demand;
    double tokens_per_day = 0.0;  // above which the machine is cheaper
    bool pays = false;            // the machine makes that many
  };
  std::vector<Way> ways;
};

struct CostReport {
  CostSubject subject;
  std::vector<WayCost> ways;         // those with a price, in the order of Acquisition
  std::vector<std::string> missing;  // why others have none
  std::vector<RentOrBuy> rent_or_buy;
  std::vector<ApiBreakEven> apis;
  std::optional<PriceTrend> trend;  // of the on-demand price
  double capex = 0.0;               // USD, of all GPUs; 0: not known
  Spread capex_spread;
  double life_usd = 0.0;             // owned: over its years, what it brings at the end taken off
  double energy_kwh_per_year = 0.0;  // at the meter, with the utilisation
  std::vector<std::string> notes;

  [[nodiscard]] const WayCost* way(Acquisition which) const;
  // The cheapest per unit of work.
  [[nodiscard]] const WayCost* cheapest() const;
};

// `apis`: prices to set beside; output tokens are needed for them.
CostReport report_cost(const CostSubject& subject, const Catalogue& catalogue,
                       const std::vector<ApiPrice>& apis = {});

// Machines against each other: the rent of `other` per GPU and hour at which a token of it costs as much as
// one of `base` at `base_rent`.
double equal_rent(const CostSubject& base, double base_rent, const CostSubject& other);

json::Value cost_json(const CostReport& report);

}  // namespace gpuplan::sim

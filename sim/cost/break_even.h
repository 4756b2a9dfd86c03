// Where owning begins to pay, against rent, against an API, against another machine.
//
//   rent or buy   a rented machine is paid for the share u of the hours in which it works (on demand, spot)
//   or for
//                 all of them (reserved), an owned one for all. Owning is cheaper above
//                   u* = (F + E0) / (p - (E1 - E0))
//                 with F what an owned GPU costs in every hour (capital, hosting, staff, maintenance), E1 and
//                 E0 its electricity working and idle, p the rent. The outlay is back after
//                   outlay / (u p - F without capital - u E1 - (1 - u) E0) hours,
//                 interest and what the used machine brings left out.
//   API           a machine kept all day costs D; the API's price of an output token with its share of prompt
//                 tokens is a. The machine is cheaper above D / a output tokens a day, if it makes that many.
#pragma once

#include <optional>
#include <string>

#include "sim/cost/cost_model.h"

namespace gpuplan::sim {

// USD per GPU and hour of an owned machine, by hours rather than by working hours.
struct OwnedHours {
  double fixed = 0.0;                // capital, hosting, staff, maintenance
  double capital = 0.0;              // in `fixed`
  double working = 0.0, idle = 0.0;  // electricity
};
OwnedHours owned_hours(const CostWay& owned, std::span<const double> values);

// Share of hours above which owning is cheaper than paying `rent` for hours worked; above 1: never. Infinite
// where the rent does not even pay the electricity.
double break_even_utilisation(const OwnedHours& hours, double rent);

struct RentOrBuy {
  Acquisition rent = Acquisition::on_demand;
  double usd_per_gpu_hour = 0.0;  // of the rent, lost spot work included; by hours paid
  double utilisation = 0.0;       // at which `months` are counted
  // On demand and spot: the share of hours above which owning is cheaper.
  std::optional<double> break_even = std::nullopt;
  std::optional<Spread> break_even_spread = std::nullopt;
  bool owning_is_cheaper = false;               // at `utilisation`
  std::optional<double> months = std::nullopt;  // until the outlay is back; none: never
  std::optional<double> months_falling =
      std::nullopt;  // the same with rents that fall as the price table shows
};
// `fall`: share by which rents fall in a year.
RentOrBuy rent_or_buy(const CostWay& owned, const CostWay& rented, std::optional<double> fall,
                      std::uint64_t seed = 1);

// Months until `outlay` USD are back by not paying `rent` an hour, which falls by the share `fall` a year,
// and paying `running` instead; nothing where that is never (in fifty years).
std::optional<double> payback_months(double outlay, double rent, double running, double fall);

}  // namespace gpuplan::sim

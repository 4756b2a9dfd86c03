#include "sim/cost/break_even.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gpuplan::sim {

namespace {

constexpr double kHoursOfMonth = kHoursOfYear / 12.0;
constexpr double kMonthsMax = 600.0;
constexpr int kSamples = 1000;

std::size_t index(CostInput input) { return static_cast<std::size_t>(input); }

bool paid_by_hours_worked(Acquisition way) {
  return way == Acquisition::on_demand || way == Acquisition::spot;
}

// Rent by hours paid: what a reserved machine costs in a working hour times the share of them.
double rent_of(const CostWay& rented, std::span<const double> values) {
  const double total = parts_of(rented, values).total();
  return paid_by_hours_worked(rented.way) ? total : total * values[index(CostInput::utilisation)];
}

}  // namespace

OwnedHours owned_hours(const CostWay& owned, std::span<const double> values) {
  std::vector<double> all(values.begin(), values.end());
  all[index(CostInput::utilisation)] = 1.0;
  const CostParts parts = parts_of(owned, all);
  OwnedHours out{.fixed = parts.capital + parts.hosting + parts.staff + parts.maintenance,
                 .capital = parts.capital,
                 .working = parts.energy};
  all[index(CostInput::mean_watts)] = owned.machine.watts(0.0);
  out.idle = parts_of(owned, all).energy;
  return out;
}

double break_even_utilisation(const OwnedHours& hours, double rent) {
  const double earned = rent - (hours.working - hours.idle);
  return earned > 0.0 ? (hours.fixed + hours.idle) / earned : std::numeric_limits<double>::infinity();
}

std::optional<double> payback_months(double outlay, double rent, double running, double fall) {
  const double rate = -std::log1p(-std::clamp(fall, 0.0, 0.99)) / 12.0;  // a month
  const auto back = [&](double months) {
    const double paid = rate > 1e-12 ? rent * (1.0 - std::exp(-rate * months)) / rate : rent * months;
    return (paid - running * months) * kHoursOfMonth - outlay;
  };
  // Rents that fall below what the machine costs to run give nothing more: the sum is largest there.
  double high = kMonthsMax;
  if (rate > 1e-12 && running > 0.0) {
    high = std::min(high, rent > running ? std::log(rent / running) / rate : 0.0);
  }
  if (back(high) < 0.0) {
    return std::nullopt;
  }
  double low = 0.0;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (back(middle) < 0.0 ? low : high) = middle;
  }
  return high;
}

RentOrBuy rent_or_buy(const CostWay& owned, const CostWay& rented, std::optional<double> fall,
                      std::uint64_t seed) {
  const std::vector<double> own = medians(owned.inputs), lease = medians(rented.inputs);
  const OwnedHours hours = owned_hours(owned, own);
  RentOrBuy out{.rent = rented.way, .usd_per_gpu_hour = rent_of(rented, lease)};
  const double use = out.utilisation = owned[CostInput::utilisation].mid;
  const bool by_use = paid_by_hours_worked(rented.way);
  if (by_use) {
    out.break_even = break_even_utilisation(hours, out.usd_per_gpu_hour);
    std::vector<double> rents, shares;
    draw(rented.inputs, seed + 1, kSamples,
         [&](std::span<const double> values) { rents.push_back(rent_of(rented, values)); });
    draw(owned.inputs, seed, kSamples, [&](std::span<const double> values) {
      shares.push_back(break_even_utilisation(owned_hours(owned, values), rents[shares.size()]));
    });
    out.break_even_spread = spread_of(shares);
  }
  const double rent = out.usd_per_gpu_hour * (by_use ? use : 1.0);
  const double running = hours.fixed - hours.capital + use * hours.working + (1.0 - use) * hours.idle;
  out.owning_is_cheaper = hours.capital + running < rent;
  out.months = payback_months(capex_of(owned, own), rent, running, 0.0);
  if (fall && *fall > 0.0) {
    out.months_falling = payback_months(capex_of(owned, own), rent, running, *fall);
  }
  return out;
}

}  // namespace gpuplan::sim

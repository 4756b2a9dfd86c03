#include "sim/silicon/fleet.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gpuplan::sim {

namespace {

constexpr std::size_t kMarkup = kCostInputs, kUnitCost = kCostInputs + 1, kGainError = kCostInputs + 2;

std::size_t at(CostInput input) { return static_cast<std::size_t>(input); }

Uncertain range(double low, double mid, double high, const std::string& source) {
  Uncertain out;
  out.low = low;
  out.mid = mid;
  out.high = high;
  out.source = {source, Standing::derived};
  out.least = std::min(0.0, low);
  return out;
}

bool runs_alike(const FleetChange& a, const FleetChange& b) {
  return std::equal(a.gains.begin(), a.gains.end(), b.gains.begin(), b.gains.end(),
                    [](const FleetGain& x, const FleetGain& y) {
                      return x.gain == y.gain && x.half_width == y.half_width;
                    });
}

}  // namespace

Fleet::Fleet(const SiliconScenario& scenario, const Library& library, double base_watts)
    : s_(scenario), base_watts_(base_watts), catalogue_(library.hardware) {
  CostSpec spec = s_.spec.cost;
  spec.acquisition = Acquisition::owned;
  const CostMachine machine = cost_machine(s_.gpu, s_.node);
  base_ = resolve_way(spec, Acquisition::owned, machine, base_watts_ + machine.host, catalogue_);
  if (!base_.known()) {
    throw InputError(Problem{"$.cost", base_.missing, "cost.usd_per_gpu", ""});
  }
}

double Fleet::base_hourly() const { return parts_of(base_).total(); }

double Fleet::base_usd_per_year() const {
  return base_hourly() * base_[CostInput::utilisation].mid * kHoursOfYear * s_.spec.fleet_gpus;
}

// A unit that costs more raises its price alone, not that of the server and network around it, which the cost
// model has in proportion.
double Fleet::hourly(const CostWay& way, std::span<const double> values, double price, double watts) const {
  std::vector<double> v(values.begin(), values.begin() + kCostInputs);
  const double around = v[at(CostInput::server_over_gpu)] *
                        (v[at(CostInput::network_over_server)] + v[at(CostInput::storage_over_server)]);
  v[at(CostInput::usd_per_gpu)] += price / around;
  v[at(CostInput::mean_watts)] += watts - base_watts_;
  return parts_of(way, v).total();
}

double Fleet::price_more(std::span<const double> values) const { return values[kMarkup] * values[kUnitCost]; }

double Fleet::hours(const FleetChange& change, double error) {
  double out = 0.0;
  for (const FleetGain& gain : change.gains) {
    out += gain.weight / (gain.gain * std::exp(error * gain.half_width));
  }
  return out;
}

double Fleet::tco(const FleetChange& change, std::span<const double> values) const {
  CostWay changed = base_;
  changed.machine = change.machine;
  return hourly(changed, values, price_more(values), change.watts) / hourly(base_, values, 0.0, base_watts_) *
         hours(change, values[kGainError]);
}

Fleet::Inputs Fleet::inputs_of(const FleetChange& change) const {
  Inputs out;
  for (std::size_t i = 0; i < kCostInputs; ++i) {
    out.values.push_back(base_.inputs[i]);
    out.names.emplace_back("cost." + std::string(enum_names(CostInput{})[i]));
  }
  const std::vector<double>& markup = s_.spec.price_per_unit_cost;
  out.values.push_back(range(markup[0], markup[1], markup[2], "price_per_unit_cost"));
  out.names.emplace_back("price_per_unit_cost");
  out.values.push_back(
      range(change.unit_cost.p10, change.unit_cost.p50, change.unit_cost.p90, "silicon models"));
  out.names.emplace_back("unit cost more");
  // One error for all gains, in units of their 80 % half widths.
  Uncertain error = range(-1.0, 0.0, 1.0, "validation errors");
  error.least = -std::numeric_limits<double>::infinity();
  out.values.push_back(error);
  out.names.emplace_back("performance");
  return out;
}

void Fleet::price(const FleetChange& change, SiliconOutcome& out) const {
  const Inputs inputs = inputs_of(change);
  const std::vector<double> middle = medians(inputs.values);
  std::vector<double> tcos, prices, performances;
  draw(inputs.values, static_cast<std::uint64_t>(s_.spec.seed), s_.spec.model.samples,
       [&](std::span<const double> values) {
         tcos.push_back(tco(change, values));
         prices.push_back(price_more(values));
         performances.push_back(1.0 / hours(change, values[kGainError]));
       });
  out.tco = spread_of(tcos);
  out.tco.p50 = tco(change, middle);
  out.price_usd = spread_of(prices);
  out.price_usd.p50 = price_more(middle);
  out.performance80 = spread_of(performances);
  const double base = hourly(base_, middle, 0.0, base_watts_);
  out.tco_price = hourly(base_, middle, price_more(middle), base_watts_) / base;
  CostWay powered = base_;
  powered.machine = change.machine;
  out.tco_power = hourly(powered, middle, 0.0, change.watts) / base;
  for (const Swing& swing :
       tornado(inputs.values, [&](std::span<const double> v) { return tco(change, v); })) {
    const Uncertain& input = inputs.values[swing.input];
    const auto shown = [&](double value) {
      return swing.input == kGainError ? 1.0 / hours(change, value) : value;
    };
    out.swings.push_back(
        {inputs.names[swing.input], shown(input.low), shown(input.high), swing.at_low, swing.at_high});
  }
}

std::vector<SiliconFlip> Fleet::flips(const std::vector<FleetChange>& changes, const Chooser& choose) const {
  std::vector<Inputs> inputs;
  std::vector<std::vector<double>> middle;
  std::vector<double> now;
  for (const FleetChange& change : changes) {
    inputs.push_back(inputs_of(change));
    middle.push_back(medians(inputs.back().values));
    now.push_back(tco(change, middle.back()));
  }
  const std::optional<std::size_t> winner = choose(now);
  std::vector<SiliconFlip> out;
  const auto attempt = [&](const std::string& name, bool high, double value,
                           const std::vector<double>& then) {
    const std::optional<std::size_t> other = choose(then);
    if (other != winner) {
      out.push_back({name, high, value, other.value_or(changes.size())});
    }
  };
  for (const bool high : {false, true}) {
    // What all share.
    for (std::size_t k = 0; !changes.empty() && k <= kMarkup; ++k) {
      const Uncertain& input = inputs.front().values[k];
      const double value = high ? input.high : input.low;
      std::vector<double> then;
      for (std::size_t i = 0; i < changes.size(); ++i) {
        std::vector<double> values = middle[i];
        values[k] = value;
        then.push_back(tco(changes[i], values));
      }
      attempt(inputs.front().names[k], high, value, then);
    }
    // Twice or half as many hours for one workload.
    for (std::size_t w = 0; w < s_.workloads.size() && s_.workloads.size() > 1; ++w) {
      const double factor = high ? 2.0 : 0.5;
      const double sum = 1.0 + s_.workloads[w].weight * (factor - 1.0);
      std::vector<double> then;
      for (std::size_t i = 0; i < changes.size(); ++i) {
        FleetChange other = changes[i];
        for (std::size_t j = 0; j < other.gains.size(); ++j) {
          other.gains[j].weight *= (j == w ? factor : 1.0) / sum;
        }
        then.push_back(tco(other, middle[i]));
      }
      attempt("weight of " + s_.workloads[w].name, high, s_.workloads[w].weight * factor / sum, then);
    }
    // What each has of its own. Changes with which all work runs alike err alike.
    for (std::size_t i = 0; i < changes.size(); ++i) {
      for (const std::size_t k : {kUnitCost, kGainError}) {
        const double value = high ? inputs[i].values[k].high : inputs[i].values[k].low;
        std::vector<double> then = now;
        bool first = true;
        for (std::size_t j = 0; j < changes.size(); ++j) {
          if (j == i || (k == kGainError && runs_alike(changes[i], changes[j]))) {
            first = first && j >= i;
            std::vector<double> values = middle[j];
            values[k] = value;
            then[j] = tco(changes[j], values);
          }
        }
        if (first) {
          const double shown = k == kGainError ? 1.0 / hours(changes[i], value) : value;
          attempt(inputs[i].names[k] + " of " + changes[i].name, high, shown, then);
        }
      }
    }
  }
  return out;
}

}  // namespace gpuplan::sim

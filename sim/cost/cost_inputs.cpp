#include "sim/cost/cost_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/catalogue/price_table.h"

namespace gpuplan::sim {

namespace {

constexpr int kReservedDays = 180;  // older reserved prices are told from the on-demand price of now

// Fills the inputs of one way.
class Inputs {
 public:
  Inputs(const CostSpec& spec, CostWay& way, const Catalogue& catalogue)
      : spec_(spec), way_(way), catalogue_(catalogue) {}

  void fill(double busy_watts, const Uncertain& performance) {
    way_.pays_electricity = way_.way == Acquisition::owned || rent_without_electricity();
    put(CostInput::performance, performance);
    if (way_.pays_electricity) {
      power(busy_watts);
    }
    use();
    if (way_.way == Acquisition::owned) {
      purchase();
      owned();
    } else {
      rent();
    }
    ranges();
  }

 private:
  [[nodiscard]] Uncertain& at(CostInput input) { return way_.inputs[static_cast<std::size_t>(input)]; }
  void put(CostInput input, Uncertain value) { at(input) = std::move(value); }

  // A scenario that rents and has a price of electricity pays both; one that owns means its own machine.
  [[nodiscard]] bool rent_without_electricity() const {
    return spec_.usd_per_kwh && spec_.chosen() != Acquisition::owned;
  }

  // `owned: true` counts the machine and its electricity alone.
  [[nodiscard]] std::optional<double> alone(double value) const {
    return spec_.owned && !spec_.acquisition ? std::optional(value) : std::nullopt;
  }

  void set(CostInput input, const std::optional<double>& given, const char* fact,
           const std::optional<double>& without = {}) {
    if (given || without) {
      put(input, exactly(given ? *given : *without, {"scenario: cost", Standing::assumed}));
    } else {
      put(input, uncertain(*catalogue_.tco(fact)));
    }
  }

  // What is paid for hours worked costs the same an hour however many they are.
  void use() {
    set(CostInput::utilisation, spec_.utilisation, "utilisation.any", alone(1.0));
    Uncertain& share = at(CostInput::utilisation);
    share.least = 0.01;
    share.most = 1.0;
    if (way_.way == Acquisition::on_demand || way_.way == Acquisition::spot) {
      share.low = share.high = share.mid;
    }
  }

  void power(double busy_watts) {
    if (spec_.mean_load) {
      put(CostInput::mean_watts,
          exactly(*spec_.mean_load * way_.machine.maximum(),
                  {"scenario: cost.mean_load of the server's maximum", Standing::assumed}));
    } else {
      Uncertain relative = uncertain(*catalogue_.tco("simulated_power.any"));
      put(CostInput::mean_watts,
          {relative.low * busy_watts,
           busy_watts,
           relative.high * busy_watts,
           {"simulated: TDP by what is busy, and the node's share", Standing::assumed}});
    }
    set(CostInput::usd_per_kwh, spec_.usd_per_kwh, "electricity_usd_per_kwh.2025");
    // A landlord's price of electricity holds his cooling, where nobody says otherwise.
    set(CostInput::pue, spec_.pue, "pue.other",
        way_.way == Acquisition::owned ? std::nullopt : std::optional(1.0));
  }

  [[nodiscard]] PriceQuery query(PriceKind kind) const {
    return {.gpu = way_.machine.gpu, .kind = kind, .as_of = spec_.date, .vendor = spec_.vendor};
  }

  void take(const GoingPrice& price, CostInput input, std::string_view what) {
    put(input, price.usd);
    way_.source = fmt::format("catalogue: {}, {} {}, {}", what, price.point->vendor, price.point->date,
                              price.point->source);
  }

  void rent() {
    if (way_.way == Acquisition::spot) {
      set(CostInput::spot_discount, spec_.spot_discount, "spot_discount.any");
      at(CostInput::spot_discount).most = 0.99;
      set(CostInput::interruptions_per_day, spec_.interruptions_per_day, "interruptions_per_server_day.any");
      set(CostInput::hours_lost, spec_.hours_lost, "hours_lost_per_interruption.any");
    }
    const bool whole = spec_.chosen() == way_.way ||
                       (spec_.chosen() == Acquisition::owned && way_.way == Acquisition::on_demand);
    if (spec_.usd_per_gpu_hour && whole) {
      give_rent();
      if (way_.way == Acquisition::spot) {
        put(CostInput::spot_discount,
            exactly(0.0, {"scenario: cost", Standing::assumed}));  // it is in the rent
      }
    } else {
      find_rent();
    }
    if (rent_without_electricity()) {
      way_.source += fmt::format(", and electricity at USD {:.4g} a kWh", *spec_.usd_per_kwh);
    }
  }

  void give_rent() {
    put(CostInput::usd_per_gpu_hour, exactly(*spec_.usd_per_gpu_hour, {"scenario: cost", Standing::assumed}));
    way_.source = "scenario: cost";
  }

  // A scenario's rent is the on-demand price where it is not that of another way.
  [[nodiscard]] bool gives_on_demand() const {
    return spec_.usd_per_gpu_hour &&
           (spec_.chosen() == Acquisition::on_demand || spec_.chosen() == Acquisition::owned);
  }

  // A recent price of this kind; else, reserved, the nearest kind that has one times what sellers of both
  // ask.
  void find_rent() {
    const auto on_demand = going_price(catalogue_, query(PriceKind::on_demand));
    const auto recent = [&](PriceKind kind) {
      auto price = gives_on_demand() ? std::nullopt : going_price(catalogue_, query(kind));
      const bool old =
          price && on_demand && days_between(price->point->date, on_demand->point->date) > kReservedDays;
      return old ? std::nullopt : price;
    };
    const bool year = way_.way == Acquisition::reserved_1y, three = way_.way == Acquisition::reserved_3y;
    const auto by_year = year || three ? recent(PriceKind::reserved_1y) : std::nullopt;
    const auto by_three = three ? recent(PriceKind::reserved_3y) : std::nullopt;
    if (by_three) {
      take(*by_three, CostInput::usd_per_gpu_hour, "reserved for three years");
    } else if (by_year) {
      take(*by_year, CostInput::usd_per_gpu_hour, "reserved for a year");
      if (three) {
        times(PriceKind::reserved_3y, PriceKind::reserved_1y, "for three years");
      }
    } else if (gives_on_demand() || on_demand) {
      gives_on_demand() ? give_rent() : take(*on_demand, CostInput::usd_per_gpu_hour, "on demand");
      if (year || three) {
        times(year ? PriceKind::reserved_1y : PriceKind::reserved_3y, PriceKind::on_demand,
              year ? "reserved for a year" : "reserved for three years");
      }
    } else {
      way_.missing = fmt::format("unknown: the catalogue has no {} price of {}{}{}",
                                 year || three ? "rental" : "on-demand", way_.machine.gpu,
                                 spec_.vendor.empty() ? "" : " by " + spec_.vendor,
                                 spec_.date.empty() ? "" : " on " + spec_.date);
    }
  }

  void times(PriceKind kind, PriceKind over, std::string_view what) {
    const auto ratio = price_ratio(catalogue_, kind, over, spec_.date);
    if (!ratio) {
      way_.missing = fmt::format("unknown: no seller of the catalogue has prices {} and {} on one day",
                                 json::name_of(kind), json::name_of(over));
      return;
    }
    Uncertain& rent = at(CostInput::usd_per_gpu_hour);
    multiply(rent, *ratio);
    way_.source += fmt::format(", x {:.2f} {}: {}", ratio->mid, what, ratio->source.text);
    rent.source = {way_.source, Standing::derived};
  }

  // The product of independent factors, near enough: the logarithms' half widths add as squares.
  static void multiply(Uncertain& value, const Uncertain& factor) {
    if (value.low <= 0.0) {
      value.low *= factor.low;
      value.mid *= factor.mid;
      value.high *= factor.high;
      return;
    }
    const auto down = std::hypot(std::log(value.mid / value.low), std::log(factor.mid / factor.low));
    const auto up = std::hypot(std::log(value.high / value.mid), std::log(factor.high / factor.mid));
    value.mid *= factor.mid;
    value.low = value.mid * std::exp(-down);
    value.high = value.mid * std::exp(up);
  }

  void purchase() {
    const Standing given = Standing::assumed;
    set(CostInput::server_over_gpu, spec_.server_over_gpu, "server_cost_over_gpu.default");
    way_.source = "scenario: cost";
    if (spec_.usd_per_server) {
      put(CostInput::usd_per_gpu, exactly(*spec_.usd_per_server / way_.machine.gpus_per_server,
                                          {"scenario: cost.usd_per_server over its GPUs", given}));
      put(CostInput::server_over_gpu, exactly(1.0, {"in the price of the server", Standing::derived}));
    } else if (spec_.usd_per_gpu) {
      put(CostInput::usd_per_gpu, exactly(*spec_.usd_per_gpu, {"scenario: cost", given}));
    } else if (const auto going = sold()) {
      take(*going, CostInput::usd_per_gpu, "purchase");
      put(CostInput::server_over_gpu,
          exactly(1.0, {"counted at each price point that is not of a whole server", Standing::derived}));
    } else {
      way_.missing = "unknown: the catalogue has no purchase price of " + way_.machine.gpu;
    }
  }

  // Who rents out seldom sells: where the vendor asked for does not, all sellers are asked.
  [[nodiscard]] std::optional<GoingPrice> sold() const {
    PriceQuery asked = query(PriceKind::purchase);
    const double over_gpu = way_[CostInput::server_over_gpu].mid;
    const double over_board = catalogue_.tco("server_cost_over_gpu.board")->value;
    auto price = going_server_price(catalogue_, asked, over_gpu, over_board);
    if (!price && !asked.vendor.empty()) {
      asked.vendor.clear();
      price = going_server_price(catalogue_, asked, over_gpu, over_board);
    }
    return price;
  }

  void owned() {
    set(CostInput::network_over_server, spec_.network_over_server, "network_cost_over_server.any");
    set(CostInput::storage_over_server, spec_.storage_over_server, "storage_over_server.any", alone(0.0));
    set(CostInput::spares, spec_.spares, "spares_over_fleet.any", alone(0.0));
    set(CostInput::years, spec_.years, "lifetime_years.from_2023");
    set(CostInput::price_erosion, erosion(), "price_erosion_per_year.any", alone(1.0));
    at(CostInput::price_erosion).most = 1.0;
    set(CostInput::cost_of_capital, spec_.cost_of_capital, "cost_of_capital.any", alone(0.0));
    set(CostInput::maintenance, spec_.maintenance, "maintenance_over_server_per_year.any", alone(0.0));
    set(CostInput::staff_usd_per_gpu_year, staff(), "staff_usd_per_gpu_year.any", alone(0.0));
    set(CostInput::hosting_usd_per_kw_month, hosting(), "colocation_usd_per_kw_month.any", alone(0.0));
    if (way_.known()) {
      tell_owned();
    }
  }

  // What is left after the years, as a loss of each.
  [[nodiscard]] std::optional<double> erosion() const {
    return spec_.residual_value
               ? std::optional(1.0 - std::pow(*spec_.residual_value, 1.0 / way_[CostInput::years].mid))
               : spec_.price_erosion;
  }

  [[nodiscard]] std::optional<double> staff() const {
    return spec_.staff_usd_per_mw_year
               ? std::optional(*spec_.staff_usd_per_mw_year * way_.machine.maximum() * 1e-6)
               : spec_.staff_usd_per_gpu_year;
  }

  // A building's price, a month's share of it; or the hosting that is given.
  [[nodiscard]] std::optional<double> hosting() const {
    if (!spec_.building_usd_per_watt) {
      return spec_.hosting_usd_per_kw_month;
    }
    const double years = spec_.building_years.value_or(catalogue_.tco("building_years.any")->value);
    const double rate = spec_.cost_of_capital.value_or(0.0);
    const double share = rate < 1e-9 ? 1.0 / years : rate / (1.0 - std::pow(1.0 + rate, -years));
    return *spec_.building_usd_per_watt * 1000.0 * share / 12.0;
  }

  void tell_owned() {
    const auto mid = [&](CostInput input) { return at(input).mid; };
    const std::string where = way_.source;
    way_.source = fmt::format(
        "owned: USD {:.0f} a GPU x {:.2f} server x {:.2f} network over {:g} years, electricity USD {:.4g} a "
        "kWh x PUE {:.3g}",
        mid(CostInput::usd_per_gpu), mid(CostInput::server_over_gpu), mid(CostInput::network_over_server),
        mid(CostInput::years), mid(CostInput::usd_per_kwh), mid(CostInput::pue));
    if (!alone(0.0)) {
      way_.source += fmt::format(
          ", hosting USD {:.0f} a kW and month, staff USD {:.0f} a GPU and year, maintenance {:.0f} % a "
          "year, "
          "working {:.0f} % of the hours",
          mid(CostInput::hosting_usd_per_kw_month), mid(CostInput::staff_usd_per_gpu_year),
          100.0 * mid(CostInput::maintenance), 100.0 * mid(CostInput::utilisation));
    }
    way_.source += " (" + where + "; the rest of tco.json or the scenario)";
  }

  void ranges() {
    for (const CostRange& range : spec_.ranges) {
      if (range.input == CostInput::usd_per_gpu_hour && way_.way != spec_.chosen()) {
        continue;  // another way has another rent
      }
      Uncertain& input = at(range.input);
      input.low = std::min(range.low, input.mid);
      input.high = std::max(range.high, input.mid);
    }
  }

  const CostSpec& spec_;
  CostWay& way_;
  const Catalogue& catalogue_;
};

}  // namespace

CostWay resolve_way(const CostSpec& spec, Acquisition way, const CostMachine& machine, double busy_watts,
                    const Catalogue& catalogue, const Uncertain& performance) {
  CostWay out;
  out.way = way;
  out.machine = machine;
  Inputs(spec, out, catalogue).fill(busy_watts, performance);
  return out;
}

namespace {

void check_vendor(const CostSpec& spec, const Catalogue& catalogue, const std::string& path,
                  std::vector<Problem>& problems) {
  const std::string wanted = plain_name(spec.vendor);
  std::vector<std::string> sellers;
  for (const PricePoint& point : catalogue.prices()) {
    if (wanted.empty() || plain_name(point.vendor).find(wanted) != std::string::npos) {
      return;
    }
    if (std::find(sellers.begin(), sellers.end(), point.vendor) == sellers.end()) {
      sellers.push_back(point.vendor);
    }
  }
  if (!wanted.empty()) {
    problems.push_back({path + ".vendor", "\"" + spec.vendor.substr(0, 60) + "\"",
                        "a seller of the price table", did_you_mean(spec.vendor, sellers)});
  }
}

}  // namespace

void check_cost(const CostSpec& spec, const Catalogue& catalogue, const std::string& path,
                std::vector<Problem>& problems) {
  const auto clash = [&](const char* field, const std::string& found, const std::string& expected) {
    problems.push_back({path + "." + field, found, expected, ""});
  };
  if (!spec.date.empty() && !is_date(spec.date)) {
    clash("date", "\"" + spec.date.substr(0, 40) + "\"", "a day as 2025-03-17");
  }
  if (spec.owned && spec.acquisition && *spec.acquisition != Acquisition::owned) {
    clash("acquisition", std::string(json::name_of(*spec.acquisition)) + " beside owned: true",
          "one of the two");
  }
  if (spec.usd_per_server && spec.usd_per_gpu) {
    clash("usd_per_server", fmt::format("{:g} beside usd_per_gpu", *spec.usd_per_server), "one of the two");
  }
  if (spec.usd_per_server && spec.server_over_gpu) {
    clash("usd_per_server", fmt::format("{:g} beside server_over_gpu", *spec.usd_per_server),
          "one of the two: the price of a server holds it");
  }
  if (spec.building_usd_per_watt && spec.hosting_usd_per_kw_month) {
    clash("building_usd_per_watt",
          fmt::format("{:g} beside hosting_usd_per_kw_month", *spec.building_usd_per_watt), "one of the two");
  }
  if (spec.residual_value && spec.price_erosion) {
    clash("residual_value", fmt::format("{:g} beside price_erosion", *spec.residual_value), "one of the two");
  }
  if (spec.staff_usd_per_mw_year && spec.staff_usd_per_gpu_year) {
    clash("staff_usd_per_mw_year",
          fmt::format("{:g} beside staff_usd_per_gpu_year", *spec.staff_usd_per_mw_year), "one of the two");
  }
  check_vendor(spec, catalogue, path, problems);
  for (std::size_t i = 0; i < spec.ranges.size(); ++i) {
    const CostRange& range = spec.ranges[i];
    if (range.low > range.high) {
      clash(("ranges[" + std::to_string(i) + "].low").c_str(), fmt::format("{:g}", range.low),
            fmt::format("at most high = {:g}", range.high));
    }
  }
}

}  // namespace gpuplan::sim

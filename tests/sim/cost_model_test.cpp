// What a GPU-hour costs, by hand.
#include "sim/cost/cost_model.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "hwmodels/catalogue/price_table.h"
#include "hwmodels/json/problem.h"
#include "tests/sim/cost_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

CostMachine h100(int together = 1) {
  return cost_machine(*library().hardware.gpu("H100-SXM5-80GB"), *library().hardware.node("DGX-H100"),
                      together);
}
CostWay way_of(const std::string& text, Acquisition way, double watts = 1000.0, int together = 1) {
  return resolve_way(spec_of(text), way, h100(together), watts, library().hardware);
}
std::vector<Problem> problems_of(const std::string& text, const CostMachine& machine = h100()) {
  std::vector<Problem> problems;
  resolve_rates(spec_of(text), machine, library().hardware, "$.cost", problems);
  return problems;
}

}  // namespace

TEST_CASE("Epoch's example: an H100 of 50,000 USD, five years, a DGX at three quarters of its power") {
  const CostWay way = way_of(R"({"owned": true, "usd_per_server": 400000, "network_over_server": 1,
                                 "mean_load": 0.75})",
                             Acquisition::owned);
  const CostParts parts = parts_of(way);
  // 1,275 W x 0.75 x 1.25 x 0.0826 USD/kWh = 0.0987; 50,000 / (5 x 8,766 h) = 1.1408.
  CHECK(parts.energy == Approx(1.275 * 0.75 * 1.25 * 0.0826));
  CHECK(parts.energy == Approx(0.099).margin(0.0005));
  CHECK(parts.capital == Approx(50000.0 / (5.0 * 8766.0)));
  CHECK(parts.capital == Approx(1.14).margin(0.005));
  CHECK(parts.total() == Approx(parts.energy + parts.capital));  // nothing else is counted
  CHECK(parts.energy / parts.total() == Approx(0.08).margin(0.005));
}

TEST_CASE("An owned hour in all its parts") {
  const CostWay way = way_of(R"({"acquisition": "owned", "usd_per_gpu": 25000, "server_over_gpu": 1.6,
      "network_over_server": 1.2, "storage_over_server": 0.05, "spares": 0.1, "years": 4,
      "price_erosion": 0.5, "cost_of_capital": 0, "maintenance": 0.03, "staff_usd_per_gpu_year": 876.6,
      "hosting_usd_per_kw_month": 200, "pue": 1.2, "usd_per_kwh": 0.1, "utilisation": 0.5})",
                             Acquisition::owned, 1000.0);
  const CostParts parts = parts_of(way);
  // Server 40,000; outlay 40,000 x 1.25 x 1.1 = 55,000; back 40,000 x 1.1 x 0.5^4 = 2,750.
  CHECK(capex_of(way, medians(way.inputs)) == Approx(55000.0));
  CHECK(parts.capital == Approx((55000.0 - 2750.0) / 4.0 / 8766.0 / 0.5));
  CHECK(parts.maintenance == Approx(0.03 * 40000.0 / 8766.0 / 0.5));
  CHECK(parts.staff == Approx(0.1 / 0.5));
  CHECK(parts.hosting == Approx(1.275 * 200.0 * 12.0 / 8766.0 / 0.5));  // by the maximum, 10.2 kW / 8
  // An hour of work at 1 kW, and one idle: 0.15 x 700 W and the 575 W of the rest of the node.
  CHECK(parts.energy == Approx((1.0 + 0.680) * 1.2 * 0.1));
  CHECK(parts.rent == 0.0);
}

TEST_CASE("Interest: what is paid back every year is worth the outlay, less what the used server brings") {
  const std::string rest = R"("acquisition": "owned", "usd_per_server": 400000, "network_over_server": 1,
      "storage_over_server": 0, "spares": 0, "years": 5, "price_erosion": 0.2, "utilisation": 1, )";
  const double rate = 0.08;
  const CostWay way = way_of("{" + rest + R"("cost_of_capital": 0.08})", Acquisition::owned);
  const double yearly = parts_of(way).capital * 8766.0;
  double worth = 50000.0 * std::pow(0.8, 5) / std::pow(1.0 + rate, 5);
  for (int year = 1; year <= 5; ++year) {
    worth += yearly / std::pow(1.0 + rate, year);
  }
  CHECK(worth == Approx(50000.0));
  // No interest is the limit of a little.
  const double none = parts_of(way_of("{" + rest + R"("cost_of_capital": 0})", Acquisition::owned)).capital;
  const double little =
      parts_of(way_of("{" + rest + R"("cost_of_capital": 0.000001})", Acquisition::owned)).capital;
  CHECK(none == Approx((50000.0 - 50000.0 * std::pow(0.8, 5)) / 5.0 / 8766.0));
  CHECK(little == Approx(none).epsilon(1e-4));
  CHECK(parts_of(way).capital > none);
}

TEST_CASE("An own building is a hosting price of its own") {
  // 12 USD a watt over 20 years: 12,000 / 240 = 50 USD a kW and month.
  const CostWay way = way_of(R"({"acquisition": "owned", "building_usd_per_watt": 12, "utilisation": 1})",
                             Acquisition::owned);
  CHECK(way[CostInput::hosting_usd_per_kw_month].mid == Approx(50.0));
  CHECK(parts_of(way).hosting == Approx(1.275 * 50.0 * 12.0 / 8766.0));
  // At 5 % over 10 years an annuity of 0.129505: 12,000 x 0.129505 / 12 = 129.5.
  CHECK(way_of(R"({"acquisition": "owned", "building_usd_per_watt": 12, "building_years": 10,
                   "cost_of_capital": 0.05})",
               Acquisition::owned)[CostInput::hosting_usd_per_kw_month]
            .mid == Approx(129.505).epsilon(1e-4));
}

TEST_CASE("A residual value, staff by the megawatt") {
  // 30 % left after three years is a loss of 1 - 0.3^(1/3) a year; 1 million USD a MW: 1,275 USD a GPU.
  const CostWay way = way_of(R"({"acquisition": "owned", "usd_per_server": 320000, "years": 3, "spares": 0,
      "network_over_server": 1, "storage_over_server": 0, "residual_value": 0.3, "cost_of_capital": 0,
      "staff_usd_per_mw_year": 1e6, "utilisation": 1})",
                             Acquisition::owned);
  CHECK(parts_of(way).capital == Approx(0.7 * 40000.0 / 3.0 / 8766.0));
  CHECK(parts_of(way).staff == Approx(1275.0 / 8766.0));
  CHECK(problems_of(R"({"residual_value": 0.3, "price_erosion": 0.3})").size() == 1);
  CHECK(problems_of(R"({"staff_usd_per_mw_year": 1, "staff_usd_per_gpu_year": 1})").size() == 1);
}

TEST_CASE("Rented: hours used, all hours, or spare hours and lost work") {
  const std::string rent = R"({"usd_per_gpu_hour": 3, "utilisation": 0.6})";
  CHECK(parts_of(way_of(rent, Acquisition::on_demand)).total() == 3.0);
  // Spot: 55 % off, 0.3 interruptions a day and server, each of half an hour, of 8 servers that stop
  // together.
  CHECK(parts_of(way_of(rent, Acquisition::spot, 1000.0, 8)).total() ==
        Approx(3.0 * 0.45 * (1.0 + 0.3 / 24.0 * 8.0 * 0.5)));
  // Reserved: all hours; the discount is that of sellers who have both prices.
  const auto ratio = price_ratio(library().hardware, PriceKind::reserved_1y, PriceKind::on_demand, "");
  CHECK(parts_of(way_of(rent, Acquisition::reserved_1y)).total() == Approx(3.0 * ratio->mid / 0.6));
  // Who owns and names his price of electricity does not pay it for a rented machine.
  CHECK(parts_of(way_of(R"({"acquisition": "owned", "usd_per_gpu_hour": 3, "usd_per_kwh": 0.2})",
                        Acquisition::on_demand))
            .total() == 3.0);
  CHECK(parts_of(way_of(R"({"usd_per_gpu_hour": 3, "usd_per_kwh": 0.2})", Acquisition::on_demand)).total() ==
        Approx(3.2));  // 1 kW
  // A rent of nothing stays nothing.
  const CostWay gift = way_of(R"({"usd_per_gpu_hour": 0})", Acquisition::reserved_3y);
  CHECK(parts_of(gift).total() == 0.0);
  CHECK(cost_spreads(gift).hourly.p90 == 0.0);
  // A rent that a scenario gives is that of its own acquisition, discounts included.
  CHECK(parts_of(way_of(R"({"acquisition": "spot", "usd_per_gpu_hour": 1.2, "interruptions_per_day": 0})",
                        Acquisition::spot))
            .total() == Approx(1.2));
  // The table: 2.35 a year (March 2026), for all hours; on demand 3.00 (May 2026).
  CHECK(parts_of(way_of(R"({"utilisation": 1})", Acquisition::reserved_1y)).total() == Approx(2.35));
  CHECK(parts_of(way_of("{}", Acquisition::on_demand)).total() == Approx(3.0));
  // As known at the end of 2024: 3.29; of one seller: 3.49 in summer 2024.
  CHECK(parts_of(way_of(R"({"date": "2024-12-31"})", Acquisition::on_demand)).total() == Approx(3.29));
  CHECK(parts_of(way_of(R"({"date": "2024-08-01", "vendor": "Lambda"})", Acquisition::on_demand)).total() ==
        Approx(3.49));
}

TEST_CASE("Nobody sells it: no price, and the reason") {
  const CostMachine b300 =
      cost_machine(*library().hardware.gpu("B300-SXM"), *library().hardware.node("DGX-B300"));
  const CostWay way = resolve_way({}, Acquisition::on_demand, b300, 1000.0, library().hardware);
  CHECK_FALSE(way.known());
  CHECK(way.missing.find("B300") != std::string::npos);
  std::vector<Problem> problems;
  const GpuRates rates = resolve_rates({}, b300, library().hardware, "$.cost", problems);
  CHECK(problems.empty());
  CHECK_FALSE(rates.usd_per_hour);
}

TEST_CASE("What a scenario's cost cannot say") {
  CHECK(problems_of("{}").empty());
  CHECK(problems_of(R"({"date": "2025-02-30"})").front().path == "$.cost.date");
  CHECK(problems_of(R"({"vendor": "Lamda Labs"})").front().suggestion.find("Lambda Labs") !=
        std::string::npos);
  CHECK(problems_of(R"({"owned": true, "acquisition": "spot"})").front().path == "$.cost.acquisition");
  CHECK(problems_of(R"({"owned": true, "acquisition": "owned"})").empty());
  CHECK(problems_of(R"({"usd_per_server": 3e5, "usd_per_gpu": 3e4})").front().path ==
        "$.cost.usd_per_server");
  CHECK(problems_of(R"({"usd_per_server": 3e5, "server_over_gpu": 2})").front().path ==
        "$.cost.usd_per_server");
  CHECK(problems_of(R"({"building_usd_per_watt": 10, "hosting_usd_per_kw_month": 100})").size() == 1);
  CHECK(problems_of(R"({"ranges": [{"input": "pue", "low": 2, "high": 1}]})").front().path ==
        "$.cost.ranges[0].low");
  std::vector<Problem> problems;
  CostSpec spec;
  json::read(
      json::parse(R"({"ranges": [{"input": "puee", "low": 1, "high": 2}], "acquisition": "rent"})", "t"),
      "$.cost", spec, problems);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].expected.find("owned") != std::string::npos);
  CHECK(problems[1].suggestion.find("pue") != std::string::npos);
}

TEST_CASE("Spreads: none where all is known, that of the rent where it alone is not") {
  const CostSpreads known = cost_spreads(way_of(R"({"usd_per_gpu_hour": 3})", Acquisition::on_demand));
  CHECK(known.hourly.p10 == 3.0);
  CHECK(known.hourly.p90 == 3.0);
  const CostSpreads open = cost_spreads(
      way_of(R"({"usd_per_gpu_hour": 3, "ranges": [{"input": "usd_per_gpu_hour", "low": 2, "high": 6}]})",
             Acquisition::on_demand));
  CHECK(open.hourly.p10 == Approx(2.0).epsilon(0.05));
  CHECK(open.hourly.p90 == Approx(6.0).epsilon(0.07));
  // A performance known to a factor of 1.5 and a rent to one of 1.5: together exp(sqrt 2 x ln 1.5) = 1.774.
  const CostWay both = resolve_way(
      spec_of(R"({"usd_per_gpu_hour": 3, "ranges": [{"input": "usd_per_gpu_hour", "low": 2, "high": 4.5}]})"),
      Acquisition::on_demand, h100(), 1000.0, library().hardware, {1.0 / 1.5, 1.0, 1.5, {}});
  CHECK(cost_spreads(both).work.p90 == Approx(3.0 * 1.774).epsilon(0.06));
  CHECK(cost_spreads(both).work.p10 == Approx(3.0 / 1.774).epsilon(0.06));
}

TEST_CASE("Rates of searches are the same cost") {
  for (const char* text : {R"({"usd_per_gpu_hour": 2.5, "usd_per_kwh": 0.1})", R"({"owned": true})",
                           R"({"acquisition": "owned"})", R"({"acquisition": "reserved_3y"})"}) {
    INFO(text);
    std::vector<Problem> problems;
    const CostSpec spec = spec_of(text);
    const GpuRates rates = resolve_rates(spec, h100(), library().hardware, "$.cost", problems);
    const CostWay way = resolve_way(spec, spec.chosen(), h100(), rates.watts(0.7), library().hardware);
    CHECK(rates.hourly(0.7) == Approx(parts_of(way).total()));
  }
}

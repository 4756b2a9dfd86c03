// The dated price table: what was known on a day, what a purchase buys, discounts and trends.
#include "hwmodels/catalogue/price_table.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace gpuplan;

namespace {

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(data_root());
  return loaded;
}
GoingPrice going(const PriceQuery& query) {
  const auto price = going_price(catalogue(), query);
  REQUIRE(price);
  return *price;
}

}  // namespace

TEST_CASE("dates: days that exist, and the days between them") {
  CHECK(is_date("2024-02-29"));
  for (const char* no : {"2023-02-29", "2024-13-01", "2024-00-10", "2024-1-01", "24-01-01", "2024-01-0x", "",
                         "2024/01/01", "2024-01-011"}) {
    CHECK_FALSE(is_date(no));
  }
  CHECK(days_between("2023-12-31", "2024-03-01") == 61);  // 1 + 31 + 29
  CHECK(days_between("2024-03-01", "2023-12-31") == -61);
}

TEST_CASE("a going price is the median of the last 90 days known then") {
  // H100 at the end of 2024: Lambda 3.29 (29 November), AWS 4.916 (31 December); 1 September is 121 days
  // back.
  const GoingPrice then = going({.gpu = "H100", .kind = PriceKind::on_demand, .as_of = "2024-12-31"});
  CHECK(then.points == 2);
  CHECK(then.usd.mid == Approx(3.29));
  CHECK(then.usd.low == Approx(3.29));
  CHECK(then.usd.high == Approx(4.916));
  // May 2026: 2.245, 3.00 and 4.25.
  const GoingPrice now = going({.gpu = "H100"});
  CHECK(now.usd.mid == Approx(3.0));
  CHECK(now.usd.low == Approx(2.245));
  CHECK(now.usd.high == Approx(4.25));
  CHECK_FALSE(going_price(catalogue(), {.gpu = "H100", .as_of = "2022-01-01"}));
}

TEST_CASE("a name that only sellers use is its own, though the catalogue would know a GPU by it") {
  REQUIRE(catalogue().gpu("NVIDIA A100") != nullptr);
  // One point, of July 2020; the A100 of the catalogue has sales of other days.
  const auto points = price_points(catalogue(), {.gpu = "NVIDIA A100", .kind = PriceKind::purchase});
  REQUIRE(points.size() == 1);
  CHECK(points[0]->gpu == "NVIDIA A100");
  CHECK(price_points(catalogue(), {.gpu = "a100-sxm-80gb"}).front()->gpu == "A100-80GB-SXM4");
}

TEST_CASE("a seller's own price, widened where it stands alone") {
  // Lambda, 28 February 2025: 3.29 (29 November 2024 is 91 days back).
  const GoingPrice lambda = going({.gpu = "H100", .vendor = "lambda labs"});
  CHECK(lambda.points == 1);
  CHECK(lambda.point->date == "2025-02-28");
  CHECK(lambda.usd.mid == Approx(3.29));
  CHECK(lambda.usd.low == Approx(3.29 / 1.25));
  CHECK(lambda.usd.high == Approx(3.29 * 1.25));
  CHECK_FALSE(going_price(catalogue(), {.gpu = "H100", .vendor = "nobody"}));
}

TEST_CASE("a server's share: GPUs and boards are counted with what a server costs more") {
  // H100, spring 2025: systems at 28,750 and 46,875, a GPU at 31,250 x 1.64 = 51,250, a board at
  // 31,904.63 x 1.135 = 36,211.76: the lower of the middle two is the board.
  const PriceQuery query{.gpu = "H100", .kind = PriceKind::purchase};
  const auto price = going_server_price(catalogue(), query, 1.64, 1.135);
  REQUIRE(price);
  CHECK(price->points == 4);
  CHECK(price->usd.mid == Approx(36211.76).epsilon(1e-6));
  CHECK(price->usd.low == Approx(28750.0));
  CHECK(price->usd.high == Approx(51250.0));
  CHECK(price->point->covers == PriceCovers::board);
  CHECK(price->usd.source.standing == Standing::derived);
  // As they are: 28,750, 31,250, 31,904.63, 46,875.
  CHECK(going(query).usd.mid == Approx(31250.0));
}

TEST_CASE("discounts of one seller on one day") {
  // Until the end of 2018: AWS 1.99 / 3.06 and Azure 1.95 / 3.06 a year; 1.23 / 1.99 and 1.16 / 1.95 for
  // three.
  const auto year = price_ratio(catalogue(), PriceKind::reserved_1y, PriceKind::on_demand, "2018-12-31");
  REQUIRE(year);
  CHECK(year->mid == Approx(0.5 * (1.99 + 1.95) / 3.06));
  const auto three = price_ratio(catalogue(), PriceKind::reserved_3y, PriceKind::reserved_1y, "2018-12-31");
  REQUIRE(three);
  CHECK(three->mid == Approx(0.5 * (1.23 / 1.99 + 1.16 / 1.95)));
  CHECK(three->source.text.find("2 points") == 0);
  CHECK_FALSE(price_ratio(catalogue(), PriceKind::reserved_1y, PriceKind::on_demand, "2017-01-01"));
}

TEST_CASE("a trend is the slope of the logarithms over time") {
  const PriceQuery query{.gpu = "H100", .kind = PriceKind::on_demand, .vendor = "Lambda"};
  const auto trend = price_trend(catalogue(), query);
  REQUIRE(trend);
  // The same slope from all pairs: sum of dx dy over sum of dx dx.
  const std::vector<std::pair<const char*, double>> lambda = {{"2023-06-20", 1.99}, {"2024-01-29", 3.49},
                                                              {"2024-07-11", 3.49}, {"2024-09-01", 2.99},
                                                              {"2024-11-29", 3.29}, {"2025-02-28", 3.29}};
  REQUIRE(trend->points == static_cast<int>(lambda.size()));
  double up = 0.0, down = 0.0;
  for (const auto& [day, usd] : lambda) {
    for (const auto& [other, price] : lambda) {
      const double dx = days_between(day, other) / 365.25;
      up += dx * std::log(price / usd);
      down += dx * dx;
    }
  }
  CHECK(trend->per_year == Approx(std::exp(up / down) - 1.0));
  CHECK(trend->low < trend->per_year);
  CHECK(trend->high > trend->per_year);
  CHECK(trend->from == "2023-06-20");
  CHECK(trend->to == "2025-02-28");
  // One price all the time: no change, known exactly. V100 of AWS in 2019.
  const auto flat =
      price_trend(catalogue(), {.gpu = "V100-SXM2-32GB", .as_of = "2019-08-05", .vendor = "Amazon"});
  REQUIRE(flat);
  CHECK(flat->per_year == Approx(0.0).margin(1e-9));
  CHECK(flat->high - flat->low == Approx(0.0).margin(1e-6));
  CHECK_FALSE(price_trend(catalogue(), {.gpu = "B300-SXM-288GB"}));
}

TEST_CASE("every point of a purchase says what it buys, ranges hold their values") {
  for (const PricePoint& point : catalogue().prices()) {
    INFO(point.gpu << " " << point.date << " " << point.vendor);
    CHECK((point.purchase || point.covers == PriceCovers::gpu));
    CHECK(is_date(point.date));
    if (point.note.find("DGX of") == 0 || point.note.find("system of") == 0) {
      CHECK(point.covers == PriceCovers::server);
    }
  }
  for (const char* path : {"pue.other", "electricity_usd_per_kwh.2025", "server_cost_over_gpu.default",
                           "network_cost_over_server.any", "lifetime_years.from_2023", "utilisation.any",
                           "price_erosion_per_year.any", "spot_discount.any", "staff_usd_per_gpu_year.any"}) {
    const auto fact = catalogue().tco(path);
    INFO(path);
    REQUIRE(fact);
    REQUIRE((fact->low && fact->high));
    CHECK(*fact->low <= fact->value);
    CHECK(fact->value <= *fact->high);
  }
  // 25-35 % of the price left after 36 months: a year takes 1 - 0.30^(1/3).
  CHECK(catalogue().tco("price_erosion_per_year.any")->value == Approx(1.0 - std::cbrt(0.30)).epsilon(1e-3));
  // DGX H100: 269,010 USD, of which 32,010 are not GPUs and their board.
  CHECK(catalogue().tco("server_cost_over_gpu.board")->value ==
        Approx(269010.0 / (269010.0 - 32010.0)).epsilon(1e-3));
}

// Questions to the dated price table: what a GPU cost on a day, from whom, and how its price moves.
//
// A going price is the median of the points of the 90 days before the latest one known on that day (sellers
// differ tenfold on one day); its range is from the cheapest to the dearest of them. A trend is a straight
// line through the logarithms of all points over time (least squares); its range is 80 % of the slope's own
// error, which does not see that the sellers of one year are not those of the next.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/uncertainty/uncertain.h"

namespace gpuplan {

enum class PriceKind { on_demand, reserved_1y, reserved_3y, purchase };
std::span<const std::string_view> enum_names(PriceKind tag);

struct PriceQuery {
  std::string gpu = {};  // catalogue name, alias or a seller's name
  PriceKind kind = PriceKind::on_demand;
  std::string as_of = {};   // YYYY-MM-DD: points known then; empty: all
  std::string vendor = {};  // part of a seller's name, case and punctuation ignored; empty: all
};

// What a point asks: USD per GPU and hour, or USD per GPU to buy; nothing where it has no such price.
std::optional<double> price_of(const PricePoint& point, PriceKind kind);

// Points that answer the query, oldest first.
std::vector<const PricePoint*> price_points(const Catalogue& catalogue, const PriceQuery& query);

struct GoingPrice {
  Uncertain usd = {};  // per GPU and hour, or per GPU
  const PricePoint* point = nullptr;
  int points = 0;  // that the range rests on; a single one is widened by a quarter each way (assumed)
};
std::optional<GoingPrice> going_price(const Catalogue& catalogue, const PriceQuery& query);

// The going price of a GPU's share of a whole server: bought GPUs are counted with `server_over_gpu`, boards
// with `server_over_board`.
std::optional<GoingPrice> going_server_price(const Catalogue& catalogue, const PriceQuery& query,
                                             double server_over_gpu, double server_over_board);

// The price of one kind over that of another, as the same seller has both on one day: over all GPUs and days
// known on `as_of`.
std::optional<Uncertain> price_ratio(const Catalogue& catalogue, PriceKind kind, PriceKind over,
                                     const std::string& as_of);

struct PriceTrend {
  double per_year = 0.0;         // change in a year: -0.3 = 30 % cheaper
  double low = 0.0, high = 0.0;  // 80 %
  int points = 0;
  std::string from, to;  // dates
};
// Nothing below 3 points or a half year between the first and the last.
std::optional<PriceTrend> price_trend(const Catalogue& catalogue, const PriceQuery& query);

// Whether `text` is a day that exists: YYYY-MM-DD.
bool is_date(const std::string& text);
// Days from `from` to `to`, both dates.
int days_between(const std::string& from, const std::string& to);

}  // namespace gpuplan

#include "hwmodels/catalogue/price_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "hwmodels/json/problem.h"

namespace gpuplan {

namespace {

constexpr int kRecentDays = 90;
constexpr double kDaysOfYear = 365.25;

std::optional<std::chrono::sys_days> day_of(const std::string& text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
    return std::nullopt;
  }
  const auto part = [&](std::size_t at, std::size_t n, int& out) {
    const char* end = text.data() + at + n;
    return text[at] != '-' && std::from_chars(text.data() + at, end, out).ptr == end;
  };
  int year = 0, month = 0, day = 0;
  if (!part(0, 4, year) || !part(5, 2, month) || !part(8, 2, day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

struct Offer {
  double usd;
  const PricePoint* point;
};

// The median of the offers of the last days, with their range.
std::optional<GoingPrice> going(std::vector<Offer> offers) {
  if (offers.empty()) {
    return std::nullopt;
  }
  const std::string latest = offers.back().point->date;
  std::erase_if(offers,
                [&](const Offer& offer) { return days_between(offer.point->date, latest) > kRecentDays; });
  std::stable_sort(offers.begin(), offers.end(),
                   [](const Offer& a, const Offer& b) { return a.usd < b.usd; });
  const Offer& median = offers[(offers.size() - 1) / 2];
  GoingPrice out{.point = median.point, .points = static_cast<int>(offers.size())};
  constexpr double kAlone = 1.25;
  const bool alone = offers.front().usd == offers.back().usd;
  out.usd.low = alone ? median.usd / kAlone : offers.front().usd;
  out.usd.mid = median.usd;
  out.usd.high = alone ? median.usd * kAlone : offers.back().usd;
  out.usd.source = {median.point->vendor + " " + median.point->date + ", " + median.point->source,
                    median.point->standing};
  return out;
}

}  // namespace

std::span<const std::string_view> enum_names(PriceKind /*tag*/) {
  static constexpr std::array<std::string_view, 4> kNames = {"on_demand", "reserved_1y", "reserved_3y",
                                                             "purchase"};
  return kNames;
}

bool is_date(const std::string& text) { return day_of(text).has_value(); }

int days_between(const std::string& from, const std::string& to) {
  const auto a = day_of(from), b = day_of(to);
  return a && b ? static_cast<int>((*b - *a).count()) : 0;
}

std::optional<double> price_of(const PricePoint& point, PriceKind kind) {
  const auto hourly = [](const std::optional<DollarsPerSecond>& rate) {
    return rate ? std::optional(rate->si() * 3600.0) : std::nullopt;
  };
  switch (kind) {
    case PriceKind::on_demand:
      return hourly(point.on_demand);
    case PriceKind::reserved_1y:
      return hourly(point.reserved_1y);
    case PriceKind::reserved_3y:
      return hourly(point.reserved_3y);
    case PriceKind::purchase:
      return point.purchase ? std::optional(point.purchase->si()) : std::nullopt;
  }
  return std::nullopt;
}

std::vector<const PricePoint*> price_points(const Catalogue& catalogue, const PriceQuery& query) {
  // A seller's name of the table is itself, even where it reads like a GPU of the catalogue.
  const bool listed = std::any_of(catalogue.prices().begin(), catalogue.prices().end(),
                                  [&](const PricePoint& point) { return point.gpu == query.gpu; });
  const Gpu* known = listed ? nullptr : catalogue.gpu(query.gpu);
  const std::string& gpu = known != nullptr ? known->name : query.gpu;
  const std::string vendor = plain_name(query.vendor);
  std::vector<const PricePoint*> out;
  for (const PricePoint& point : catalogue.prices()) {
    const bool in_time = query.as_of.empty() || point.date <= query.as_of;  // ISO dates sort as text
    if (point.gpu == gpu && in_time && price_of(point, query.kind) &&
        (vendor.empty() || plain_name(point.vendor).find(vendor) != std::string::npos)) {
      out.push_back(&point);
    }
  }
  return out;
}

std::optional<GoingPrice> going_price(const Catalogue& catalogue, const PriceQuery& query) {
  std::vector<Offer> offers;
  for (const PricePoint* point : price_points(catalogue, query)) {
    offers.push_back({*price_of(*point, query.kind), point});
  }
  return going(std::move(offers));
}

std::optional<GoingPrice> going_server_price(const Catalogue& catalogue, const PriceQuery& query,
                                             double server_over_gpu, double server_over_board) {
  std::vector<Offer> offers;
  for (const PricePoint* point : price_points(catalogue, query)) {
    const double factor = point->covers == PriceCovers::gpu     ? server_over_gpu
                          : point->covers == PriceCovers::board ? server_over_board
                                                                : 1.0;
    offers.push_back({*price_of(*point, PriceKind::purchase) * factor, point});
  }
  std::optional<GoingPrice> out = going(std::move(offers));
  if (out && out->point->covers != PriceCovers::server) {
    out->usd.source.text += ", times what a server costs more";
    out->usd.source.standing = Standing::derived;
  }
  return out;
}

std::optional<Uncertain> price_ratio(const Catalogue& catalogue, PriceKind kind, PriceKind over,
                                     const std::string& as_of) {
  std::vector<double> ratios;
  for (const PricePoint& point : catalogue.prices()) {
    const auto one = price_of(point, kind), other = price_of(point, over);
    if (one && other && (as_of.empty() || point.date <= as_of)) {
      ratios.push_back(*one / *other);
    }
  }
  if (ratios.empty()) {
    return std::nullopt;
  }
  const std::size_t count = ratios.size();
  const Spread spread = spread_of(ratios);
  return Uncertain{
      spread.p10,
      spread.p50,
      spread.p90,
      {std::to_string(count) + " points of the price table have both prices of one seller and day",
       Standing::derived}};
}

std::optional<PriceTrend> price_trend(const Catalogue& catalogue, const PriceQuery& query) {
  const std::vector<const PricePoint*> points = price_points(catalogue, query);
  if (points.size() < 3 ||
      days_between(points.front()->date, points.back()->date) < static_cast<int>(kDaysOfYear / 2)) {
    return std::nullopt;
  }
  const auto n = static_cast<double>(points.size());
  std::vector<double> years, logs;
  double mean_year = 0.0, mean_log = 0.0;
  for (const PricePoint* point : points) {
    years.push_back(days_between(points.front()->date, point->date) / kDaysOfYear);
    logs.push_back(std::log(*price_of(*point, query.kind)));
    mean_year += years.back() / n;
    mean_log += logs.back() / n;
  }
  double spread = 0.0, together = 0.0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    spread += (years[i] - mean_year) * (years[i] - mean_year);
    together += (years[i] - mean_year) * (logs[i] - mean_log);
  }
  const double slope = together / spread;
  double left = 0.0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double residual = logs[i] - mean_log - slope * (years[i] - mean_year);
    left += residual * residual;
  }
  const double error = std::sqrt(left / (n - 2.0) / spread);
  const auto yearly = [](double rate) { return std::exp(rate) - 1.0; };
  return PriceTrend{yearly(slope),
                    yearly(slope - 1.2816 * error),
                    yearly(slope + 1.2816 * error),
                    static_cast<int>(points.size()),
                    points.front()->date,
                    points.back()->date};
}

}  // namespace gpuplan

#include "ui/cli/price_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "hwmodels/catalogue/price_table.h"
#include "hwmodels/json/describe.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

PriceQuery query(const PriceChoice& choice, const std::string& gpu, PriceKind kind) {
  return {.gpu = gpu, .kind = kind, .as_of = choice.as_of, .vendor = choice.vendor};
}

bool chosen(const PricePoint& point, const PriceChoice& choice) {
  return (choice.gpu.empty() || point.gpu == choice.gpu) &&
         (choice.as_of.empty() || point.date <= choice.as_of) &&
         plain_name(point.vendor).find(plain_name(choice.vendor)) != std::string::npos;
}

std::vector<const PricePoint*> points(const Catalogue& catalogue, const PriceChoice& choice) {
  std::vector<const PricePoint*> out;
  for (const PricePoint& point : catalogue.prices()) {
    if (chosen(point, choice)) {
      out.push_back(&point);
    }
  }
  return out;
}

std::vector<std::string> gpus(const std::vector<const PricePoint*>& all) {
  std::vector<std::string> out;
  for (const PricePoint* point : all) {
    if (std::find(out.begin(), out.end(), point->gpu) == out.end()) {
      out.push_back(point->gpu);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string yearly(const std::optional<PriceTrend>& trend) {
  return trend ? fmt::format("{:+.0f} ({:+.0f} {:+.0f})", 100.0 * trend->per_year, 100.0 * trend->low,
                             100.0 * trend->high)
               : "-";
}

std::string summary(const Catalogue& catalogue, const PriceChoice& choice,
                    const std::vector<std::string>& names) {
  Table table({"GPU", "on demand", "range", "1 year", "3 years", "to buy", "% a year"});
  for (const std::string& gpu : names) {
    const auto going = [&](PriceKind kind) { return going_price(catalogue, query(choice, gpu, kind)); };
    const auto hourly = [&](PriceKind kind) {
      const auto price = going(kind);
      return price ? fmt::format("{:.2f}", price->usd.mid) : "-";
    };
    const auto rent = going(PriceKind::on_demand), buy = going(PriceKind::purchase);
    const auto trend = price_trend(catalogue, query(choice, gpu, PriceKind::on_demand));
    table.row({gpu, hourly(PriceKind::on_demand),
               rent && rent->points > 1 ? fmt::format("{:.2f}-{:.2f}", rent->usd.low, rent->usd.high) : "-",
               hourly(PriceKind::reserved_1y), hourly(PriceKind::reserved_3y),
               buy ? grouped(buy->usd.mid) : "-", yearly(trend)});
  }
  return table.text() +
         "USD per GPU and hour, or per GPU to buy: median and range of the 90 days before\nthe latest point "
         "of "
         "its kind; % a year: the slope of on-demand prices over all\npoints, with its 80 % range\n";
}

std::string rows(const std::vector<const PricePoint*>& all) {
  using enum Table::Align;
  Table table({"GPU", "date", "seller", "USD/h", "1 y", "3 y", "purchase", "of a", "standing"},
              {left, left, left, right, right, right, right, left, left});
  const auto hourly = [](const std::optional<DollarsPerSecond>& price) {
    return price ? fmt::format("{:.2f}", price->si() * 3600.0) : "-";
  };
  for (const PricePoint* point : all) {
    table.row({point->gpu, point->date, point->vendor, hourly(point->on_demand), hourly(point->reserved_1y),
               hourly(point->reserved_3y), point->purchase ? grouped(point->purchase->si()) : "-",
               point->purchase ? std::string(json::name_of(point->covers)) : "-",
               std::string(json::name_of(point->standing))});
  }
  return table.text();
}

}  // namespace

std::string price_text(const Catalogue& catalogue, const PriceChoice& choice) {
  const std::vector<const PricePoint*> all = points(catalogue, choice);
  return all.empty() ? "no price is known\n" : summary(catalogue, choice, gpus(all)) + "\n" + rows(all);
}

json::Value price_json(const Catalogue& catalogue, const PriceChoice& choice) {
  json::Array out;
  for (const PricePoint* point : points(catalogue, choice)) {
    const auto price = [&](PriceKind kind) {
      const auto usd = price_of(*point, kind);
      return usd ? json::Value(*usd) : json::Value{};
    };
    json::Value row;
    row["gpu"] = point->gpu;
    row["date"] = point->date;
    row["vendor"] = point->vendor;
    row["usd_per_gpu_hour"] = price(PriceKind::on_demand);
    row["usd_per_gpu_hour_1y"] = price(PriceKind::reserved_1y);
    row["usd_per_gpu_hour_3y"] = price(PriceKind::reserved_3y);
    row["usd_per_gpu"] = price(PriceKind::purchase);
    row["purchase_covers"] = point->purchase ? json::Value(json::name_of(point->covers)) : json::Value{};
    row["standing"] = json::name_of(point->standing);
    row["source"] = point->source;
    out.push_back(std::move(row));
  }
  return json::Value(std::move(out));
}

}  // namespace gpuplan::cli

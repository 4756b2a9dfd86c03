// Price files: the dated points of one GPU. Read when a price is first asked for.
#include <algorithm>

#include "hwmodels/catalogue/entry.h"
#include "hwmodels/catalogue/price_table.h"

namespace gpuplan::catalogue {

namespace {

// A point as its file has it.
struct PriceRow {
  std::string date, vendor, region, note, source;
  std::optional<double> on_demand, reserved_1y, reserved_3y, purchase;
  std::optional<int> gpus;
  PriceCovers covers = PriceCovers::gpu;
  Standing standing = Standing::datasheet;
};

template <class V>
void describe(V& v, PriceRow& p) {
  v.field("date", p.date, "YYYY-MM-DD", json::required);
  v.field("vendor", p.vendor, "who sells or rents", json::required);
  v.field("region", p.region, "where");
  v.field("on_demand_usd_per_gpu_hour", p.on_demand, "on demand", json::positive());
  v.field("reserved_1y_usd_per_gpu_hour", p.reserved_1y, "reserved for one year", json::positive());
  v.field("reserved_3y_usd_per_gpu_hour", p.reserved_3y, "reserved for three years", json::positive());
  v.field("purchase_usd_per_gpu", p.purchase, "to buy", json::positive());
  v.field("purchase_covers", p.covers, "what the purchase price buys");
  v.field("gpus", p.gpus, "GPUs in the unit that was priced", json::at_least(1));
  v.field("note", p.note, "what the figure covers");
  v.field("source", p.source, "where it was read", json::required);
  v.field("standing", p.standing, "how the figure is known");
}

struct PriceFile {
  std::string gpu;
  std::vector<PriceRow> points;
};

template <class V>
void describe(V& v, PriceFile& f) {
  v.field("gpu", f.gpu, "catalogue name, or the seller's name", json::required);
  v.field("points", f.points, "oldest first", json::required);
}

std::optional<DollarsPerSecond> per_hour(std::optional<double> usd) {
  return usd ? std::optional(dollars_per_hour(*usd)) : std::nullopt;
}

}  // namespace

std::vector<PricePoint> read_prices(const std::string& data_dir) {
  std::vector<PricePoint> out;
  std::vector<Problem> problems;
  for (const std::string& file : json_files(folder(data_dir, "prices"))) {
    PriceFile read_file;
    json::read(json::parse_file(file), file + ": $", read_file, problems);
    for (std::size_t i = 0; i < read_file.points.size(); ++i) {
      PriceRow& row = read_file.points[i];
      const std::string path = file + ": $.points[" + std::to_string(i) + "]";
      if (!is_date(row.date)) {
        problems.push_back(
            {path + ".date", "\"" + row.date.substr(0, 40) + "\"", "a date as 2025-03-17", ""});
      }
      if (!row.on_demand && !row.reserved_1y && !row.reserved_3y && !row.purchase) {
        problems.push_back({path, "no price", "an hourly or a purchase price", ""});
      }
      PricePoint point{.gpu = read_file.gpu,
                       .date = std::move(row.date),
                       .vendor = std::move(row.vendor),
                       .on_demand = per_hour(row.on_demand),
                       .reserved_1y = per_hour(row.reserved_1y),
                       .reserved_3y = per_hour(row.reserved_3y),
                       .purchase = row.purchase ? std::optional(Dollars(*row.purchase)) : std::nullopt,
                       .covers = row.covers,
                       .note = std::move(row.note),
                       .source = std::move(row.source),
                       .standing = row.standing};
      out.push_back(std::move(point));
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  // ISO dates sort as text.
  std::stable_sort(out.begin(), out.end(),
                   [](const PricePoint& a, const PricePoint& b) { return a.date < b.date; });
  return out;
}

}  // namespace gpuplan::catalogue

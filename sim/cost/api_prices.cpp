#include "sim/cost/api_prices.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hwmodels/catalogue/price_table.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

template <class V>
void describe(V& v, ApiPrice& p) {
  v.field("date", p.date, "day on which it held", json::required);
  v.field("seller", p.seller, "whose API", json::required);
  v.field("model", p.model, "name in the model catalogue");
  v.field("name", p.name, "what the seller calls it", json::required);
  v.field("input", p.input, "USD per million prompt tokens", json::positive(), json::required);
  v.field("cached_input", p.cached_input, "USD per million prompt tokens that the seller still holds",
          json::positive());
  v.field("output", p.output, "USD per million output tokens", json::positive(), json::required);
  v.field("source", p.source, "where it was read", json::required);
  v.field("standing", p.standing, "how it is known", json::required);
}

namespace {

struct ApiPriceFile {
  std::string schema;
  std::vector<ApiPrice> prices;
};
template <class V>
void describe(V& v, ApiPriceFile& f) {
  v.field("$schema", f.schema, "");
  v.field("prices", f.prices, "oldest first", json::required);
}

// Two numbers and a stroke between them.
std::optional<ApiPrice> typed(const std::string& text) {
  const std::size_t stroke = text.find('/');
  if (stroke == std::string::npos) {
    return std::nullopt;
  }
  ApiPrice out;
  const auto number = [](const char* from, const char* to, double& value) {
    const auto read = std::from_chars(from, to, value);
    return read.ec == std::errc{} && read.ptr == to && std::isfinite(value) && value >= 0.0;
  };
  const char* begin = text.data();
  if (!number(begin, begin + stroke, out.input) ||
      !number(begin + stroke + 1, begin + text.size(), out.output) || out.input + out.output <= 0.0) {
    return std::nullopt;
  }
  out.seller = "as given";
  out.name = "API at " + text;
  out.source = "command line";
  return out;
}

// Of each seller and name the newest.
void keep(std::vector<ApiPrice>& kept, const ApiPrice& price) {
  const auto same = std::find_if(kept.begin(), kept.end(), [&](const ApiPrice& one) {
    return one.seller == price.seller &&
           (one.name == price.name || (!one.model.empty() && one.model == price.model));
  });
  if (same == kept.end()) {
    kept.push_back(price);
  } else if (same->date <= price.date) {
    *same = price;
  }
}

}  // namespace

std::vector<ApiPrice> load_api_prices(const std::string& data_dir) {
  const std::string path = data_dir + "/hwmodels/catalogue/data/api_prices.json";
  ApiPriceFile file;
  std::vector<Problem> problems;
  json::read(json::parse_file(path), path + ": $", file, problems);
  for (std::size_t i = 0; i < file.prices.size(); ++i) {
    if (!is_date(file.prices[i].date)) {
      problems.push_back({path + ": $.prices[" + std::to_string(i) + "].date",
                          "\"" + file.prices[i].date.substr(0, 40) + "\"", "a day as 2025-03-17", ""});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  std::stable_sort(file.prices.begin(), file.prices.end(),
                   [](const ApiPrice& a, const ApiPrice& b) { return a.date < b.date; });
  return std::move(file.prices);
}

std::vector<ApiPrice> api_prices_of(const std::vector<ApiPrice>& all, const std::string& model,
                                    const std::string& as_of) {
  std::vector<ApiPrice> out;
  for (const ApiPrice& price : all) {
    if (!price.model.empty() && plain_name(price.model) == plain_name(model) &&
        (as_of.empty() || price.date <= as_of)) {
      keep(out, price);
    }
  }
  return out;
}

std::vector<ApiPrice> asked_api_prices(const std::vector<ApiPrice>& all, const std::string& text,
                                       const std::string& where) {
  if (const std::optional<ApiPrice> given = typed(text)) {
    return {*given};
  }
  std::vector<ApiPrice> out;
  std::vector<std::string> names;
  const std::string wanted = plain_name(text);
  for (const ApiPrice& price : all) {
    for (const std::string* name : {&price.seller, &price.model, &price.name}) {
      if (!wanted.empty() && plain_name(*name).find(wanted) != std::string::npos) {
        keep(out, price);
        break;
      }
    }
    for (const std::string* name : {&price.seller, &price.name}) {
      if (std::find(names.begin(), names.end(), *name) == names.end()) {
        names.push_back(*name);
      }
    }
  }
  if (out.empty()) {
    throw InputError(
        Problem{where, "\"" + text.substr(0, 60) + "\"",
                "USD per million input and output tokens as 0.5/1.5, or a seller or model of the "
                "table of API prices",
                did_you_mean(text, names)});
  }
  return out;
}

}  // namespace gpuplan::sim

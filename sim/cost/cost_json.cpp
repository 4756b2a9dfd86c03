// A cost report as JSON.
#include <cmath>

#include "sim/cost/cost_report.h"

namespace gpuplan::sim {

namespace {

json::Value triple(const Spread& s) {
  return json::Value(json::Array{json::Value(s.p10), json::Value(s.p50), json::Value(s.p90)});
}

json::Value texts(const std::vector<std::string>& all) {
  json::Array out;
  for (const std::string& one : all) {
    out.emplace_back(one);
  }
  return json::Value(std::move(out));
}

json::Value parts_json(const CostParts& p) {
  json::Value out;
  out["rent"] = p.rent;
  out["capital"] = p.capital;
  out["hosting"] = p.hosting;
  out["staff"] = p.staff;
  out["maintenance"] = p.maintenance;
  out["energy"] = p.energy;
  return out;
}

json::Value inputs_json(const CostWay& way) {
  json::Value out{json::Object{}};
  for (std::size_t i = 0; i < kCostInputs; ++i) {
    const Uncertain& input = way.inputs[i];
    if (!input.source.text.empty()) {
      json::Value one;
      one["range"] = triple({input.low, input.mid, input.high});
      one["standing"] = json::name_of(input.source.standing);
      one["source"] = input.source.text;
      out[json::name_of(static_cast<CostInput>(i))] = std::move(one);
    }
  }
  return out;
}

json::Value swings_json(const std::vector<Swing>& swings) {
  json::Array out;
  for (const Swing& swing : swings) {
    json::Value one;
    one["input"] = json::name_of(static_cast<CostInput>(swing.input));
    one["at_low"] = swing.at_low;
    one["at_high"] = swing.at_high;
    out.push_back(std::move(one));
  }
  return json::Value(std::move(out));
}

json::Value way_json(const WayCost& cost, const std::string& unit) {
  json::Value out;
  out["acquisition"] = json::name_of(cost.way.way);
  out["usd_per_gpu_hour"] = triple(cost.usd_per_gpu_hour);
  out["usd_per_hour"] = cost.usd_per_hour;
  out["usd_per_year"] = cost.usd_per_year;
  if (cost.per_million) {
    out["usd_per_million_" + unit] = triple(*cost.per_million);
  }
  if (cost.per_million_output) {
    out["usd_per_million_output_tokens"] = triple(*cost.per_million_output);
  }
  if (cost.per_run) {
    out["usd_to_train"] = triple(*cost.per_run);
  }
  out["parts_usd_per_gpu_hour"] = parts_json(cost.parts);
  if (!cost.swings.empty()) {
    out["dominated_by"] = json::name_of(static_cast<CostInput>(cost.swings.front().input));
  }
  out["tornado"] = swings_json(cost.swings);
  out["source"] = cost.way.source;
  out["inputs"] = inputs_json(cost.way);
  return out;
}

json::Value number_or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? json::Value(*value) : json::Value{};
}

json::Value rent_or_buy_json(const RentOrBuy& one) {
  json::Value out;
  out["rent"] = json::name_of(one.rent);
  out["usd_per_gpu_hour"] = one.usd_per_gpu_hour;
  out["utilisation"] = one.utilisation;
  out["owning_is_cheaper"] = one.owning_is_cheaper;
  out["break_even_utilisation"] = number_or_null(one.break_even);
  if (one.break_even_spread) {
    out["break_even_utilisation_80"] = triple(*one.break_even_spread);
  }
  out["months_to_pay_back"] = number_or_null(one.months);
  out["months_with_falling_rents"] = number_or_null(one.months_falling);
  return out;
}

json::Value api_json(const ApiBreakEven& api) {
  json::Value out;
  out["seller"] = api.price.seller;
  out["name"] = api.price.name;
  out["date"] = api.price.date;
  out["usd_per_million_input"] = api.price.input;
  out["usd_per_million_output"] = api.price.output;
  out["standing"] = json::name_of(api.price.standing);
  out["source"] = api.price.source;
  out["usd_per_million_output_with_prompt"] = api.api_per_million_output;
  json::Array ways;
  for (const ApiBreakEven::Way& way : api.ways) {
    json::Value one;
    one["acquisition"] = json::name_of(way.way);
    one["output_tokens_per_day"] = way.tokens_per_day;
    one["pays"] = way.pays;
    ways.push_back(std::move(one));
  }
  out["machine_is_cheaper_above"] = json::Value(std::move(ways));
  return out;
}

json::Value trend_json(const PriceTrend& trend) {
  json::Value out;
  out["per_year"] = triple({trend.low, trend.per_year, trend.high});
  out["points"] = trend.points;
  out["from"] = trend.from;
  out["to"] = trend.to;
  return out;
}

template <class T, class Write>
json::Value list(const std::vector<T>& all, Write write) {
  json::Array out;
  for (const T& one : all) {
    out.push_back(write(one));
  }
  return json::Value(std::move(out));
}

}  // namespace

json::Value cost_json(const CostReport& r) {
  json::Value out;
  out["schema"] = 1;
  out["name"] = r.subject.name;
  json::Value machine;
  machine["gpu"] = r.subject.machine.gpu;
  machine["node"] = r.subject.node;
  machine["gpus"] = r.subject.gpus;
  machine["watts_per_gpu"] = r.subject.work.busy_watts;
  out["machine"] = std::move(machine);
  json::Value work;
  work[r.subject.work.unit + "_per_s"] = r.subject.work.units_per_s;
  work["output_tokens_per_s"] = r.subject.work.output_per_s;
  work["run_hours"] = number_or_null(r.subject.work.run_hours);
  out["work"] = std::move(work);
  out["ways"] = list(r.ways, [&](const WayCost& one) { return way_json(one, r.subject.work.unit); });
  out["cheapest"] =
      r.cheapest() != nullptr ? json::Value(json::name_of(r.cheapest()->way.way)) : json::Value{};
  out["missing"] = texts(r.missing);
  out["capex_usd"] = triple(r.capex_spread);
  out["owned_life_usd"] = r.life_usd;
  out["energy_kwh_per_year"] = r.energy_kwh_per_year;
  out["rent_or_buy"] = list(r.rent_or_buy, rent_or_buy_json);
  out["apis"] = list(r.apis, api_json);
  out["on_demand_price_trend"] = r.trend ? trend_json(*r.trend) : json::Value{};
  out["notes"] = texts(r.notes);
  return out;
}

}  // namespace gpuplan::sim

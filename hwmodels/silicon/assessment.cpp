#include "hwmodels/silicon/assessment.h"

namespace gpuplan::silicon {

std::span<const std::string_view> enum_names(Metric /*tag*/) {
  static constexpr std::array<std::string_view, kMetricCount> kNames = {
      "area_mm2", "dies_per_wafer", "yield_perfect", "yield_usable", "die_cost_usd", "unit_cost_usd"};
  return kNames;
}

std::span<const std::string_view> enum_names(CostPart /*tag*/) {
  static constexpr std::array<std::string_view, kCostPartCount> kNames = {"dies", "hbm", "packaging",
                                                                          "test_and_assembly", "losses"};
  return kNames;
}

namespace {

// Spreads under the names of the values of an enum.
template <class E, std::size_t n>
json::Value by_name(const std::array<Spread, n>& spreads) {
  json::Object out;
  for (std::size_t i = 0; i < n; ++i) {
    out.emplace_back(std::string(enum_names(E{})[i]), to_json(spreads[i]));
  }
  return json::Value(std::move(out));
}

}  // namespace

json::Value to_json(const Spread& spread) { return json::write(spread); }

json::Value to_json(const Assessment& a) {
  json::Object out{{"die", a.die}, {"process", a.process}, {"gpu", a.gpu}};
  const json::Value metrics = by_name<Metric>(a.metrics);
  out.insert(out.end(), metrics.object().begin(), metrics.object().end());
  out.emplace_back("blocks_mm2", by_name<Block>(a.blocks_mm2));
  out.emplace_back("unit_cost_parts_usd", by_name<CostPart>(a.unit_cost_usd));
  out.emplace_back("beyond_reticle", a.beyond_reticle);
  json::Array notes;
  for (const std::string& note : a.notes) {
    notes.emplace_back(note);
  }
  out.emplace_back("notes", std::move(notes));
  return json::Value(std::move(out));
}

json::Value to_json(const Comparison& c) {
  return json::Value(json::Object{{"base", to_json(c.base)},
                                  {"changed", to_json(c.changed)},
                                  {"delta", by_name<Metric>(c.deltas)},
                                  {"ratio", by_name<Metric>(c.ratios)},
                                  {"block_delta_mm2", by_name<Block>(c.block_deltas_mm2)}});
}

json::Value to_json(const std::vector<TornadoBar>& tornado) {
  json::Array out;
  for (const TornadoBar& bar : tornado) {
    out.emplace_back(json::Object{{"input", bar.input},
                                  {"low", bar.low},
                                  {"high", bar.high},
                                  {"at_low", bar.at_low},
                                  {"at_high", bar.at_high},
                                  {"standing", json::name_of(bar.standing)},
                                  {"source", bar.source}});
  }
  return json::Value(std::move(out));
}

}  // namespace gpuplan::silicon

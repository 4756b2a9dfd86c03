#include "sim/report/result.h"

namespace gpuplan::sim {

const Metric* Result::find(std::string_view name) const {
  for (const Metric& metric : metrics) {
    if (metric.name == name) {
      return &metric;
    }
  }
  return nullptr;
}

double Result::number(std::string_view name) const {
  const Metric* metric = find(name);
  return metric != nullptr && metric->value.is_number() ? metric->value.number() : 0.0;
}

json::Value Result::to_json() const {
  json::Value out;
  out["schema"] = 1;
  out["scenario"] = scenario;
  json::Value& values = out["metrics"];
  values = json::Value(json::Object{});
  for (const Metric& metric : metrics) {
    values.object().emplace_back(metric.name, metric.value);
  }
  out["provenance"] = provenance;
  json::Value& intervals = out["uncertainty"];
  intervals = json::Value(json::Object{});
  for (const Metric& metric : metrics) {
    if (metric.interval80) {
      intervals.object().emplace_back(metric.name,
                                      json::Value(json::Array{json::Value((*metric.interval80)[0]),
                                                              json::Value((*metric.interval80)[1])}));
    }
  }
  json::Array limits;
  for (const Bottleneck& b : bottlenecks) {
    json::Value entry;
    entry["resource"] = b.resource;
    entry["share"] = b.share;
    entry["detail"] = b.detail;
    limits.push_back(std::move(entry));
  }
  out["bottlenecks"] = json::Value(std::move(limits));
  json::Array texts;
  for (const std::string& warning : warnings) {
    texts.emplace_back(warning);
  }
  out["warnings"] = json::Value(std::move(texts));
  return out;
}

}  // namespace gpuplan::sim

// The result of a run in the shape of the contract: flat metrics in SI base units, their 80 % intervals,
// where each model behind them stands, what limits, what to beware of.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/json/value.h"

namespace gpuplan::sim {

struct Metric {
  std::string name;   // "serving.ttft.p50"
  json::Value value;  // a number, or a string for names such as limiters
  std::optional<std::array<double, 2>> interval80;
};

// What limits the run, with the share of busy time it explains.
struct Bottleneck {
  std::string resource;  // "hbm_bandwidth", "kv_capacity"
  double share = 0.0;
  std::string detail;
};

struct Result {
  json::Value scenario;  // resolved
  std::vector<Metric> metrics;
  json::Value provenance;  // what each group of metrics rests on
  std::vector<Bottleneck> bottlenecks;
  std::vector<std::string> warnings;

  [[nodiscard]] const Metric* find(std::string_view name) const;
  // Number of a metric; 0 where there is none or it is no number.
  [[nodiscard]] double number(std::string_view name) const;
  // The one JSON object of `gpuplan run --json`.
  [[nodiscard]] json::Value to_json() const;
};

}  // namespace gpuplan::sim

// Results of the silicon models, and how to ask for them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"
#include "hwmodels/silicon/area.h"
#include "hwmodels/silicon/uncertain.h"
#include "hwmodels/silicon/wafer.h"

namespace gpuplan::silicon {

struct SiliconOptions {
  int samples = 2000;
  std::uint64_t seed = 1;
  WaferSpec wafer;
  bool anchored = true;
  json::Value inputs;
};
template <class V>
void describe(V& v, SiliconOptions& o) {
  v.field("samples", o.samples, "draws of the inputs", json::Range{.min = 10, .max = 1e6});
  v.field("seed", o.seed, "of the draws", json::Range{.min = 0, .max = 9e15});
  v.field("wafer", o.wafer, "how a wafer is counted");
  v.field("anchored", o.anchored, "an unchanged die has its published area; false: the model's");
  v.field("inputs", o.inputs,
          "inputs of the models to replace, as {\"process.wafer_usd\": 16000} or [14000, 17000, 20000] (low, "
          "median, high)");
}

// Of one die but unit_cost_usd, which is of the package.
enum class Metric { area_mm2, dies_per_wafer, yield_perfect, yield_usable, die_cost_usd, unit_cost_usd };
inline constexpr std::size_t kMetricCount = 6;
std::span<const std::string_view> enum_names(Metric tag);
using MetricSpreads = std::array<Spread, kMetricCount>;

// Parts of the cost of a unit (USD).
enum class CostPart { dies, hbm, packaging, test_and_assembly, losses };
inline constexpr std::size_t kCostPartCount = 5;
std::span<const std::string_view> enum_names(CostPart tag);

struct Assessment {
  std::string die, process, gpu;
  MetricSpreads metrics;
  std::array<Spread, kBlockCount> blocks_mm2;
  std::array<Spread, kCostPartCount> unit_cost_usd;
  double beyond_reticle = 0.0;  // share of draws in which the die is larger than one exposure (858 mm2)
  std::vector<std::string> notes;

  [[nodiscard]] const Spread& of(Metric m) const { return metrics[static_cast<std::size_t>(m)]; }
  [[nodiscard]] const Spread& of(Block b) const { return blocks_mm2[static_cast<std::size_t>(b)]; }
  [[nodiscard]] const Spread& of(CostPart p) const { return unit_cost_usd[static_cast<std::size_t>(p)]; }
};

// Two designs on the same draws.
struct Comparison {
  Assessment base, changed;
  MetricSpreads deltas;  // changed less base, draw by draw
  MetricSpreads ratios;  // changed over base
  std::array<Spread, kBlockCount> block_deltas_mm2;

  [[nodiscard]] const Spread& delta(Metric m) const { return deltas[static_cast<std::size_t>(m)]; }
  [[nodiscard]] const Spread& ratio(Metric m) const { return ratios[static_cast<std::size_t>(m)]; }
  [[nodiscard]] const Spread& delta(Block b) const { return block_deltas_mm2[static_cast<std::size_t>(b)]; }
};

// A result at one input's tenth and ninetieth percentile, every other input at its median.
struct TornadoBar {
  std::string input;
  double low = 0.0, high = 0.0;        // of the input
  double at_low = 0.0, at_high = 0.0;  // of the result
  Standing standing = Standing::assumed;
  std::string source;
  [[nodiscard]] double swing() const { return at_high > at_low ? at_high - at_low : at_low - at_high; }
};

struct PowerAssessment {
  Spread total_w, matrix_w, vector_w, l2_w, hbm_w, links_w, leakage_w, idle_w;
};
template <class V>
void describe(V& v, PowerAssessment& p) {
  v.field("total_w", p.total_w, "all parts (W)");
  v.field("matrix_w", p.matrix_w, "matrix units (W)");
  v.field("vector_w", p.vector_w, "lanes (W)");
  v.field("l2_w", p.l2_w, "L2 and crossbar (W)");
  v.field("hbm_w", p.hbm_w, "HBM traffic (W)");
  v.field("links_w", p.links_w, "NVLink and PCIe traffic (W)");
  v.field("leakage_w", p.leakage_w, "leakage (W)");
  v.field("idle_w", p.idle_w, "HBM refresh, links, regulators (W)");
}

// {"die", "process", "gpu", "area_mm2": {"p10", "p50", "p90"}, ..., "blocks_mm2": {...},
// "unit_cost_parts_usd":
// {...}, "beyond_reticle", "notes"}.
json::Value to_json(const Assessment& assessment);
// {"base", "changed", "delta": {metric: spread}, "ratio": {metric: spread}, "block_delta_mm2": {...}}.
json::Value to_json(const Comparison& comparison);
json::Value to_json(const std::vector<TornadoBar>& tornado);
json::Value to_json(const Spread& spread);

}  // namespace gpuplan::silicon

#include "sim/sweep/metric.h"

#include <algorithm>
#include <array>

namespace gpuplan::sweep {

namespace {

struct Ending {
  std::string_view text;
  MetricNature nature;
};

// The first that a name ends in, or has before its statistic (".mean", ".p99"), counts.
constexpr Better kLow = Better::lower, kHigh = Better::higher, kNone = Better::unknown;
constexpr std::array kEndings = {
    Ending{"ttft", {kLow, "s"}},
    Ending{"tpot", {kLow, "s"}},
    Ending{"itl", {kLow, "s"}},
    Ending{"e2e", {kLow, "s"}},
    Ending{"queue.mean_wait", {kLow, "s"}},
    Ending{"step_time", {kLow, "s"}},
    Ending{"_time", {kLow, "s"}},
    Ending{".time", {kLow, "s"}},
    Ending{"time_to_train", {kLow, "s"}},
    Ending{".alone", {kLow, "s"}},
    Ending{".end", {kLow, "s"}},
    Ending{".step", {kLow, "s"}},
    Ending{".communication", {kLow, "s"}},
    Ending{".compute", {kLow, "s"}},
    Ending{".exposed", {kLow, "s"}},
    Ending{"latency", {kLow, "s"}},
    Ending{"jitter", {kLow, "s"}},
    Ending{"slowdown", {kLow, ""}},
    Ending{"deadline_miss_rate", {kLow, "%"}},
    Ending{"growth_per_s", {kLow, "1/s"}},
    Ending{"output_tokens_per_s_per_gpu", {kHigh, "tokens/s"}},
    Ending{"tokens_per_s_per_gpu", {kHigh, "tokens/s"}},
    Ending{"tokens_per_s", {kHigh, "tokens/s"}},
    Ending{"samples_per_s_per_gpu", {kHigh, "1/s"}},
    Ending{"samples_per_s", {kHigh, "1/s"}},
    Ending{"requests_per_s", {kHigh, "1/s"}},
    Ending{"items_per_s", {kHigh, "1/s"}},
    Ending{"flops_per_s_per_gpu", {kHigh, "FLOP/s"}},
    Ending{"throughput", {kHigh, "1/s"}},
    Ending{"goodput", {kHigh, "%"}},
    Ending{"mfu", {kHigh, "%"}},
    Ending{"hfu", {kHigh, "%"}},
    Ending{"slo_attainment", {kHigh, "%"}},
    Ending{"fraction_of_peak", {kHigh, "%"}},
    Ending{"prefix_hit_rate", {kHigh, "%"}},
    Ending{"accepted_tokens_per_step", {kHigh, ""}},
    Ending{"algbw", {kHigh, "B/s"}},
    Ending{"busbw", {kHigh, "B/s"}},
    Ending{".bandwidth", {kHigh, "B/s"}},
    Ending{"speedup", {kHigh, ""}},
    Ending{"yield", {kHigh, "%"}},
    Ending{"delta.performance", {kHigh, ""}},
    Ending{"delta.perf_per_watt", {kHigh, ""}},
    Ending{"completed", {kHigh, ""}},
    Ending{"bubble_fraction", {kLow, "%"}},
    Ending{"exposed_communication_fraction", {kLow, "%"}},
    Ending{"busy_fraction", {kNone, "%"}},
    Ending{"preemptions", {kLow, ""}},
    Ending{"rejected", {kLow, ""}},
    Ending{"queue.max", {kLow, ""}},
    Ending{"queue.at_last_arrival", {kLow, ""}},
    Ending{"energy_per_token", {kLow, "J"}},
    Ending{"energy_per_sample", {kLow, "J"}},
    Ending{"power", {kLow, "W"}},
    Ending{"die_area", {kLow, "m2"}},
    Ending{"die_cost", {kLow, "USD"}},
    Ending{"hbm_bytes", {kLow, "B"}},
    Ending{"flops", {kNone, "FLOP"}},
    Ending{"intensity", {kNone, "FLOP/B"}},
    Ending{"occupancy", {kNone, "%"}},
    Ending{"coalescing", {kNone, "%"}},
    Ending{"kv_utilisation", {kNone, "%"}},
    Ending{"kv_per_gpu", {kNone, "B"}},
    Ending{"kv_bytes_per_token", {kLow, "B"}},
};
constexpr std::array kStatistics = {".mean", ".p50", ".p90", ".p95", ".p99", ".p999", ".max"};

struct Headline {
  std::string_view name, label;
};
constexpr std::array kHeadlines = {
    Headline{"serving.ttft.mean", "TTFT"},
    Headline{"serving.tpot.mean", "TPOT"},
    Headline{"serving.output_tokens_per_s", "tokens out/s"},
    Headline{"serving.slo_attainment", "SLO met"},
    Headline{"cost.usd_per_million_output_tokens", "USD/M out"},
    Headline{"training.step_time", "step"},
    Headline{"training.tokens_per_s_per_gpu", "tokens/s/GPU"},
    Headline{"training.samples_per_s_per_gpu", "samples/s/GPU"},
    Headline{"training.mfu", "MFU"},
    Headline{"training.memory.total_per_gpu", "memory/GPU"},
    Headline{"pipeline.latency.p99", "latency p99"},
    Headline{"pipeline.deadline_miss_rate", "missed"},
    Headline{"pipeline.throughput", "throughput"},
    Headline{"kernel.time", "time"},
    Headline{"kernel.fraction_of_peak", "of peak"},
    Headline{"kernel.limiter", "limiter"},
    Headline{"collective.time", "time"},
    Headline{"collective.algbw", "algbw"},
    Headline{"collective.busbw", "busbw"},
    Headline{"collective.algorithm", "algorithm"},
    Headline{"silicon.die_area", "die area"},
    Headline{"silicon.die_cost", "die cost"},
    Headline{"silicon.yield", "yield"},
    Headline{"cost.usd_per_million_tokens", "USD/M tokens"},
    Headline{"cost.usd_per_million_samples", "USD/M samples"},
    Headline{"power.mean", "power"}};

bool starts(std::string_view text, std::string_view with) { return text.starts_with(with); }

}  // namespace

MetricNature nature_of(std::string_view metric) {
  std::string_view stem = metric;
  for (const std::string_view statistic : kStatistics) {
    if (stem.ends_with(statistic)) {
      stem.remove_suffix(statistic.size());
      break;
    }
  }
  for (const std::string_view text : {metric, stem}) {
    for (const Ending& ending : kEndings) {
      if (text.ends_with(ending.text)) {
        return ending.nature;
      }
    }
  }
  if (starts(metric, "cost.")) {
    return {Better::lower, "USD"};
  }
  if (starts(metric, "util.") || metric.find(".time_share.") != std::string_view::npos) {
    return {Better::unknown, "%"};
  }
  if (metric.find(".memory.") != std::string_view::npos) {
    return {Better::lower, "B"};
  }
  return {};
}

std::string metric_of(const std::string& text) {
  return text.starts_with("min:") || text.starts_with("max:") ? text.substr(4) : text;
}

std::optional<Goal> goal_of(const std::string& text) {
  if (text.starts_with("min:") || text.starts_with("max:")) {
    return Goal{text.substr(4), text.starts_with("max:")};
  }
  const Better better = nature_of(text).better;
  if (better == Better::unknown) {
    return std::nullopt;
  }
  return Goal{text, better == Better::higher};
}

std::string label_of(const std::string& metric) {
  for (const Headline& headline : kHeadlines) {
    if (metric == headline.name) {
      return std::string(headline.label);
    }
  }
  const std::size_t dot = metric.find('.');
  return dot == std::string::npos ? metric : metric.substr(dot + 1);
}

std::vector<std::string> headline_of(const std::vector<std::string>& metrics) {
  constexpr std::size_t most = 5;
  std::vector<std::string> out;
  for (const Headline& headline : kHeadlines) {
    if (out.size() < most && std::find(metrics.begin(), metrics.end(), headline.name) != metrics.end()) {
      out.emplace_back(headline.name);
    }
  }
  // Scenarios that are tables name their metrics by case: the first ones that are times.
  const bool none = out.empty();
  for (const std::string& name : metrics) {
    if (none && out.size() < 3 && (name.ends_with(".time") || name.ends_with(".step"))) {
      out.push_back(name);
    }
  }
  if (out.empty() && !metrics.empty()) {
    out.push_back(metrics.front());
  }
  return out;
}

}  // namespace gpuplan::sweep

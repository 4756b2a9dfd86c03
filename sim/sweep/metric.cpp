#include "sim/sweep/metric.h"

#include <algorithm>
#include <array>

#include "sim/report/metric_sense.h"

namespace gpuplan::sweep {

namespace {

struct Headline {
  std::string_view name, label;
};
constexpr std::array kHeadlines = {Headline{"serving.ttft.mean", "TTFT"},
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

}  // namespace

std::string metric_of(const std::string& text) {
  return text.starts_with("min:") || text.starts_with("max:") ? text.substr(4) : text;
}

std::optional<Goal> goal_of(const std::string& text) {
  if (text.starts_with("min:") || text.starts_with("max:")) {
    return Goal{text.substr(4), text.starts_with("max:")};
  }
  const sim::Sense sense = sim::sense_of(text);
  if (sense == sim::Sense::neutral) {
    return std::nullopt;
  }
  return Goal{text, sense == sim::Sense::higher};
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
  const auto has = [](const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  constexpr std::size_t most = 5;
  std::vector<std::string> out;
  for (const Headline& headline : kHeadlines) {
    // Of tokens and samples the first that there are: they tell the same.
    const bool told =
        headline.name == "training.samples_per_s_per_gpu" && has(out, "training.tokens_per_s_per_gpu");
    if (out.size() < most && !told && has(metrics, headline.name)) {
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

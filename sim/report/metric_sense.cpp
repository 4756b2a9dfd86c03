#include "sim/report/metric_sense.h"

#include <array>
#include <string>

namespace gpuplan::sim {

namespace {

// The first rule whose text occurs in the name holds.
struct Rule {
  std::string_view part;
  std::string_view unit;
  Sense sense;
};
constexpr std::array kRules = {
    Rule{"usd", "USD", Sense::lower},
    Rule{"cost.capex", "USD", Sense::lower},
    Rule{"die_cost", "USD", Sense::lower},
    Rule{"energy_per", "J", Sense::lower},
    Rule{"power.", "W", Sense::lower},
    Rule{"flops_per_s", "FLOP/s", Sense::higher},
    Rule{"tokens_per_s", "tokens/s", Sense::higher},
    Rule{"requests_per_s", "requests/s", Sense::higher},
    Rule{"samples_per_s", "samples/s", Sense::higher},
    Rule{"growth_per_s", "1/s", Sense::neutral},
    Rule{"serving.memory.kv_per_gpu", "B", Sense::higher},
    Rule{"gradient_accumulation", "", Sense::neutral},
    Rule{"mean_time_between_failures", "s", Sense::higher},
    Rule{"checkpoint.interval_steps", "", Sense::neutral},
    Rule{"checkpoint.interval", "s", Sense::neutral},
    Rule{"time_share", "%", Sense::neutral},
    Rule{"util.", "%", Sense::neutral},
    Rule{"utilisation", "%", Sense::neutral},
    Rule{"busy_fraction", "%", Sense::neutral},
    Rule{"_fraction", "%", Sense::lower},
    Rule{"deadline_miss_rate", "%", Sense::lower},
    Rule{"hit_rate", "%", Sense::higher},
    Rule{"attainment", "%", Sense::higher},
    Rule{"goodput", "%", Sense::higher},
    Rule{".mfu", "%", Sense::higher},
    Rule{".hfu", "%", Sense::neutral},
    Rule{"fraction_of_peak", "%", Sense::higher},
    Rule{"kernel.flops", "FLOP", Sense::neutral},
    Rule{".flops", "FLOP", Sense::neutral},
    Rule{".intensity", "FLOP/B", Sense::neutral},
    Rule{"bw", "B/s", Sense::higher},
    Rule{"memory", "B", Sense::lower},
    Rule{"_bytes", "B", Sense::neutral},
    Rule{".bytes", "B", Sense::neutral},
    Rule{"nvme_per_node", "B", Sense::neutral},
    Rule{".yield", "%", Sense::higher},
    Rule{"die_area", "m2", Sense::lower},
    Rule{"accepted_tokens", "", Sense::higher},
    Rule{"throughput", "1/s", Sense::higher},
    Rule{"preemptions", "", Sense::lower},
    Rule{"rejected", "", Sense::lower},
    Rule{"slowdown", "", Sense::lower},
    Rule{"failures", "", Sense::lower},
    Rule{"queue.mean_wait", "s", Sense::lower},
    Rule{"queue.", "", Sense::lower},
    Rule{"ttft", "s", Sense::lower},
    Rule{"tpot", "s", Sense::lower},
    Rule{"itl", "s", Sense::lower},
    Rule{"e2e", "s", Sense::lower},
    Rule{"time", "s", Sense::lower},
    Rule{"latency", "s", Sense::lower},
    Rule{"jitter", "s", Sense::lower},
    Rule{"wait", "s", Sense::lower},
};

// "collective.all_reduce[bytes=1024].time" without what stands in brackets.
std::string without_brackets(std::string_view metric) {
  std::string out;
  int depth = 0;
  for (const char c : metric) {
    depth += c == '[' ? 1 : 0;
    if (depth == 0) {
      out += c;
    }
    depth -= c == ']' ? 1 : 0;
  }
  return out;
}

const Rule* rule_of(std::string_view name) {
  const std::string metric = without_brackets(name);
  for (const Rule& rule : kRules) {
    if (metric.find(rule.part) != std::string_view::npos) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace

Sense sense_of(std::string_view metric) {
  const Rule* rule = rule_of(metric);
  return rule == nullptr ? Sense::neutral : rule->sense;
}

std::string_view unit_of(std::string_view metric) {
  const Rule* rule = rule_of(metric);
  return rule == nullptr ? std::string_view{} : rule->unit;
}

bool is_exact(std::string_view metric) {
  static constexpr std::array parts = {std::string_view("kv_blocks"), std::string_view("serving.memory."),
                                       std::string_view("cost.capex"), std::string_view("cost.usd_per_hour"),
                                       std::string_view("sim.events")};
  for (const std::string_view part : parts) {
    if (metric.find(part) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace gpuplan::sim

#include "sim/plan/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/json/path.h"
#include "sim/report/default_metric.h"
#include "sim/report/difference.h"
#include "sim/report/metric_sense.h"

namespace gpuplan::sim {

namespace {

constexpr double kStep = 0.1;     // relative change of a real parameter
constexpr double kFree = 1000.0;  // "as if it cost nothing"
constexpr int kOtherSeeds = 3;
constexpr double kSmallCount = 20.0;  // below this a count is halved and doubled

// Collects scenarios to run; each run says what becomes of its answer.
class Batch {
 public:
  void add(Asked asked, std::function<void(const Answer&)> then) {
    asked_.push_back(std::move(asked));
    then_.push_back(std::move(then));
  }
  // Runs all; returns how many.
  std::size_t run(const Library& library, const EvaluateAllOptions& options) {
    const std::vector<Answer> answers = evaluate_all(asked_, library, options);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      then_[i](answers[i]);
    }
    return answers.size();
  }

 private:
  std::vector<Asked> asked_;
  std::vector<std::function<void(const Answer&)>> then_;
};

std::optional<double> metric_of(const Answer& answer, const std::string& metric) {
  const Metric* found = answer.ran() ? answer.result.find(metric) : nullptr;
  return found != nullptr && found->value.is_number() ? std::optional(found->value.number()) : std::nullopt;
}

// Whether the cost of a changed machine is in the cost model: that of GPUs and nodes is, of more or faster
// NICs it is not.
bool priced(const SingleChange& move) {
  return std::none_of(move.sets.begin(), move.sets.end(),
                      [](const std::string& set) { return set.starts_with("machine.nic"); });
}

class Study {
 public:
  Study(const Asked& scenario, const std::string& metric, const Library& library,
        const EvaluateAllOptions& options)
      : scenario_(scenario), library_(library), options_(options) {
    out_.metric = metric;
  }

  Sensitivity run() {
    run_base();
    Batch first;
    for (const Parameter& parameter : parameters_of(out_.result.scenario, library_)) {
      pending_.push_back({parameter, {}, {}, {}, {}});
    }
    for (Pending& one : pending_) {
      ask(one, first, near_steps(one.parameter));
    }
    ask_noise(first);
    ask_limits(first);
    ask_moves(first);
    out_.runs += first.run(library_, options_);
    // Counts that only divide: half and double of those that nothing near was valid for.
    Batch second;
    EvaluateAllOptions quiet = options_;
    quiet.progress = nullptr;
    for (Pending& one : pending_) {
      if (!one.at_low && !one.at_high && one.parameter.integer) {
        ask(one, second, {std::floor(one.parameter.value / 2.0), 2.0 * one.parameter.value});
      }
    }
    out_.runs += second.run(library_, quiet);
    finish();
    return std::move(out_);
  }

 private:
  struct Pending {
    Parameter parameter;
    std::optional<double> low, high;
    std::optional<double> at_low, at_high;
  };

  void run_base() {
    EvaluateAllOptions alone;
    alone.each = options_.each;
    Answer answer = evaluate_all({scenario_}, library_, alone).front();
    if (!answer.problems.empty()) {
      throw InputError(answer.problems);
    }
    if (!answer.ran()) {
      throw InputError(Problem{scenario_.name, answer.why, "a scenario that fits", ""});
    }
    if (out_.metric.empty()) {
      out_.metric = default_metric(answer.result);
    }
    const Metric* metric = answer.result.find(out_.metric);
    if (metric == nullptr || !metric->value.is_number()) {
      std::vector<std::string> names;
      for (const Metric& one : answer.result.metrics) {
        if (one.value.is_number()) {
          names.push_back(one.name);
        }
      }
      throw InputError(Problem{"METRIC", "\"" + out_.metric.substr(0, 60) + "\"",
                               "a number that the scenario reports (gpuplan run --json shows them)",
                               did_you_mean(out_.metric, names)});
    }
    if (!(metric->value.number() > 0.0)) {
      throw InputError(Problem{"METRIC", fmt::format("{} = {:g}", out_.metric, metric->value.number()),
                               "a metric above zero: others have no elasticity", ""});
    }
    out_.base = *metric;
    out_.result = std::move(answer.result);
    ++out_.runs;
    sense_ = sense_of(out_.metric);
  }

  // Values below and above, the same where there is none.
  static std::array<double, 2> near_steps(const Parameter& p) {
    if (!p.integer) {
      return {p.value * (1.0 - kStep), p.value * (1.0 + kStep)};
    }
    if (p.value < kSmallCount) {
      return {std::fmod(p.value, 2.0) == 0.0 ? p.value / 2.0 : p.value, 2.0 * p.value};
    }
    return {std::round(p.value * (1.0 - kStep)), std::round(p.value * (1.0 + kStep))};
  }

  void ask(Pending& one, Batch& batch, const std::array<double, 2>& steps) {
    for (const bool high : {false, true}) {
      const double value = steps[high ? 1 : 0];
      if (value == one.parameter.value || value == 0.0) {
        continue;
      }
      Asked changed = scenario_;
      one.parameter.set(changed.document, value);
      batch.add(std::move(changed), [&one, value, high, this](const Answer& answer) {
        const std::optional<double> metric = metric_of(answer, out_.metric);
        if (metric && *metric > 0.0) {
          (high ? one.high : one.low) = value;
          (high ? one.at_high : one.at_low) = metric;
        }
      });
    }
  }

  void ask_noise(Batch& batch) {
    const json::Value* seed = out_.result.scenario.find("seed");
    for (int i = 1; seed != nullptr && seed->is_integer() && i <= kOtherSeeds; ++i) {
      Asked other = scenario_;
      json::set_value(other.document, "seed", json::Value(seed->integer() + i), "seed");
      batch.add(std::move(other), [this](const Answer& answer) {
        if (const std::optional<double> metric = metric_of(answer, out_.metric); metric && *metric > 0.0) {
          seeds_.push_back(*metric);
        }
      });
    }
  }

  void ask_limit(Batch& batch, const std::string& name, const std::function<void(json::Value&)>& change) {
    Asked free = scenario_;
    change(free.document);
    batch.add(std::move(free), [this, name](const Answer& answer) {
      if (const std::optional<double> metric = metric_of(answer, out_.metric)) {
        out_.limits.push_back({name, *metric, std::max(1.0, gain(*metric))});
      }
    });
  }

  void ask_limits(Batch& batch) {
    const json::Value& resolved = out_.result.scenario;
    if (const std::optional<Gpu> gpu = gpu_of(resolved, library_)) {
      const json::Value named = *json::find_at(resolved, "machine.gpu");
      // With the power that they would draw: under the power cap of today they would stand still.
      ask_limit(batch, "matrix units", [&](json::Value& d) {
        scale_matrix_peaks(d, named, *gpu, kFree);
        set_gpu_field(d, named, "tdp_w", gpu->tdp.si() * kFree);
      });
      ask_limit(batch, "power cap",
                [&](json::Value& d) { set_gpu_field(d, named, "tdp_w", gpu->tdp.si() * kFree); });
      const auto field = [&](const std::string& name, const char* key, double now) {
        if (now > 0.0) {
          ask_limit(batch, name, [&](json::Value& d) { set_gpu_field(d, named, key, now * kFree); });
        }
      };
      field("HBM bandwidth", "memory_bandwidth_gbps", gpu->memory_bandwidth.si() * 1e-9);
      field("memory capacity", "memory_gb", gpu->memory.si() * 1e-9);
      field("L2 capacity", "l2_mib", gpu->l2.si() / 1048576.0);
      field("links between GPUs", "scale_up_bandwidth_gbps", gpu->scale_up_bandwidth.si() * 1e-9);
      field("PCIe", "pcie_bandwidth_gbps", gpu->pcie_bandwidth.si() * 1e-9);
    }
    const std::string nic = "machine.nic_bandwidth";
    const json::Value* network = json::find_at(resolved, nic);
    if (network != nullptr && network->is_number() && network->number() > 0.0) {
      ask_limit(batch, "network", [&](json::Value& d) {
        json::set_value(d, nic, json::Value(network->number() * kFree), nic);
      });
    }
    if (json::find_at(resolved, "engine.step_overhead") != nullptr) {
      ask_limit(batch, "host time of the engine", [](json::Value& d) {
        json::set_value(d, "engine.step_overhead", json::Value(0), "engine");
        json::set_value(d, "engine.step_overhead_per_sequence", json::Value(0), "engine");
      });
    }
  }

  void ask_moves(Batch& batch) {
    for (const SingleChange& move : single_changes_of(out_.result.scenario, library_)) {
      Asked changed = scenario_;
      for (const std::string& set : move.sets) {
        json::set_path(changed.document, set);
      }
      ++out_.moves_tried;
      batch.add(std::move(changed), [this, move](const Answer& answer) { keep_move(move, answer); });
    }
  }

  void keep_move(const SingleChange& move, const Answer& answer) {
    const std::optional<double> metric = metric_of(answer, out_.metric);
    if (!metric || !(*metric > 0.0)) {
      ++out_.moves_refused;
      return;
    }
    ChangeOutcome outcome;
    outcome.move = move;
    outcome.metric = *metric;
    outcome.gain = gain(*metric);
    const bool alike = errors_alike(out_.result.scenario, answer.result.scenario);
    const json::Value* kind = out_.result.scenario.find("kind");
    const double correlation = error_correlation(kind->is_string() ? kind->string() : "", alike);
    for (const Difference& d : differences(out_.result, answer.result, correlation)) {
      if (d.metric == out_.metric && d.ratio80) {
        outcome.gain80 =
            sense_ == Sense::lower ? std::array{1.0 / (*d.ratio80)[1], 1.0 / (*d.ratio80)[0]} : *d.ratio80;
      }
      if ((d.metric == "cost.usd_per_million_output_tokens" || d.metric == "cost.usd_per_million_tokens" ||
           d.metric == "cost.usd_per_million_samples") &&
          d.ratio && priced(move)) {
        outcome.cost_ratio = d.ratio;
      }
    }
    if (outcome.gain > 1.001) {
      out_.moves.push_back(std::move(outcome));
    }
  }

  // How many times better the metric has become. What is neither good nor bad gains by growing.
  [[nodiscard]] double gain(double metric) const {
    const double base = out_.base.value.number();
    return sense_ == Sense::lower ? base / metric : metric / base;
  }

  void finish() {
    const double base = out_.base.value.number();
    double sum = 0.0;
    for (const double metric : seeds_) {
      sum += std::log(metric / base) * std::log(metric / base);
    }
    // Both members of each difference vary.
    out_.noise = seeds_.empty() ? 0.0 : std::sqrt(0.5 * sum / static_cast<double>(seeds_.size()));
    for (const Pending& one : pending_) {
      const double low = one.low.value_or(one.parameter.value), high = one.high.value_or(one.parameter.value);
      if (low == high) {
        out_.fixed.push_back(one.parameter.name);
        continue;
      }
      const double at_low = one.at_low.value_or(base), at_high = one.at_high.value_or(base);
      out_.elasticities.push_back({one.parameter.name, one.parameter.group, one.parameter.value, low, high,
                                   at_low, at_high, std::log(at_high / at_low) / std::log(high / low)});
    }
    std::stable_sort(out_.elasticities.begin(), out_.elasticities.end(),
                     [](const Elasticity& a, const Elasticity& b) {
                       return std::abs(a.elasticity) > std::abs(b.elasticity);
                     });
    const auto better = [](const auto& a, const auto& b) { return a.gain > b.gain; };
    std::stable_sort(out_.limits.begin(), out_.limits.end(), better);
    std::stable_sort(out_.moves.begin(), out_.moves.end(), better);
  }

  const Asked& scenario_;
  const Library& library_;
  const EvaluateAllOptions& options_;
  Sense sense_ = Sense::neutral;
  std::vector<Pending> pending_;
  std::vector<double> seeds_;
  Sensitivity out_;
};

}  // namespace

Sensitivity sensitivity_of(const Asked& scenario, const std::string& metric, const Library& library,
                           const EvaluateAllOptions& options) {
  return Study(scenario, metric, library, options).run();
}

json::Value sensitivity_json(const Sensitivity& s) {
  json::Value parameters{json::Array{}}, limits{json::Array{}}, moves{json::Array{}}, fixed{json::Array{}};
  for (const Elasticity& e : s.elasticities) {
    json::Value one;
    one["parameter"] = e.name;
    one["group"] = e.group;
    one["value"] = e.value;
    one["tried"] = json::Value(json::Array{json::Value(e.low), json::Value(e.high)});
    one["metric"] = json::Value(json::Array{json::Value(e.at_low), json::Value(e.at_high)});
    one["elasticity"] = e.elasticity;
    parameters.push_back(std::move(one));
  }
  for (const FreeResource& limit : s.limits) {
    json::Value one;
    one["resource"] = limit.name;
    one["metric"] = limit.metric;
    one["gain"] = limit.gain;
    limits.push_back(std::move(one));
  }
  for (const ChangeOutcome& outcome : s.moves) {
    json::Value one, sets{json::Array{}};
    for (const std::string& set : outcome.move.sets) {
      sets.push_back(json::Value(set));
    }
    one["change"] = outcome.move.text;
    one["set"] = std::move(sets);
    one["kind"] = name_of(outcome.move.kind);
    one["metric"] = outcome.metric;
    one["gain"] = outcome.gain;
    if (outcome.gain80) {
      one["gain80"] =
          json::Value(json::Array{json::Value((*outcome.gain80)[0]), json::Value((*outcome.gain80)[1])});
    }
    if (outcome.cost_ratio) {
      one["cost_ratio"] = *outcome.cost_ratio;
    }
    moves.push_back(std::move(one));
  }
  for (const std::string& name : s.fixed) {
    fixed.push_back(json::Value(name));
  }
  json::Value out;
  out["schema"] = 1;
  out["metric"] = s.metric;
  out["value"] = s.base.value;
  if (s.base.interval80) {
    out["interval80"] =
        json::Value(json::Array{json::Value((*s.base.interval80)[0]), json::Value((*s.base.interval80)[1])});
  }
  out["noise"] = s.noise;
  if (!s.result.bottlenecks.empty()) {
    json::Value bottleneck;
    bottleneck["resource"] = s.result.bottlenecks.front().resource;
    bottleneck["share"] = s.result.bottlenecks.front().share;
    out["bottleneck"] = std::move(bottleneck);
  }
  out["elasticities"] = std::move(parameters);
  out["cannot_vary_alone"] = std::move(fixed);
  out["limits"] = std::move(limits);
  out["moves"] = std::move(moves);
  out["runs"] = s.runs;
  return out;
}

}  // namespace gpuplan::sim

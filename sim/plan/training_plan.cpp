#include "sim/plan/training_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/memory/serving_memory.h"

namespace gpuplan::sim {

namespace {

class Planner {
 public:
  Planner(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
          const collectives::CollectiveModel& collectives)
      : scenario_(scenario), kernels_(kernels), collectives_(collectives), space_(scenario) {}

  [[nodiscard]] PlannedSplit simulated(const PlanCandidate& candidate) const {
    PlannedSplit out;
    out.candidate = candidate;
    out.job = scenario_.job;
    space_.apply(candidate.point, out.job);
    std::vector<Problem> problems;
    resolve_job(out.job, "$", problems);
    const TrainingScenario split = with_split(scenario_, out);
    const TrainingOutcome o = simulate_training(split, kernels_, collectives_);
    out.step = o.estimate.step;
    out.mfu = o.estimate.model_flops / (out.step.si() * out.job.gpus * training_peak(split).si());
    out.tokens_per_s_per_gpu = out.job.tokens() / out.step.si() / out.job.gpus;
    out.samples_per_s_per_gpu = out.job.batch.global_batch / out.step.si() / out.job.gpus;
    out.spread80 = o.estimate.spread80;
    if (const TrainingRates& rates = scenario_.rates; rates.usd_per_hour) {
      out.usd_per_million_tokens =
          rates.hourly(busy_share(o.estimate)) / 3600.0 / out.tokens_per_s_per_gpu * 1e6;
    }
    return out;
  }

 private:
  const TrainingScenario& scenario_;
  const kernels::KernelModel& kernels_;
  const collectives::CollectiveModel& collectives_;
  TrainingSpace space_;
};

// What a slower candidate spends more time on.
std::string why_slower(const PlanCandidate& loser, const PlanCandidate& winner) {
  std::vector<std::pair<double, std::string>> parts = {
      {loser.exposed - winner.exposed, "communication that nothing hides"},
      {loser.bubble - winner.bubble, "pipeline bubble"},
      {loser.compute - winner.compute,
       loser.again > winner.again + 0.01
           ? fmt::format("computing, {:.0f} % of the FLOPs twice", 100.0 * loser.again)
           : "computing (smaller or more kernels)"},
      {loser.rest - winner.rest, "optimiser, offload and waiting for slow nodes"}};
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out;
  for (const auto& [seconds, what] : parts) {
    if (seconds > 0.005 * winner.step) {
      out += fmt::format("{}+{:.3g} s {}", out.empty() ? "" : ", ", seconds, what);
    }
  }
  return out;
}

std::vector<StrategyPlan> strategies_of(const TrainingPlan& plan, const Planner& planner) {
  std::vector<StrategyPlan> out;
  const double limit = (plan.usable - plan.margin).si();
  for (std::size_t i = 0; i < kStrategies; ++i) {
    const StrategyResult& found = plan.search.strategies.at(i);
    if (found.legal == 0) {
      continue;
    }
    StrategyPlan one;
    one.strategy = static_cast<Strategy>(i);
    one.legal = found.legal;
    one.fit = found.fit;
    if (found.best) {
      one.best = planner.simulated(*found.best);
    } else if (found.smallest) {
      one.why = fmt::format("does not fit: {:.3g} GB a GPU at least, {:.3g} too many",
                            found.smallest->memory * 1e-9, (found.smallest->memory - limit) * 1e-9);
    }
    out.push_back(std::move(one));
  }
  std::stable_sort(out.begin(), out.end(), [](const StrategyPlan& a, const StrategyPlan& b) {
    const double far = 1e300;
    return (a.best ? a.best->step.si() : far) < (b.best ? b.best->step.si() : far);
  });
  for (StrategyPlan& one : out) {
    if (one.best && &one != &out.front()) {
      one.why = why_slower(one.best->candidate, out.front().best->candidate);
    }
  }
  return out;
}

void add_once(const PlannedSplit& split, std::vector<PlannedSplit>& to) {
  if (std::none_of(to.begin(), to.end(), [&](const PlannedSplit& other) {
        return other.candidate.point == split.candidate.point;
      })) {
    to.push_back(split);
  }
}

// The split that the scenario itself asks for, if it breaks no rule and the GPU can hold it.
std::optional<PlannedSplit> own_split(const TrainingScenario& scenario, const Planner& planner,
                                      const kernels::KernelModel& kernels,
                                      const collectives::CollectiveModel& collectives) {
  const TrainingSpace space(scenario);
  PlanEvaluator prices(space, kernels, collectives, {}, scenario.machine.nodes);
  const PlanPoint point = space.own();
  if (!prices.check(point).empty() || prices.memory() > usable_memory(scenario.machine.gpu).si()) {
    return std::nullopt;
  }
  PlanCandidate own = prices.price(point);
  own.memory = prices.memory();
  return planner.simulated(own);
}

json::Value json_of(const PlannedSplit& s) {
  json::Value out;
  const PlanPoint& p = s.candidate.point;
  out["split"] = text_of(p);
  out["nodes"] = p.nodes;
  out["parallelism"] = json::write(s.job.parallelism);
  out["micro_batch"] = p.micro_batch;
  out["recompute"] = std::string(json::name_of(p.recompute));
  out["recompute_layers"] = p.recompute_layers;
  out["offload"] = std::string(json::name_of(p.offload));
  out["step_time"] = s.step.si();
  out["step_time_formula"] = s.candidate.step;
  json::Array interval;
  interval.emplace_back(s.step.si() / (1.0 + s.spread80));
  interval.emplace_back(s.step.si() * (1.0 + s.spread80));
  out["interval80"] = json::Value(std::move(interval));
  out["memory"] = s.candidate.memory;
  out["mfu"] = s.mfu;
  if (s.job.convnet() == nullptr) {
    out["tokens_per_s_per_gpu"] = s.tokens_per_s_per_gpu;
  }
  out["samples_per_s_per_gpu"] = s.samples_per_s_per_gpu;
  if (s.usd_per_million_tokens) {
    out["usd_per_million_tokens"] = *s.usd_per_million_tokens;
  }
  return out;
}

// "tensor, pipeline, data": groups of more than one rank, from neighbouring GPUs outwards.
std::string placement_text(const PlanPoint& p) {
  if (p.order == kOwnOrder) {
    return "as the scenario says";
  }
  std::string out;
  for (const Group group : placement_orders()[static_cast<std::size_t>(p.order)]) {
    const int degree = group == Group::tensor     ? p.tensor
                       : group == Group::context  ? p.context
                       : group == Group::pipeline ? p.pipeline
                                                  : p.data;
    out += degree > 1 ? (out.empty() ? "" : ", ") + std::string(json::name_of(group)) : "";
  }
  return out;
}

}  // namespace

std::string text_of(const PlanPoint& p) {
  std::string out;
  const auto degree = [&](const char* name, int n) {
    if (n > 1) {
      out += fmt::format("{}{} {}", out.empty() ? "" : " x ", name, n);
    }
  };
  degree("tensor", p.tensor);
  degree("context", p.context);
  degree("pipeline", p.pipeline);
  if (p.pipeline > 1 && p.schedule != PipelineSchedule::one_forward_one_backward) {
    out += p.virtual_stages > 1 ? fmt::format(" ({} chunks)", p.virtual_stages)
                                : fmt::format(" ({})", json::name_of(p.schedule));
  }
  degree("data", p.data);
  if (out.empty()) {
    out = "one GPU";
  }
  out += p.expert > 1 ? fmt::format(", experts over {}", p.expert) : "";
  out += fmt::format(", micro-batch {}", p.micro_batch);
  if (p.sharding != Sharding::ddp) {
    out += fmt::format(", {}", json::name_of(p.sharding));
    out += p.shard_group > 0 ? fmt::format(" over {}", p.shard_group) : "";
    out += p.reshard ? "" : " kept gathered";
  }
  if (p.recompute != Recompute::none) {
    out += fmt::format(", recompute {}", json::name_of(p.recompute));
    out += p.recompute_layers > 0 ? fmt::format(" ({} layers)", p.recompute_layers) : "";
  }
  out += p.offload != Offload::none ? fmt::format(", offload {}", json::name_of(p.offload)) : "";
  out += p.order == 0 ? "" : ", placed " + placement_text(p);
  return out;
}

TrainingScenario with_split(const TrainingScenario& scenario, const PlannedSplit& split) {
  TrainingScenario out = scenario;
  out.job = split.job;
  out.machine.nodes = out.spec.machine.nodes = split.candidate.point.nodes;
  out.spec.parallelism = split.job.parallelism;
  out.spec.batch = split.job.batch;
  out.spec.recompute = split.job.recompute;
  out.spec.recompute_layers = split.job.recompute_layers;
  out.spec.precision = split.job.precision;
  out.spec.offload = split.job.offload;
  out.spec.software = split.job.software;
  out.spec.variants.clear();
  out.spec.vary.clear();
  return out;
}

TrainingPlan plan_training(const TrainingScenario& scenario, const Library& library,
                           const SearchOptions& options) {
  return plan_training(scenario, kernels::KernelModel::for_gpu(scenario.machine.gpu, library.data_dir),
                       collectives::CollectiveModel::load(library.data_dir), options);
}

TrainingPlan plan_training(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
                           const collectives::CollectiveModel& collectives, const SearchOptions& options) {
  const PlanSpec& spec = scenario.spec.plan;
  TrainingPlan out;
  out.usable = usable_memory(scenario.machine.gpu);
  out.margin = spec.memory_margin * out.usable;
  out.search = search_training(scenario, kernels, collectives, options);
  const Planner planner(scenario, kernels, collectives);
  const auto keep = static_cast<std::size_t>(spec.keep);
  std::vector<PlanCandidate> finalists = out.search.best;
  if (finalists.size() > keep) {
    // The simplest of the ties runs too, wherever it stands.
    const PlanCandidate simple = recommended(finalists, spec.tie);
    finalists.resize(keep);
    if (std::none_of(finalists.begin(), finalists.end(),
                     [&](const PlanCandidate& c) { return c.point == simple.point; })) {
      finalists.back() = simple;
    }
  }
  for (const PlanCandidate& one : finalists) {
    out.top.push_back(planner.simulated(one));
  }
  out.strategies = strategies_of(out, planner);
  if (out.search.by_nodes.size() > 1) {
    for (const auto& [nodes, best] : out.search.by_nodes) {
      out.by_nodes.push_back(planner.simulated(best));
    }
  }
  if (const PlanCandidate* cheapest = out.search.cheapest()) {
    out.cheapest = planner.simulated(*cheapest);
  }
  out.own = own_split(scenario, planner, kernels, collectives);
  // The engine knows contention that the formula does not: the best of each strategy, and the scenario's own
  // split, compete too.
  for (const StrategyPlan& one : out.strategies) {
    if (one.best) {
      add_once(*one.best, out.top);
    }
  }
  const bool of_nodes = spec.nodes.empty() || std::find(spec.nodes.begin(), spec.nodes.end(),
                                                        scenario.machine.nodes) != spec.nodes.end();
  if (out.own && of_nodes && out.own->candidate.memory <= (out.usable - out.margin).si()) {
    add_once(*out.own, out.top);
  }
  std::stable_sort(out.top.begin(), out.top.end(),
                   [](const PlannedSplit& a, const PlannedSplit& b) { return a.step < b.step; });
  for (std::size_t i = 1; i < out.top.size(); ++i) {
    if (out.top[i].step <= (1.0 + spec.tie) * out.top.front().step &&
        complexity(out.top[i].candidate.point) < complexity(out.top[out.chosen].candidate.point)) {
      out.chosen = i;
    }
  }
  out.top.resize(std::min(out.top.size(), std::max(keep, out.chosen + 1)));
  double fsdp = 0.0, tensor = 0.0;
  for (const StrategyPlan& one : out.strategies) {
    if (!one.best) {
      continue;
    }
    const double step = one.best->step.si();
    if (one.strategy == Strategy::sharded) {
      fsdp = step;
    } else if (one.best->candidate.point.tensor > 1 && (tensor == 0.0 || step < tensor)) {
      tensor = step;
    }
  }
  out.tensor_over_fsdp = fsdp > 0.0 ? tensor / fsdp : 0.0;
  return out;
}

json::Value plan_json(const TrainingScenario& scenario, const TrainingPlan& plan) {
  json::Value out;
  out["schema"] = 1;
  out["scenario"] = resolved_json(scenario);
  json::Value& p = out["plan"];
  const auto count = [](std::int64_t n) { return static_cast<double>(n); };
  p["candidates"] = count(plan.search.candidates);
  p["legal"] = count(plan.search.legal);
  p["fit"] = count(plan.search.fit);
  p["complete"] = plan.search.complete();
  p["usable_memory"] = plan.usable.si();
  p["memory_margin"] = plan.margin.si();
  if (!plan.top.empty()) {
    p["best"] = json_of(plan.top[plan.chosen]);
  }
  if (plan.own) {
    p["own"] = json_of(*plan.own);
  }
  if (plan.cheapest) {
    p["cheapest"] = json_of(*plan.cheapest);
  }
  p["cost"] = scenario.rates.hour_source;
  json::Array nodes;
  for (const PlannedSplit& one : plan.by_nodes) {
    nodes.push_back(json_of(one));
  }
  p["nodes"] = json::Value(std::move(nodes));
  json::Array top, front, strategies;
  for (const PlannedSplit& one : plan.top) {
    top.push_back(json_of(one));
  }
  p["top"] = json::Value(std::move(top));
  for (const PlanCandidate& one : plan.search.front) {
    json::Value point;
    point["split"] = text_of(one.point);
    point["nodes"] = one.point.nodes;
    point["step_time_formula"] = one.step;
    point["memory"] = one.memory;
    point[scenario.rates.usd_per_hour ? "usd_per_million_tokens" : "gpu_seconds_per_million_tokens"] =
        one.cost;
    front.push_back(std::move(point));
  }
  p["pareto"] = json::Value(std::move(front));
  for (const StrategyPlan& one : plan.strategies) {
    json::Value s;
    s["strategy"] = std::string(json::name_of(one.strategy));
    s["legal"] = count(one.legal);
    s["fit"] = count(one.fit);
    if (one.best) {
      s["best"] = json_of(*one.best);
    }
    s["why"] = one.why;
    strategies.push_back(std::move(s));
  }
  p["strategies"] = json::Value(std::move(strategies));
  if (plan.tensor_over_fsdp > 0.0) {
    p["tensor_over_fsdp"] = plan.tensor_over_fsdp;
  }
  json::Value& illegal = p["illegal"];
  illegal = json::Value(json::Object{});
  for (const auto& [field, n] : plan.search.illegal) {
    illegal[field] = count(n);
  }
  return out;
}

}  // namespace gpuplan::sim

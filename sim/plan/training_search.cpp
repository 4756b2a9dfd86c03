#include "sim/plan/training_search.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "sim/plan/worker_pool.h"
#include "sim/report/training_report.h"
#include "sim/training/host_fit.h"
#include "workloads/memory/serving_memory.h"
#include "workloads/memory/training_memory.h"

namespace gpuplan::sim {

std::span<const std::string_view> enum_names(Strategy /*tag*/) {
  static constexpr std::array<std::string_view, kStrategies> names = {
      "data parallel",   "FSDP",
      "tensor",          "tensor + FSDP",
      "pipeline",        "tensor + pipeline",
      "pipeline + FSDP", "tensor + pipeline + FSDP"};
  return names;
}

Strategy strategy_of(const PlanPoint& p) {
  const bool sharded = p.sharding == Sharding::fsdp || p.sharding == Sharding::zero3;
  constexpr std::array<Strategy, 4> plain = {Strategy::data, Strategy::tensor, Strategy::pipeline,
                                             Strategy::tensor_pipeline};
  constexpr std::array<Strategy, 4> with = {Strategy::sharded, Strategy::tensor_sharded,
                                            Strategy::pipeline_sharded, Strategy::all};
  const std::size_t index = (p.tensor > 1 ? 1U : 0U) + (p.pipeline > 1 ? 2U : 0U);
  return sharded ? with.at(index) : plain.at(index);
}

bool before(const PlanCandidate& a, const PlanCandidate& b) {
  if (a.step != b.step) {
    return a.step < b.step;
  }
  const int ca = complexity(a.point), cb = complexity(b.point);
  return ca != cb ? ca < cb : a.point < b.point;
}

const PlanCandidate& recommended(const std::vector<PlanCandidate>& best, double tie) {
  const double limit = best.front().step * (1.0 + tie);
  const PlanCandidate* out = &best.front();
  for (const PlanCandidate& one : best) {
    if (one.step <= limit && complexity(one.point) < complexity(out->point)) {
      out = &one;
    }
  }
  return *out;
}

const PlanCandidate* SearchResult::cheapest() const {
  const auto least =
      std::min_element(front.begin(), front.end(),
                       [](const PlanCandidate& a, const PlanCandidate& b) { return a.cost < b.cost; });
  return least == front.end() ? nullptr : &*least;
}

PlanEvaluator::PlanEvaluator(const TrainingSpace& space, const kernels::KernelModel& kernels,
                             const collectives::CollectiveModel& collectives, const StepConstants& constants,
                             int nodes)
    : space_(space),
      estimator_(
          [&] {
            TrainingMachine machine = space.scenario().machine;
            machine.nodes = nodes;
            return machine;
          }(),
          kernels, collectives, constants),
      cache_(estimator_),
      job_(space.scenario().job) {}

std::string_view PlanEvaluator::check(const PlanPoint& point) {
  static const std::string nowhere;
  space_.apply(point, job_);
  problems_.clear();
  resolve_job(job_, nowhere, problems_);
  if (problems_.empty()) {
    static const std::string host_is_too_small = "offload: host memory and drives";
    return job_.offload == Offload::none || host_use(estimator_.machine(), job_).fits() ? std::string_view{}
                                                                                        : host_is_too_small;
  }
  broken_ = problems_.front().path.substr(1);
  return broken_;
}

double PlanEvaluator::memory() const { return fullest_stage(job_).total().si(); }

PlanCandidate PlanEvaluator::price(const PlanPoint& point) {
  const StepEstimate e = cache_.estimate(job_);
  PlanCandidate out;
  out.point = point;
  out.step = e.step.si();
  out.exposed = e.exposed.si();
  out.bubble = e.bubble.si();
  const double m = job_.micro_batches();
  out.compute = e.steady.si() - m * e.stages[e.slowest].exposed.si();
  out.rest = out.step - out.compute - out.exposed - out.bubble;
  out.again = e.hardware_flops / e.model_flops - 1.0;
  const TrainingRates& rates = space_.scenario().rates;
  const double gpu_seconds = out.step * job_.gpus / job_.tokens() * 1e6;
  out.cost = rates.usd_per_hour ? rates.hourly(busy_share(e)) / 3600.0 * gpu_seconds : gpu_seconds;
  return out;
}

namespace {

bool dominates(const PlanCandidate& a, const PlanCandidate& b) {
  return a.step <= b.step && a.memory <= b.memory && a.cost <= b.cost;
}

// Collects candidates as they come, from one process or merged from several.
class Collector {
 public:
  Collector(SearchResult& result, std::size_t keep) : result_(result), keep_(keep) {}

  void fitting(const PlanCandidate& c) {
    StrategyResult& s = result_.strategies.at(static_cast<std::size_t>(strategy_of(c.point)));
    if (!s.best || before(c, *s.best)) {
      s.best = c;
    }
    const auto [of_nodes, is_first] = result_.by_nodes.try_emplace(c.point.nodes, c);
    if (!is_first && before(c, of_nodes->second)) {
      of_nodes->second = c;
    }
    add_best(c);
    add_front(c);
  }
  void unfitting(const PlanCandidate& c) {
    StrategyResult& s = result_.strategies.at(static_cast<std::size_t>(strategy_of(c.point)));
    if (!s.smallest || std::pair(c.memory, c.point) < std::pair(s.smallest->memory, s.smallest->point)) {
      s.smallest = c;
    }
  }

 private:
  void add_best(const PlanCandidate& c) {
    std::vector<PlanCandidate>& all = result_.best;
    if (std::find_if(all.begin(), all.end(), [&](const PlanCandidate& o) { return o.point == c.point; }) !=
        all.end()) {
      return;  // it came by another way
    }
    if (all.size() == keep_ && !before(c, all.back())) {
      return;
    }
    all.insert(std::upper_bound(all.begin(), all.end(), c, before), c);
    if (all.size() > keep_) {
      all.pop_back();
    }
  }
  void add_front(const PlanCandidate& c) {
    std::vector<PlanCandidate>& front = result_.front;
    for (const PlanCandidate& other : front) {
      if (dominates(other, c) && !(dominates(c, other) && before(c, other))) {
        return;
      }
    }
    std::erase_if(front, [&](const PlanCandidate& other) { return dominates(c, other); });
    front.insert(std::upper_bound(front.begin(), front.end(), c, before), c);
  }

  SearchResult& result_;
  std::size_t keep_;
};

// A result as bytes, between processes of one program.
class Archive {
 public:
  Archive() = default;
  explicit Archive(std::string bytes) : bytes_(std::move(bytes)) {}
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  template <class T>
  requires std::is_trivially_copyable_v<T> T take() {
    if (at_ + sizeof(T) > bytes_.size()) {
      throw std::runtime_error("a worker process sent half an answer");
    }
    T out;
    std::memcpy(&out, bytes_.data() + at_, sizeof out);
    at_ += sizeof out;
    return out;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

std::string packed(const SearchResult& r) {
  Archive out;
  out.put(r.candidates);
  out.put(r.legal);
  out.put(r.fit);
  out.put(r.splits_done);
  for (const std::vector<PlanCandidate>* list : {&r.best, &r.front}) {
    out.put(list->size());
    for (const PlanCandidate& c : *list) {
      out.put(c);
    }
  }
  out.put(r.by_nodes.size());
  for (const auto& [nodes, c] : r.by_nodes) {
    out.put(c);
  }
  for (const StrategyResult& s : r.strategies) {
    out.put(s);
  }
  out.put(r.illegal.size());
  for (const auto& [field, count] : r.illegal) {
    out.put(field.size());
    for (const char c : field) {
      out.put(c);
    }
    out.put(count);
  }
  return out.bytes();
}

// Adds what a worker found.
void merge(const std::string& bytes, SearchResult& into, Collector& collector) {
  Archive in(bytes);
  into.candidates += in.take<std::int64_t>();
  into.legal += in.take<std::int64_t>();
  into.fit += in.take<std::int64_t>();
  into.splits_done += in.take<std::size_t>();
  for (int list = 0; list < 3; ++list) {
    for (auto left = in.take<std::size_t>(); left > 0; --left) {
      collector.fitting(in.take<PlanCandidate>());
    }
  }
  for (StrategyResult& mine : into.strategies) {
    const auto one = in.take<StrategyResult>();
    mine.legal += one.legal;
    mine.fit += one.fit;
    if (one.best) {
      collector.fitting(*one.best);
    }
    if (one.smallest) {
      collector.unfitting(*one.smallest);
    }
  }
  for (auto left = in.take<std::size_t>(); left > 0; --left) {
    std::string field(in.take<std::size_t>(), ' ');
    for (char& c : field) {
      c = in.take<char>();
    }
    into.illegal[field] += in.take<std::int64_t>();
  }
}

// One worker's share of the splits.
class Worker {
 public:
  Worker(const TrainingSpace& space, const kernels::KernelModel& kernels,
         const collectives::CollectiveModel& collectives, const StepConstants& constants,
         const volatile std::sig_atomic_t* stop)
      : space_(space),
        kernels_(kernels),
        collectives_(collectives),
        constants_(constants),
        stop_(stop),
        collector_(result_, keep_of(space)),
        limit_(usable_memory(space.scenario().machine.gpu).si() *
               (1.0 - space.scenario().spec.plan.memory_margin)) {}

  static std::size_t keep_of(const TrainingSpace& space) {
    // More than shown: ties are broken among them.
    return 20 * static_cast<std::size_t>(space.scenario().spec.plan.keep);
  }
  [[nodiscard]] bool stopped() const { return stop_ != nullptr && *stop_ != 0; }
  [[nodiscard]] const SearchResult& result() const { return result_; }

  // Ticks once for every `quantum` candidates.
  void run(const PlanSplit& split, std::int64_t quantum, const std::function<void()>& tick) {
    auto evaluator = evaluators_.find(split.nodes);
    if (evaluator == evaluators_.end()) {
      evaluator =
          evaluators_.try_emplace(split.nodes, space_, kernels_, collectives_, constants_, split.nodes).first;
    }
    PlanEvaluator& prices = evaluator->second;
    space_.each(split, [&](const PlanPoint& point) {
      if (++result_.candidates % quantum == 0) {
        tick();
      }
      const std::string_view broken = prices.check(point);
      if (broken.empty()) {
        take(point, prices);
      } else {
        ++result_.illegal[std::string(broken)];
      }
      return !stopped();
    });
    result_.splits_done += stopped() ? 0 : 1;
  }

 private:
  void take(const PlanPoint& point, PlanEvaluator& prices) {
    StrategyResult& strategy = result_.strategies.at(static_cast<std::size_t>(strategy_of(point)));
    ++result_.legal;
    ++strategy.legal;
    PlanCandidate one = prices.price(point);
    one.memory = prices.memory();
    if (one.memory > limit_) {
      collector_.unfitting(one);
      return;
    }
    ++result_.fit;
    ++strategy.fit;
    collector_.fitting(one);
  }

  const TrainingSpace& space_;
  const kernels::KernelModel& kernels_;
  const collectives::CollectiveModel& collectives_;
  const StepConstants& constants_;
  const volatile std::sig_atomic_t* stop_;
  SearchResult result_;
  Collector collector_;
  double limit_;
  std::map<int, PlanEvaluator> evaluators_;  // by nodes
};

}  // namespace

SearchResult search_training(const TrainingScenario& scenario, const kernels::KernelModel& kernels,
                             const collectives::CollectiveModel& collectives, const SearchOptions& options,
                             const StepConstants& constants) {
  const TrainingSpace space(scenario);
  const std::vector<PlanSplit>& splits = space.splits();
  const int jobs = std::max(1, std::min(options.jobs, static_cast<int>(splits.size())));
  std::int64_t total = 0;
  for (const PlanSplit& split : splits) {
    total += space.size_of(split);
  }
  constexpr std::int64_t ticks = 500;
  const std::int64_t quantum = std::max<std::int64_t>(1, total / ticks);
  const auto work = [&](int worker, const std::function<void()>& tick) {
    Worker mine(space, kernels, collectives, constants, options.stop);
    for (auto i = static_cast<std::size_t>(worker); i < splits.size() && !mine.stopped();
         i += static_cast<std::size_t>(jobs)) {
      mine.run(splits[i], quantum, tick);
    }
    return packed(mine.result());
  };
  const auto start = std::chrono::steady_clock::now();
  std::int64_t done = 0;
  const auto on_tick = [&] {
    done += quantum;
    if (options.progress) {
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
      const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
      options.progress(share, spent.count() * (1.0 / share - 1.0));
    }
  };
  SearchResult out;
  out.splits = splits.size();
  Collector collector(out, Worker::keep_of(space));
  for (const std::string& answer : run_workers(jobs, work, on_tick, options.stop)) {
    merge(answer, out, collector);
  }
  return out;
}

}  // namespace gpuplan::sim

#include "sim/serving/simulation.h"

#include <algorithm>
#include <cmath>

#include "sim/serving/registry.h"
#include "sim/serving/replica.h"

namespace gpuplan::sim {

namespace {

// Least-squares slope of queue length over time, on at most a few thousand points kept evenly.
class QueueTrend {
 public:
  void add(Seconds time, std::int64_t waiting) {
    if (count_++ % stride_ == 0) {
      points_.push_back({time.si(), static_cast<double>(waiting)});
      if (points_.size() >= 4096) {
        for (std::size_t i = 0; i < points_.size() / 2; ++i) {
          points_[i] = points_[2 * i];
        }
        points_.resize(points_.size() / 2);
        stride_ *= 2;
      }
    }
  }
  // Over the second half of the time span; 0 with too few points.
  [[nodiscard]] double slope() const {
    if (points_.size() < 16) {
      return 0.0;
    }
    const double middle = 0.5 * (points_.front().time + points_.back().time);
    double n = 0.0, st = 0.0, sw = 0.0, stt = 0.0, stw = 0.0;
    for (const Point& p : points_) {
      if (p.time >= middle) {
        n += 1.0;
        st += p.time;
        sw += p.waiting;
        stt += p.time * p.time;
        stw += p.time * p.waiting;
      }
    }
    const double spread = n * stt - st * st;
    return n < 8.0 || spread <= 0.0 ? 0.0 : (n * stw - st * sw) / spread;
  }

 private:
  struct Point {
    double time, waiting;
  };
  std::vector<Point> points_;
  std::int64_t count_ = 0, stride_ = 1;
};

class Run final : public RequestSink {
 public:
  Run(const ServingScenario& scenario, const std::string& data_dir, ServingObserver* observer,
      const Progress& progress)
      : scenario_(scenario),
        observer_(observer),
        progress_(progress),
        source_(make_source(scenario.spec.traffic, static_cast<std::uint64_t>(scenario.spec.seed),
                            scenario.base_dir)),
        router_(make_router(scenario.spec.engine.router)),
        cost_(make_step_cost(scenario, data_dir)) {
    outcome_.memory =
        plan_serving_memory(scenario.gpu, scenario.model, scenario.deployment, scenario.memory_spec());
    if (scenario.spec.engine.num_gpu_blocks) {
      outcome_.memory.kv_blocks = *scenario.spec.engine.num_gpu_blocks;
    }
    outcome_.closed_loop = source_->facts().closed_loop;
    build_replicas();
  }

  ServingOutcome play() {
    if (source_->facts().closed_loop) {
      for (std::int64_t i = 0; i < source_->facts().concurrency && pull(); ++i) {
        next_.arrival = engine_.now();
        admit_later();
      }
    } else if (pull()) {
      engine_.at(next_.arrival, Callback::of<&Run::arrive>(this));
    }
    engine_.run();
    finish();
    return std::move(outcome_);
  }

  void request_done(const Sequence& sequence, std::size_t /*replica*/) override {
    ++outcome_.completed;
    const Seconds now = sequence.last_token;
    if (sequence.order >= source_->facts().warmup_requests) {
      measure(sequence, now);
    }
    next_of_closed_loop();
    if (progress_ && (outcome_.completed & 63) == 0) {
      report_progress();
    }
  }

 private:
  void build_replicas() {
    const ServingScenario& s = scenario_;
    const EngineSpec& e = s.spec.engine;
    const ServingMemory& memory = outcome_.memory;
    ReplicaSpec spec;
    spec.limits = {.max_num_seqs = *e.max_num_seqs,
                   .max_num_batched_tokens = *e.max_num_batched_tokens,
                   .chunked_prefill = *e.chunked_prefill,
                   .by_priority = e.policy == QueuePolicy::priority,
                   .swap = e.preemption == Preemption::swap};
    const std::int64_t host = static_cast<std::int64_t>(e.swap_space / memory.kv_per_block);
    spec.kv = {.total = memory.kv_blocks,
               .free = memory.kv_blocks,
               .host_total = host,
               .host_free = host,
               .watermark =
                   static_cast<std::int64_t>(std::ceil(e.watermark * static_cast<double>(memory.kv_blocks))),
               .block_size = e.block_size};
    spec.max_model_len = *e.max_model_len;
    spec.bytes_per_block = memory.kv_per_block;
    const Bytes swapped{256e6};  // pages are moved together, from pinned memory
    spec.pcie_bandwidth = swapped / cost_.kernels().price(kernels::Copy{.bytes = swapped}).time;
    const auto capacity = [](double value) { return value > 0.0 ? value : 1.0; };
    const double peak = s.gpu.peak(s.deployment.activations).value_or(s.gpu.vector_fp32_peak).si();
    for (int i = 0; i < s.replicas; ++i) {
      const std::string name = "replica" + std::to_string(i);
      const ReplicaResources resources = {
          engine_.add_resource(name + ".sm", capacity(peak)),
          engine_.add_resource(name + ".hbm", capacity(s.gpu.memory_bandwidth.si())),
          engine_.add_resource(name + ".link",
                               capacity(std::max(s.gpu.scale_up_bandwidth.si(), s.gpu.pcie_bandwidth.si()))),
          engine_.add_resource(name + ".pcie", capacity(spec.pcie_bandwidth.si()))};
      resources_.push_back(resources);
      replicas_.push_back(std::make_unique<Replica>(static_cast<std::size_t>(i), spec,
                                                    make_scheduler(e.scheduler), cost_, engine_, resources,
                                                    outcome_, *this, observer_));
    }
    loads_.resize(replicas_.size());
  }

  bool pull() {
    if (exhausted_ || !source_->next(next_)) {
      exhausted_ = true;
      return false;
    }
    return true;
  }

  // The next request of an open loop arrives now; the one after it is scheduled.
  void arrive(std::uint64_t /*tag*/) {
    admit_later();
    if (pull()) {
      engine_.at(max(next_.arrival, engine_.now()), Callback::of<&Run::arrive>(this));
    }
  }

  // Hands the request on after the server's own time (HTTP, tokenisation).
  void admit_later() {
    const std::int64_t order = outcome_.arrived++;
    if (outcome_.arrived == source_->facts().warmup_requests + 1) {
      outcome_.window_start = next_.arrival;
    }
    outcome_.last_arrival = next_.arrival;
    // Above zero, so that a user whose requests are all rejected does not stop the clock.
    const double delay = std::max(1e-6, scenario_.profile.request_overhead.si());
    std::uint32_t slot = 0;
    if (free_pending_.empty()) {
      slot = static_cast<std::uint32_t>(pending_.size());
      pending_.emplace_back();
    } else {
      slot = free_pending_.back();
      free_pending_.pop_back();
    }
    pending_[slot] = {next_, order};
    engine_.at(engine_.now() + Seconds(delay), Callback::of<&Run::admit>(this, slot));
  }

  void admit(std::uint64_t slot) {
    const Pending pending = pending_[slot];
    free_pending_.push_back(static_cast<std::uint32_t>(slot));
    std::int64_t waiting = 0;
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
      loads_[i] = replicas_[i]->load();
      waiting += loads_[i].waiting;
    }
    outcome_.queue_max = std::max(outcome_.queue_max, waiting);
    outcome_.queue_at_last_arrival = waiting;
    trend_.add(engine_.now(), waiting);
    const std::size_t replica = router_->pick(pending.request, loads_);
    if (!replicas_[replica]->submit(pending.request, pending.order)) {
      ++outcome_.rejected;
      next_of_closed_loop();
    }
  }

  // A user of a closed loop sends the next request, until the duration is over.
  void next_of_closed_loop() {
    const std::optional<Seconds>& duration = scenario_.spec.traffic.duration;
    if (source_->facts().closed_loop && (!duration || engine_.now() < *duration) && pull()) {
      next_.arrival = engine_.now();
      admit_later();
    }
  }

  void measure(const Sequence& sequence, Seconds now) {
    const double ttft = (sequence.first_token - sequence.arrival).si();
    const double e2e = (now - sequence.arrival).si();
    outcome_.ttft.add(ttft);
    outcome_.e2e.add(e2e);
    outcome_.queueing.add((sequence.admitted - sequence.arrival).si());
    double tpot = 0.0;
    if (sequence.output > 1) {
      tpot = (now - sequence.first_token).si() / (sequence.output - 1);
      outcome_.tpot.add(tpot);
    }
    const SloSpec& slo = scenario_.spec.slo;
    const bool met = (!slo.ttft || ttft <= slo.ttft->si()) && (!slo.tpot || tpot <= slo.tpot->si()) &&
                     (!slo.e2e || e2e <= slo.e2e->si());
    ++outcome_.measured;
    outcome_.attained += met ? 1 : 0;
    outcome_.prompt_tokens += sequence.prompt;
    outcome_.output_tokens += sequence.output;
    outcome_.window_end = max(outcome_.window_end, now);
  }

  void report_progress() {
    const std::optional<std::int64_t> total = scenario_.spec.traffic.requests;
    progress_(
        total ? static_cast<double>(outcome_.completed) / static_cast<double>(*total)
              : (scenario_.spec.traffic.duration ? engine_.now() / *scenario_.spec.traffic.duration : -1.0));
  }

  void finish() {
    outcome_.end = engine_.now();
    outcome_.events = engine_.events();
    const TrafficFacts& facts = source_->facts();
    outcome_.notes.insert(outcome_.notes.end(), facts.notes.begin(), facts.notes.end());
    if (source_->skipped() > 0) {
      outcome_.notes.push_back(std::to_string(source_->skipped()) +
                               " requests of the trace were failed ones and left out");
    }
    for (const ReplicaResources& r : resources_) {
      const double seconds = std::max(1e-12, outcome_.end.si()) * static_cast<double>(resources_.size());
      outcome_.resource_sm += engine_.used(r.sm) / engine_.capacity(r.sm) / seconds;
      outcome_.resource_hbm += engine_.used(r.hbm) / engine_.capacity(r.hbm) / seconds;
      outcome_.resource_link += engine_.used(r.link) / engine_.capacity(r.link) / seconds;
      outcome_.resource_pcie += engine_.used(r.pcie) / engine_.capacity(r.pcie) / seconds;
    }
    for (const auto& replica : replicas_) {
      outcome_.preemptions += replica->preemptions();
    }
    if (!facts.closed_loop) {
      // Overload: over the second half of the arrivals the queue grows by a share of the arrival rate that no
      // random walk explains, and it ends longer than one full batch per replica.
      const double span = outcome_.last_arrival.si();
      const double rate = span > 0.0 ? static_cast<double>(outcome_.arrived) / span : 0.0;
      outcome_.queue_growth = trend_.slope();
      outcome_.overloaded =
          outcome_.queue_growth > 0.02 * rate &&
          outcome_.queue_growth * 0.5 * span > std::max(16.0, 0.02 * static_cast<double>(outcome_.arrived));
    }
  }

  struct Pending {
    Request request;
    std::int64_t order = 0;
  };

  const ServingScenario& scenario_;
  ServingObserver* observer_;
  const Progress& progress_;
  std::unique_ptr<RequestSource> source_;
  std::unique_ptr<Router> router_;
  StepCost cost_;
  Engine engine_;
  ServingOutcome outcome_;
  std::vector<ReplicaResources> resources_;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<ReplicaLoad> loads_;
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> free_pending_;
  QueueTrend trend_;
  Request next_;
  bool exhausted_ = false;
};

}  // namespace

StepCost make_step_cost(const ServingScenario& scenario, const std::string& data_dir) {
  const EngineSpec& engine = scenario.spec.engine;
  return {IterationLowering(scenario.model, scenario.deployment),
          kernels::KernelModel::for_gpu(scenario.gpu, data_dir),
          scenario.node.scale_up,
          scenario.node.switch_reduction,
          {.cuda_graphs = engine.cuda_graphs,
           .max_graph_batch = *engine.max_graph_batch,
           .step_overhead = engine.step_overhead->si(),
           .step_overhead_per_sequence = engine.step_overhead_per_sequence->si()}};
}

ServingOutcome simulate_serving(const ServingScenario& scenario, const std::string& data_dir,
                                ServingObserver* observer, const Progress& progress) {
  Run run(scenario, data_dir, observer, progress);
  return run.play();
}

}  // namespace gpuplan::sim

#include "sim/report/training_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/cost/cost_metrics.h"
#include "sim/report/training_run_report.h"

namespace gpuplan::sim {

namespace {

class Metrics {
 public:
  explicit Metrics(std::vector<Metric>& metrics) : metrics_(metrics) {}
  void add(const std::string& name, double value) {
    metrics_.push_back({name, json::Value(value), std::nullopt});
  }
  void add(const std::string& name, double value, double spread) {
    metrics_.push_back(
        {name, json::Value(value), std::array<double, 2>{value / (1.0 + spread), value * (1.0 + spread)}});
  }

 private:
  std::vector<Metric>& metrics_;
};

// 80 % of measured peaks lie this far from the model's (BLOOM, torchtitan and SimuMax rows of the
// validation).
constexpr double kMemorySpread = 0.08, kAllocatedSpread = 0.03;

void add_memory(const StageMemory& m, Metrics& out) {
  out.add("training.memory.total_per_gpu", m.total().si(), kMemorySpread);
  out.add("training.memory.weights_per_gpu", m.weights.si());
  out.add("training.memory.gradients_per_gpu", m.gradients.si());
  out.add("training.memory.optimizer_per_gpu", m.optimizer.si());
  out.add("training.memory.activations_per_gpu", (m.activations + m.working).si(), kMemorySpread);
  out.add("training.memory.buffers_per_gpu", (m.buffers + m.context + m.fragmentation).si());
  out.add("training.memory.allocated_per_gpu", m.allocated().si(), kAllocatedSpread);
}

void add_money(const TrainingScenario& s, const TrainingOutcome& o, const Catalogue& catalogue, Metrics& m,
               Result& result) {
  const double busy = busy_share(o.estimate);
  const double gpus = s.job.gpus, step = o.estimate.step.si(), tokens = s.job.tokens();
  const double spread = o.estimate.spread80;
  const bool images = s.job.sees_images();
  const double things = images ? s.job.batch.global_batch : tokens;
  const TrainingRates& rates = s.rates;
  const double spread_log = std::log1p(spread);
  add_cost_metrics({.spec = s.spec.cost,
                    .machine = rates.machine,
                    .gpus = s.job.gpus,
                    .busy_watts = rates.watts(busy),
                    .per_hour = {{images ? "cost.usd_per_million_samples" : "cost.usd_per_million_tokens",
                                  things / step * 3.6e-3}},
                    .performance = relative(spread_log),
                    .seed = static_cast<std::uint64_t>(s.spec.seed)},
                   catalogue, result);
  const double watts = rates.watts(busy) * gpus;
  m.add(images ? "cost.energy_per_sample" : "cost.energy_per_token", watts * step / things, spread);
  m.add("power.mean", watts);
}

void add_bottlenecks(const StepEstimate& e, std::vector<Bottleneck>& out) {
  const double step = e.step.si();
  const auto add = [&](const char* resource, double seconds, std::string detail) {
    if (seconds > 0.0) {
      out.push_back({resource, seconds / step, std::move(detail)});
    }
  };
  const auto& k = e.kernel_seconds;
  const auto part = [&](TrainingPart p) { return k[static_cast<std::size_t>(p)]; };
  const double convolutions = part(TrainingPart::convolution), streamed = e.convolutions_by_memory;
  add("matrix_units",
      part(TrainingPart::gemm) + part(TrainingPart::attention) + part(TrainingPart::experts) + convolutions -
          streamed,
      convolutions > 0.0 ? "convolutions that compute limits" : "matrix products and attention");
  add("hbm_bandwidth", part(TrainingPart::elementwise) + part(TrainingPart::optimizer) + streamed,
      convolutions > 0.0
          ? fmt::format(
                "batch norm, ReLU, additions, optimiser; and convolutions that memory limits, {:.0f} % "
                "of the step",
                100.0 * streamed / step)
          : "norms, activations, residuals, gradient accumulation, optimiser");
  add("head", part(TrainingPart::head), "embedding, output matrix, loss");
  add("communication", e.exposed.si(), "collectives that nothing hides");
  add("pipeline_bubble", e.bubble.si(), "stages waiting for the pipeline to fill and drain");
  add("launch", e.launch_bound_seconds, "the host launches kernels slower than the GPU runs them");
  add("host_transfer", e.transfer.si(), "offloaded state between GPU and host");
  add("host_optimizer", e.host_optimizer.si(), "the optimiser's pass on the host: its memory or drives");
  add("input", e.input.si(), "waiting for samples to be loaded and copied");
  add("stragglers", (e.straggle + e.overhead).si(), "slowest node, once-a-step work of the host (assumed)");
  std::stable_sort(out.begin(), out.end(),
                   [](const Bottleneck& a, const Bottleneck& b) { return a.share > b.share; });
}

}  // namespace

std::vector<std::pair<std::string_view, double>> step_parts(const StepEstimate& e) {
  std::vector<std::pair<std::string_view, double>> out;
  for (std::size_t i = 0; i < kTrainingParts; ++i) {
    out.emplace_back(enum_names(TrainingPart{})[i], e.kernel_seconds[i]);
  }
  for (const auto& [name, seconds] : std::initializer_list<std::pair<std::string_view, Seconds>>{
           {"exposed", e.exposed},
           {"bubble", e.bubble},
           {"launch", Seconds(e.launch_bound_seconds)},
           {"slowed", e.slowed},
           {"transfer", e.transfer},
           {"overhead", e.overhead},
           {"straggle", e.straggle}}) {
    out.emplace_back(name, seconds.si());
  }
  return out;
}

void add_memory_metrics(const StageMemory& memory, Result& out) {
  Metrics metrics(out.metrics);
  add_memory(memory, metrics);
}

FlopsPerSecond training_peak(const TrainingScenario& s) {
  const Gpu& gpu = s.machine.gpu;
  for (const Precision p : {s.job.precision.compute, Precision::bf16, Precision::fp16}) {
    if (const auto peak = gpu.peak(p)) {
      return *peak;
    }
  }
  return gpu.vector_fp32_peak;
}

namespace {

TrainingOutcome by_formula(const TrainingScenario& s, const TrainingEstimator& estimator) {
  TrainingOutcome out;
  out.step = lower_training(s.job);
  out.estimate = estimator.estimate(s.job, out.step);
  out.analytic = out.estimate.step;
  out.memory = plan_training_memory(s.machine.gpu, s.job);
  out.input = price_input(estimator, s.job);
  return out;
}

// What follows from the step, however it was found.
void add_surroundings(const TrainingScenario& s, const TrainingEstimator& estimator, TrainingOutcome& out) {
  out.run = plan_training_run({s.spec.checkpoint, s.spec.reliability, s.spec.run}, estimator, s.job,
                              out.estimate.step, static_cast<std::uint64_t>(s.spec.seed));
  if (s.job.gradient_bytes() < 4.0 && s.job.micro_batches() > 1) {
    out.accumulation = numerics::accumulate(accumulation_of(s, *s.job.precision.gradients));
  }
}

TrainingScenario without_faults(const TrainingScenario& s) {
  TrainingScenario out = s;
  out.machine.losses = {};
  out.spec.faults.clear();
  out.spec.checkpoint.reset();
  out.spec.reliability.reset();
  out.spec.run.reset();
  return out;
}

}  // namespace

TrainingOutcome estimate_training(const TrainingScenario& s, const Library& library) {
  return estimate_training(s, kernels::KernelModel::for_gpu(s.machine.gpu, library.data_dir),
                           collectives::CollectiveModel::load(library.data_dir));
}

TrainingOutcome estimate_training(const TrainingScenario& s, const kernels::KernelModel& kernels,
                                  const collectives::CollectiveModel& collectives,
                                  const StepConstants& constants) {
  const TrainingEstimator estimator(s.machine, kernels, collectives, constants);
  TrainingOutcome out = by_formula(s, estimator);
  if (s.faulty()) {
    out.unharmed = estimate_training(without_faults(s), kernels, collectives, constants).estimate.step;
  }
  add_surroundings(s, estimator, out);
  return out;
}

namespace {

// What a stage's rank did in place of what the formula says.
void take_played(const PlayedStep& played, StepEstimate& e) {
  const StreamUse& use = played.stages[played.slowest];
  e.slowest = played.slowest;
  double kernels = 0.0;
  for (const double seconds : e.kernel_seconds) {
    kernels += seconds;
  }
  e.exposed = Seconds(use.in_line + use.data);
  e.transfer = Seconds(use.host);
  const Seconds computed = played.time - played.input_behind;
  e.bubble = max(Seconds(0.0), computed - Seconds(use.busy + use.data + use.host) - played.input_before);
  e.slowed = max(Seconds(0.0), Seconds(use.busy - use.in_line - kernels - e.launch_bound_seconds) -
                                   e.host_optimizer - e.overhead);
  // Slow nodes keep others waiting, but not the loader.
  const double straggle = e.straggle / (e.step - e.straggle - e.input);
  e.straggle = (computed - played.input_before) * straggle;
  e.step = max(played.time, computed + e.straggle);
  e.input = e.step - (computed + e.straggle) + played.input_before;
}

}  // namespace

TrainingOutcome simulate_training(const TrainingScenario& s, const kernels::KernelModel& kernels,
                                  const collectives::CollectiveModel& collectives,
                                  const TrainingOptions& options, const StepConstants& constants) {
  if (!schedule_can_be_played(s.job)) {
    return estimate_training(s, kernels, collectives, constants);
  }
  const TrainingEstimator estimator(s.machine, kernels, collectives, constants);
  TrainingOutcome out = by_formula(s, estimator);
  out.program = make_step_program(estimator, s.job, out.step);
  const RankGrid grid = options.all_ranks ? full_grid(s.job) : folded_grid(s.job.parallelism.pipeline);
  StepPlayOptions play{.slowdown = {}, .record = options.record && !options.all_ranks};
  if (options.all_ranks) {
    play.slowdown = node_slowdowns(grid.stage.size(), s.machine.gpus_per_node, constants.jitter,
                                   static_cast<std::uint64_t>(s.spec.seed));
    out.estimate.step = out.estimate.step - out.estimate.straggle;
    out.estimate.straggle = Seconds(0.0);
  }
  out.played = play_step(*out.program, grid, play);
  out.ranks = static_cast<int>(grid.stage.size());
  for (const std::uint16_t stage : grid.stage) {
    out.operations += out.program->stages[stage].ops.size();
  }
  take_played(*out.played, out.estimate);
  if (s.faulty()) {
    TrainingOptions same = options;
    same.record = false;
    out.unharmed = simulate_training(without_faults(s), kernels, collectives, same, constants).estimate.step;
  }
  add_surroundings(s, estimator, out);
  return out;
}

TrainingOutcome simulate_training(const TrainingScenario& s, const Library& library,
                                  const TrainingOptions& options) {
  return simulate_training(s, kernels::KernelModel::for_gpu(s.machine.gpu, library.data_dir),
                           collectives::CollectiveModel::load(library.data_dir), options);
}

double busy_share(const StepEstimate& e) {
  double kernels = 0.0;
  for (const double seconds : e.kernel_seconds) {
    kernels += seconds;
  }
  return std::min(1.0, kernels / e.step.si());
}

Result report_training(const TrainingScenario& s, const TrainingOutcome& o, const Library& library) {
  Result result;
  result.scenario = resolved_json(s);
  Metrics m(result.metrics);
  const StepEstimate& e = o.estimate;
  const double step = e.step.si(), gpus = s.job.gpus, tokens = s.job.tokens(), spread = e.spread80;
  const double peak = training_peak(s).si();
  m.add("training.step_time", step, spread);
  if (s.job.convnet() == nullptr) {
    m.add("training.tokens_per_s", tokens / step, spread);
    m.add("training.tokens_per_s_per_gpu", tokens / step / gpus, spread);
  }
  m.add("training.samples_per_s", s.job.batch.global_batch / step, spread);
  m.add("training.samples_per_s_per_gpu", s.job.batch.global_batch / step / gpus, spread);
  m.add("training.model_flops_per_s_per_gpu", e.model_flops / step / gpus, spread);
  m.add("training.mfu", e.model_flops / step / gpus / peak, spread);
  m.add("training.hfu", e.hardware_flops / step / gpus / peak, spread);
  m.add("training.bubble_fraction", e.bubble.si() / step);
  m.add("training.exposed_communication_fraction", e.exposed.si() / step);
  add_memory(o.memory.peak(), m);
  add_money(s, o, library.hardware, m, result);
  result.provenance = json::Value(json::Object{});
  result.provenance["kernels"] =
      "kernel models of " + s.machine.gpu.name + " (gpuplan kernels explains each)";
  result.provenance["collectives"] = "NCCL's algorithm choice, constants fitted to measurements";
  result.provenance["memory"] = "counted tensor by tensor; context, NCCL buffers and fragmentation assumed";
  result.provenance["step"] = o.played ? "simulated: streams of each rank contend for SMs, HBM and links; "
                                         "launch time and clocks fitted, jitter assumed"
                                       : "analytic: schedule formula; overlap slowdown measured "
                                         "(Galvatron), launch time and clocks fitted, the rest assumed";
  if (o.played) {
    m.add("util.sm", o.played->sm);
    m.add("util.hbm", o.played->hbm);
    m.add("util.nvlink", o.played->nvlink);
    m.add("util.pcie", o.played->pcie);
    m.add("util.network", o.played->nic);
    m.add("sim.events", static_cast<double>(o.played->events));
  }
  result.provenance["mfu"] = s.job.sees_images()
                                 ? "model FLOPs are 3 x the forward pass', 2 a multiply-add, no recomputation"
                                 : "model FLOPs as PaLM counts them: attention in full, no recomputation";
  result.provenance["cost"] = s.rates.hour_source;
  result.provenance["capex"] = s.rates.purchase_source;
  add_bottlenecks(e, result.bottlenecks);
  result.warnings = s.notes;
  report_surroundings(
      s, o, s.rates.usd_per_hour ? std::optional(s.rates.hourly(busy_share(e))) : std::nullopt, result);
  add_run_interval(result);
  if (s.job.model.moe) {
    result.warnings.push_back(
        "mixture of experts: measured steps are 20 % (median) and up to twice as long or short, with the "
        "version of the software");
    if (s.job.fine_tune.method != FineTune::full) {
      result.warnings.push_back(
          "fine-tuning of experts: they carry no additions, and expanding them from 4 bits takes no time "
          "here");
    }
  }
  return result;
}

}  // namespace gpuplan::sim

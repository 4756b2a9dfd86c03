#include "sim/training/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/training/offload_price.h"
#include "workloads/memory/training_memory.h"
#include "workloads/training/offload.h"
#include "workloads/training/stages.h"

namespace gpuplan::sim {

namespace {

constexpr double kMonth = 30.0 * 86400.0;
constexpr double kLongest = 100.0;     // of the expected wall time: a run that gets nowhere ends there
constexpr double kEventsAtMost = 4e6;  // of all trials

// Storage that all nodes use at once.
Seconds storage_time(Bytes bytes, BytesPerSecond of_node, BytesPerSecond of_all, int nodes) {
  BytesPerSecond rate = of_node * nodes;
  if (of_all.si() > 0.0) {
    rate = min(rate, of_all);
  }
  return bytes / rate;
}

CheckpointCost cost_of(const CheckpointSpec& spec, const TrainingEstimator& estimator,
                       const TrainingJob& job) {
  CheckpointCost out;
  const int nodes = estimator.machine().nodes;
  out.bytes = spec.bytes.value_or(checkpoint_bytes(job));
  // Every rank saves an equal part (Megatron-Core's and PyTorch's distributed checkpoints). What is offloaded
  // lies on the host already.
  const double element = stored_weight_bytes(job) + optimizer_bytes(job);
  const double off_gpu = job.offload == Offload::none        ? 0.0
                         : job.offload == Offload::optimizer ? optimizer_bytes(job) / element
                                                             : 1.0;
  out.copy = Seconds(host_copy(estimator, out.bytes * (1.0 - off_gpu) / job.gpus, true));
  out.write = storage_time(out.bytes, spec.write_bandwidth, spec.file_system_bandwidth, nodes);
  out.read = storage_time(out.bytes, spec.read_bandwidth.value_or(2.0 * spec.write_bandwidth),
                          spec.file_system_bandwidth, nodes);
  out.stop = spec.asynchronous ? out.copy : out.copy + out.write;
  return out;
}

void set_failures(const ReliabilitySpec& spec, int nodes, int gpus, TrainingRun& run) {
  run.fails = true;
  run.model.mean_between =
      spec.node_mtbf ? *spec.node_mtbf / nodes
                     : Seconds(spec.gpu_hours_per_failure.value_or(kLlama3GpuHours) * 3600.0 / gpus);
  run.detect = spec.detect;
  run.reschedule = spec.reschedule;
  run.warm_up = spec.warm_up;
  run.load = spec.load.value_or(run.checkpoint ? run.checkpoint->read : Seconds(0.0));
  run.model.restart = run.detect + run.reschedule + run.load + run.warm_up;
  run.model.spares = spec.spares;
  run.model.repair = spec.repair;
}

// In whole steps; asynchronous writing ends before the next checkpoint begins.
void set_interval(const CheckpointSpec& spec, Seconds step, TrainingRun& run) {
  CheckpointCost& c = *run.checkpoint;
  Seconds interval;
  if (spec.interval_steps) {
    interval = step * static_cast<double>(*spec.interval_steps);
    c.rule = "as the scenario says";
  } else if (spec.interval) {
    interval = *spec.interval;
    c.rule = "as the scenario says, in whole steps";
  } else {
    interval = best_interval(c.stop, run.model.mean_between);
    c.rule = fmt::format("Young and Daly: sqrt(2 x {:.4g} s x {:.4g} s), in whole steps", c.stop.si(),
                         run.model.mean_between.si());
  }
  double steps = std::max(1.0, std::round(interval / step));
  if (spec.asynchronous && step * steps < c.write) {
    steps = std::ceil(c.write / step);
    c.writer_limits = true;
  }
  run.interval_steps = static_cast<std::int64_t>(steps);
  run.model.interval = step * steps;
  run.model.stop = c.stop;
  run.model.settles = spec.asynchronous ? c.write : Seconds(0.0);
}

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  double sum = 0.0;
  for (const double value : values) {
    sum += value;
  }
  return {at(0.1), sum / static_cast<double>(values.size()), at(0.9)};
}

void play_trials(const ReliabilitySpec& spec, std::uint64_t seed, TrainingRun& run) {
  const double each = 4.0 * run.wall.si() / run.model.mean_between.si();  // events
  run.trials =
      std::max(10, static_cast<int>(std::min<double>(spec.trials, kEventsAtMost / std::max(1.0, each))));
  std::vector<double> wall, goodput, failures;
  for (int trial = 0; trial < run.trials; ++trial) {
    const PlayedRun played =
        play_run(run.model, run.useful, seed, static_cast<std::uint64_t>(trial), kLongest * run.wall);
    wall.push_back(played.wall.si());
    goodput.push_back(run.useful / played.wall);
    failures.push_back(static_cast<double>(played.failures));
    run.events += played.events;
  }
  run.wall_spread = spread_of(std::move(wall));
  run.goodput_spread = spread_of(std::move(goodput));
  run.failures_spread = spread_of(std::move(failures));
}

}  // namespace

Bytes checkpoint_bytes(const TrainingJob& job) {
  if (job.fine_tune.method != FineTune::full) {
    const double elements = rank_parameters(job, 0).trained * job.parallelism.tensor;
    return Bytes(elements * (job.weight_bytes() + optimizer_bytes(job)));
  }
  return Bytes(count_parameters(job.model).total * (stored_weight_bytes(job) + optimizer_bytes(job)));
}

std::optional<TrainingRun> plan_training_run(const TrainingRunSpecs& specs,
                                             const TrainingEstimator& estimator, const TrainingJob& job,
                                             Seconds step, std::uint64_t seed) {
  if (!specs.checkpoint && !specs.reliability && !specs.run) {
    return std::nullopt;
  }
  TrainingRun run;
  // A job that can fail saves.
  std::optional<CheckpointSpec> checkpoint = specs.checkpoint;
  if (!checkpoint && specs.reliability) {
    checkpoint = CheckpointSpec{};
  }
  if (checkpoint) {
    run.checkpoint = cost_of(*checkpoint, estimator, job);
  }
  if (specs.reliability) {
    set_failures(*specs.reliability, estimator.machine().nodes, job.gpus, run);
  }
  if (checkpoint) {
    set_interval(*checkpoint, step, run);
  }
  run.goodput = goodput(run.model);
  run.failures_per_day = 86400.0 * failure_rate(run.model);
  run.has_length = specs.run && (specs.run->steps || specs.run->tokens);
  run.steps = std::ceil(kMonth / step.si());
  if (run.has_length) {
    run.steps = specs.run->steps ? static_cast<double>(*specs.run->steps)
                                 : std::ceil(*specs.run->tokens / job.tokens());
  }
  run.tokens = run.steps * job.tokens();
  run.useful = step * run.steps;
  run.wall = run.useful / run.goodput;
  run.failures = run.wall.si() * failure_rate(run.model);
  if (specs.reliability) {
    play_trials(*specs.reliability, seed, run);
  }
  return run;
}

}  // namespace gpuplan::sim

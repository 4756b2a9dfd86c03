#include "sim/report/training_run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace gpuplan::sim {

namespace {

constexpr int kManyMicroBatches = 8;  // from which a warning says what 16-bit sums lose

class Metrics {
 public:
  explicit Metrics(Result& result) : result_(result) {}
  void add(const char* name, double value) { result_.metrics.push_back({name, json::Value(value), {}}); }
  void add(const char* name, double value, double low, double high) {
    result_.metrics.push_back(
        {name, json::Value(value), std::array<double, 2>{std::min(low, value), std::max(high, value)}});
  }

 private:
  Result& result_;
};

void add_input(const TrainingOutcome& o, Metrics& m, Result& result) {
  m.add("training.input.time", o.input.total());
  m.add("training.input.storage_time", o.input.storage);
  m.add("training.input.decode_time", o.input.decode);
  m.add("training.input.copy_time", o.input.copy);
  m.add("training.input.wait", o.estimate.input.si());
  result.provenance["input"] =
      "bandwidths, rates and workers as the scenario has them, else assumed; copies: share of PCIe measured "
      "on "
      "V100 (page-locked) and by a user (pageable)";
}

void add_offload(const TrainingScenario& s, const TrainingOutcome& o, Metrics& m, Result& result) {
  const HostUse use = host_use(s.machine, s.job);
  m.add("training.offload.transfer_time", o.estimate.transfer.si());
  m.add("training.offload.optimizer_time", o.estimate.host_optimizer.si());
  m.add("training.offload.host_memory_per_node", use.memory.si());
  m.add("training.offload.nvme_per_node", use.nvme.si());
  result.provenance["host"] = fmt::format(
      "memory: {}; share of its bandwidth that the CPUs' optimiser reaches: ZeRO-Offload's table, as "
      "recalled; "
      "PCIe uplinks shared as the node's topology has it",
      s.machine.host.memory_source);
  if (s.job.offload_to == OffloadTo::nvme) {
    result.provenance["nvme"] = fmt::format("{}; 6.8 and 4 GB/s a drive of 3.84 TB where not given: assumed",
                                            s.machine.host.nvme_source);
  }
}

void add_faults(const TrainingScenario& s, const TrainingOutcome& o, Metrics& m, Result& result) {
  m.add("training.unharmed_step_time", o.unharmed->si());
  m.add("training.fault_slowdown", o.estimate.step / *o.unharmed);
  result.provenance["faults"] =
      "rings laid on the links that are left, as NCCL does; the most loaded link sets each group's share";
  for (const std::string& note : s.fault_notes) {
    result.warnings.push_back("faults: " + note);
  }
  if (s.fault_notes.empty()) {
    result.warnings.emplace_back("faults: no group of this job is slower for them");
  }
}

void add_checkpoint(const TrainingRun& run, Metrics& m, Result& result) {
  const CheckpointCost& c = *run.checkpoint;
  m.add("training.checkpoint.bytes", c.bytes.si());
  m.add("training.checkpoint.time", c.stop.si());
  m.add("training.checkpoint.copy_time", c.copy.si());
  m.add("training.checkpoint.write_time", c.write.si());
  m.add("training.checkpoint.interval", run.model.interval.si());
  m.add("training.checkpoint.interval_steps", static_cast<double>(run.interval_steps));
  result.provenance["checkpoint"] =
      "weights and optimiser state as the memory model counts them; storage as the scenario has it, else "
      "assumed; interval: " +
      c.rule;
  if (c.writer_limits) {
    result.warnings.push_back(fmt::format(
        "checkpoints: writing one takes {:.4g} s; a shorter interval is not to be had", c.write.si()));
  }
}

void add_failures(const TrainingScenario& s, const TrainingRun& run, Metrics& m, Result& result) {
  const ReliabilitySpec& spec = *s.spec.reliability;
  m.add("training.mean_time_between_failures", run.model.mean_between.si());
  m.add("training.restart_time", run.model.restart.si());
  m.add("training.goodput", run.goodput, run.goodput_spread.low, run.goodput_spread.high);
  m.add("training.failures", run.failures, run.failures_spread.low, run.failures_spread.high);
  const bool published = !spec.node_mtbf && !spec.gpu_hours_per_failure;
  result.provenance["reliability"] = fmt::format(
      "failures: {}; goodput: Daly's formula, its interval from {} simulated runs{}; the rate itself taken "
      "as "
      "known",
      published ? "419 in 54 days on 16,384 H100 (Llama 3 405B, table 5)" : "as the scenario has it",
      run.trials, run.has_length ? "" : " of 30 days of computation");
}

// Random runs and the step's own error are independent: their relative widths add as squares.
void add_length(const TrainingOutcome& o, const TrainingRun& run, Metrics& m) {
  const double spread = o.estimate.spread80;
  const auto width = [&](double ratio) {
    const double by_chance = run.trials > 0 ? std::max(0.0, ratio - 1.0) : 0.0;
    return 1.0 + std::hypot(spread, by_chance);
  };
  const double wall = run.wall.si();
  m.add("training.steps", run.steps);
  m.add("training.time_to_train", wall, wall / width(wall / std::max(1e-9, run.wall_spread.low)),
        wall * width(run.wall_spread.high / wall));
}

}  // namespace

numerics::AccumulationSpec accumulation_of(const TrainingScenario& s, Precision buffer) {
  constexpr double kAdditions = 2e6;
  return {.buffer = buffer,
          .micro_batches = s.job.micro_batches(),
          .elements = std::clamp(static_cast<int>(kAdditions / s.job.micro_batches()), 16, 2048),
          .seed = static_cast<std::uint64_t>(s.spec.seed)};
}

std::string accumulation_text(const TrainingScenario& s, const TrainingOutcome& o) {
  if (!o.accumulation) {
    return {};
  }
  return fmt::format(
      "gradients of {} micro-batches summed in {}: off by {:.2g} % (rms), {:.2g} % in size, {:.2g} % of the "
      "additions change nothing (random experiment; noise as large as the gradient, assumed)",
      s.job.micro_batches(), json::name_of(*s.job.precision.gradients), 100.0 * o.accumulation->relative_rms,
      100.0 * o.accumulation->bias, 100.0 * o.accumulation->swamped);
}

void report_surroundings(const TrainingScenario& s, const TrainingOutcome& o, std::optional<double> usd,
                         Result& result) {
  Metrics m(result);
  if (s.job.input) {
    add_input(o, m, result);
  }
  if (s.job.offload != Offload::none) {
    add_offload(s, o, m, result);
  }
  if (o.unharmed) {
    add_faults(s, o, m, result);
  }
  if (o.run) {
    if (o.run->checkpoint) {
      add_checkpoint(*o.run, m, result);
    }
    if (o.run->fails) {
      add_failures(s, *o.run, m, result);
    }
    if (!o.run->fails && o.run->checkpoint) {
      m.add("training.goodput", o.run->goodput);
    }
    if (o.run->has_length) {
      add_length(o, *o.run, m);
      if (usd) {
        m.add("cost.usd_to_train", *usd * s.job.gpus * o.run->wall.si() / 3600.0);
      }
    }
  }
  if (o.accumulation) {
    m.add("training.gradient_accumulation.relative_rms", o.accumulation->relative_rms);
    m.add("training.gradient_accumulation.bias", o.accumulation->bias);
    m.add("training.gradient_accumulation.swamped", o.accumulation->swamped);
    result.provenance["gradient_accumulation"] =
        "random experiment, element by element, beside the exact sum; noise as large as the gradient: "
        "assumed";
    if (s.job.micro_batches() >= kManyMicroBatches) {
      result.warnings.push_back(accumulation_text(s, o));
    }
  }
}

}  // namespace gpuplan::sim

// Derivations of what surrounds a training step, with the numbers in.
#include <fmt/format.h>

#include "sim/report/training_run_report.h"
#include "sim/training/offload_price.h"

namespace gpuplan::sim {

namespace {

using Lines = std::vector<std::string>;

std::string ms(double seconds) { return fmt::format("{:.4g} ms", seconds * 1e3); }

void explain_input(const TrainingScenario& s, const TrainingOutcome& o, const TrainingEstimator& estimator,
                   Lines& lines) {
  const InputSpec& in = *s.job.input;
  const InputLoad load = input_load(s.job, estimator.machine().gpus_per_node);
  const double samples = load.samples_per_rank * load.loaders_per_node;
  lines.push_back(fmt::format("{:g} samples a step and loading GPU, {} such GPUs on each of {} nodes",
                              load.samples_per_rank, load.loaders_per_node, load.loading_nodes));
  lines.push_back(fmt::format(
      "storage: {:g} x {:.4g} B / min({:.3g} B/s, {}) = {}", samples, load.stored.si(),
      in.storage_bandwidth.si(),
      in.file_system_bandwidth.si() > 0.0
          ? fmt::format("{:.3g} B/s / {} nodes", in.file_system_bandwidth.si(), load.loading_nodes)
          : "no limit of all nodes",
      ms(o.input.storage)));
  lines.push_back(fmt::format("decode: {:g} / ({:g} workers x {:.4g} samples/s) = {}", samples, load.workers,
                              load.decode_rate, ms(o.input.decode)));
  lines.push_back(fmt::format("copy: {:g} x {:.4g} B, {} memory, {:g} GPUs on a PCIe uplink = {}",
                              load.samples_per_rank, load.decoded.si(),
                              in.pinned ? "page-locked" : "pageable", gpus_per_uplink(estimator),
                              ms(o.input.copy)));
  lines.push_back(in.prefetch ? fmt::format("beside the step: the longest, {}; the step waits {} for it",
                                            ms(o.input.total()), ms(o.estimate.input.si()))
                              : fmt::format("in front of the step: their sum, {}", ms(o.input.total())));
}

void explain_offload(const TrainingScenario& s, const TrainingOutcome& o, const TrainingEstimator& estimator,
                     Lines& lines) {
  const OffloadWork& work = o.step.stages[o.estimate.slowest].offload;
  const OffloadCost cost = cost_of(estimator, s.job, work);
  const Host& host = s.machine.host;
  const double ranks = s.machine.gpus_per_node;
  lines.push_back(fmt::format("gradients to the host: {:.4g} B, {:g} GPUs on a PCIe uplink, {}; {}",
                              work.gradients.si(), gpus_per_uplink(estimator), ms(cost.gradients),
                              cost.overlaps ? "behind the backward pass" : "behind all of it"));
  lines.push_back(
      fmt::format("optimiser on the host: {:g} ranks x {:.4g} B / ({:.3g} B/s x {:g}) = {}", ranks,
                  work.host_traffic.si(), host.memory_bandwidth.si(), kHostPassShare,
                  ms(ranks * work.host_traffic.si() / kHostPassShare / host.memory_bandwidth.si())));
  if (work.nvme_read.si() > 0.0) {
    lines.push_back(fmt::format(
        "its state on NVMe: {:g} x ({:.4g} B read at {:.3g} B/s + {:.4g} B written at {:.3g} B/s) = {}",
        ranks, work.nvme_read.si(), host.nvme_read.si(), work.nvme_written.si(), host.nvme_write.si(),
        ms(ranks * (work.nvme_read / host.nvme_read + work.nvme_written / host.nvme_write).si())));
  }
  if (work.weights.si() > 0.0) {
    lines.push_back(fmt::format("new weights back: {:.4g} B, {}", work.weights.si(), ms(cost.weights)));
  }
  const LayerWork& layer = s.job.model.moe ? o.step.sparse : o.step.dense;
  if (layer.load_forward.si() > 0.0) {
    lines.push_back(fmt::format(
        "weights of a layer from the host: {:.4g} B of a rank, {} before each forward pass, {} before each "
        "backward pass of {} micro-batches",
        layer.load_forward.si(), ms(load_time(estimator, s.job, layer.load_forward)),
        ms(load_time(estimator, s.job, layer.load_backward)), o.step.micro_batches));
  }
  const HostUse use = host_use(s.machine, s.job);
  lines.push_back(
      fmt::format("a node holds {:.4g} GB of {:.4g} usable in memory ({}) and {:.4g} GB of {:.4g} on "
                  "NVMe",
                  use.memory.si() * 1e-9, use.memory_usable.si() * 1e-9, host.memory_source,
                  use.nvme.si() * 1e-9, use.nvme_usable.si() * 1e-9));
}

void explain_checkpoint(const TrainingScenario& s, const TrainingRun& run, const TrainingEstimator& estimator,
                        Lines& lines) {
  const CheckpointCost& c = *run.checkpoint;
  lines.push_back(fmt::format("a checkpoint: {:.4g} B, {:.4g} B of each of {} ranks", c.bytes.si(),
                              c.bytes.si() / s.job.gpus, s.job.gpus));
  lines.push_back(
      fmt::format("to host memory {:.4g} s ({:g} GPUs on a PCIe uplink), to storage {:.4g} s, read "
                  "back {:.4g} s",
                  c.copy.si(), gpus_per_uplink(estimator), c.write.si(), c.read.si()));
  lines.push_back(fmt::format(
      "the job stands still for {:.4g} s ({})", c.stop.si(),
      run.model.settles.si() > 0.0 ? "the copy; storage is written beside it" : "copy and writing"));
  lines.push_back(
      fmt::format("interval: {} = {:.4g} s = {} steps", c.rule, run.model.interval.si(), run.interval_steps));
}

void explain_goodput(const TrainingRun& run, Lines& lines) {
  const FailureModel& m = run.model;
  if (!run.fails) {
    lines.push_back(fmt::format("no failures: interval / (interval + stop) = {:.4f}", run.goodput));
    return;
  }
  lines.push_back(fmt::format("job: a failure every {:.4g} s on average ({:.3g} a day)", m.mean_between.si(),
                              run.failures_per_day));
  lines.push_back(fmt::format(
      "restart: detect {:g} s + reschedule {:g} s + load {:.4g} s + warm up {:g} s = {:.4g} s (where not "
      "given: assumed)",
      run.detect.si(), run.reschedule.si(), run.load.si(), run.warm_up.si(), m.restart.si()));
  lines.push_back(
      fmt::format("lost besides: half an interval, {:.4g} s, and {:.4g} s until a checkpoint is safe",
                  0.5 * (m.interval + m.stop).si(), m.settles.si()));
  lines.push_back(fmt::format(
      "Daly: {:.5g} / ({:.5g} e^(({:.4g} + {:.4g}) / {:.5g}) (e^({:.5g} / {:.5g}) - 1)){} = {:.4f}",
      m.interval.si(), m.mean_between.si(), m.restart.si(), m.settles.si(), m.mean_between.si(),
      (m.interval + m.stop).si(), m.mean_between.si(),
      m.spares ? fmt::format(" x (1 - {:.3g} without nodes)", share_without_nodes(m)) : "", run.goodput));
  lines.push_back(
      fmt::format("{} simulated runs ({} events): goodput {:.4f} on average, 80 % of them {:.4f} to "
                  "{:.4f}; {:.4g} failures",
                  run.trials, run.events, run.goodput_spread.mean, run.goodput_spread.low,
                  run.goodput_spread.high, run.failures_spread.mean));
}

void explain_accumulation(const TrainingScenario& s, const TrainingOutcome& o, Lines& lines) {
  lines.push_back(accumulation_text(s, o));
  const Precision buffer = *s.job.precision.gradients;
  lines.push_back(fmt::format("{} holds an addend until the sum is {} times as large: {} equal micro-batches",
                              json::name_of(buffer), numerics::swamping_count(buffer),
                              numerics::swamping_count(buffer)));
  const auto wide = numerics::accumulate(accumulation_of(s, Precision::fp32));
  lines.push_back(fmt::format("the same in fp32 (precision.gradients=fp32): off by {:.2g} % (rms)",
                              100.0 * wide.relative_rms));
}

}  // namespace

void explain_host(const TrainingScenario& s, const TrainingOutcome& o, const TrainingEstimator& estimator,
                  Lines& lines) {
  if (s.job.offload != Offload::none) {
    explain_offload(s, o, estimator, lines);
  }
  if (s.job.input) {
    explain_input(s, o, estimator, lines);
  }
  if (o.unharmed) {
    for (const std::string& note : s.fault_notes) {
      lines.push_back("faults: " + note);
    }
    lines.push_back(fmt::format("without the faults a step takes {:.4g} s: x {:.3f}", o.unharmed->si(),
                                o.estimate.step / *o.unharmed));
  }
  if (o.accumulation) {
    lines.push_back(accumulation_text(s, o));
  }
}

bool explain_surroundings(const TrainingScenario& s, const TrainingOutcome& o,
                          const TrainingEstimator& estimator, const std::string& metric, Lines& lines) {
  const auto about = [&](const char* text) { return metric.find(text) != std::string::npos; };
  if (about("training.input.")) {
    explain_input(s, o, estimator, lines);
  } else if (about("training.offload.")) {
    explain_offload(s, o, estimator, lines);
  } else if (about("training.checkpoint.")) {
    explain_checkpoint(s, *o.run, estimator, lines);
  } else if (about("training.gradient_accumulation.")) {
    explain_accumulation(s, o, lines);
  } else if (about("goodput") || about("failures") || about("restart") || about("time_to_train") ||
             about("usd_to_train") || about("training.steps")) {
    if (o.run->checkpoint) {
      explain_checkpoint(s, *o.run, estimator, lines);
    }
    explain_goodput(*o.run, lines);
    if (o.run->has_length) {
      lines.push_back(
          fmt::format("{:.6g} steps x {:.4g} s / {:.4f} = {:.5g} s = {:.3g} days, {:.4g} failures",
                      o.run->steps, o.estimate.step.si(), o.run->goodput, o.run->wall.si(),
                      o.run->wall.si() / 86400.0, o.run->failures));
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace gpuplan::sim

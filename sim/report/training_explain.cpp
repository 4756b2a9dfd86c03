#include "sim/report/training_explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/cost/cost_explain.h"
#include "sim/report/training_run_report.h"
#include "workloads/memory/activation.h"
#include "workloads/memory/convnet_memory.h"
#include "workloads/training/vision.h"

namespace gpuplan::sim {

namespace {

using Lines = std::vector<std::string>;

std::string ms(double seconds) { return fmt::format("{:.4g} ms", seconds * 1e3); }
std::string gb(Bytes bytes) { return fmt::format("{:.3f} GB", bytes.si() * 1e-9); }

void add_phase(const char* name, const TrainingPhase& phase, const TrainingEstimator& estimator,
               const TrainingJob& job, Lines& lines) {
  for (const TrainingKernel& kernel : phase.kernels) {
    lines.push_back(fmt::format("{}: {} {}{}", name, kernel.name,
                                ms(kernel.count * estimator.price(kernel).si()),
                                kernel.count != 1.0 ? fmt::format(" (x {:.2g})", kernel.count) : ""));
  }
  for (const TrainingCollective& one : phase.collectives) {
    lines.push_back(fmt::format("{}: {} ({} of {:.4g} B over {}) {} x {}{}", name, one.name,
                                json::name_of(one.kind), one.bytes.si(), json::name_of(one.group), one.count,
                                ms(estimator.price(one, job).si()),
                                one.overlap == Overlap::none ? "" : ", hidden as far as it goes"));
  }
}

// What the kernels of a phase take, alone.
double seconds_of(const TrainingPhase& phase, const TrainingEstimator& estimator) {
  double out = 0.0;
  for (const TrainingKernel& kernel : phase.kernels) {
    out += kernel.count * estimator.price(kernel).si();
  }
  return out;
}

// Every block of a convolutional network, and the kernels of the first.
void explain_chain(const TrainingScenario& s, const TrainingOutcome& o, const TrainingEstimator& estimator,
                   Lines& lines) {
  lines.emplace_back("blocks, one micro-batch, kernels alone: forward, backward, weight gradients");
  std::string before;
  int alike = 0;
  const auto flush = [&] {
    if (alike > 0) {
      lines.push_back(before + (alike > 1 ? fmt::format("  ({} of them)", alike) : ""));
    }
  };
  const auto line = [&](const LayerWork& work) {
    std::string text =
        fmt::format("{}: {}, {}, {}", work.name, ms(seconds_of(work.forward, estimator)),
                    ms(seconds_of(work.backward, estimator)), ms(seconds_of(work.weights, estimator)));
    if (text != before) {
      flush();
      before = std::move(text);
      alike = 0;
    }
    ++alike;
  };
  line(o.step.embedding);
  std::for_each(o.step.chain.begin(), o.step.chain.end(), line);
  line(o.step.head);
  flush();
  const LayerWork& first = o.step.chain.front();
  lines.emplace_back("its first block:");
  add_phase("forward", first.forward, estimator, s.job, lines);
  add_phase("backward", first.backward, estimator, s.job, lines);
  add_phase("weight gradients", first.weights, estimator, s.job, lines);
}

void explain_buckets(const TrainingScenario& s, const StageWork& work, const TrainingEstimator& estimator,
                     Lines& lines) {
  if (work.buckets.empty()) {
    return;
  }
  const TrainingCollective& last = work.buckets.back().reduce;
  lines.push_back(
      fmt::format("gradients in {} buckets of {:g} MiB (the first 1), reduced in order as blocks end; the "
                  "last, {:.4g} B, "
                  "waits for the end of the backward pass: {}",
                  work.buckets.size(), *s.job.software.bucket_mb, last.bytes.si(),
                  ms(estimator.price(last, s.job).si())));
}

void explain_step(const TrainingScenario& s, const TrainingOutcome& o, const TrainingEstimator& estimator,
                  Lines& lines) {
  const StepEstimate& e = o.estimate;
  const StageTime& t = e.stages[e.slowest];
  const StageWork& work = o.step.stages[e.slowest];
  lines.push_back(fmt::format("slowest stage {} of {}: {} layers, forward {} and backward {} a micro-batch",
                              e.slowest, e.stages.size(), work.layers, ms(t.forward.si()),
                              ms(t.backward.si())));
  lines.push_back(fmt::format("steady = {} micro-batches x {} = {:.4g} s", o.step.micro_batches,
                              ms((t.forward + t.backward).si()), e.steady.si()));
  lines.push_back(fmt::format("bubble ({}, {} stages, {} chunks) = {:.4g} s", json::name_of(s.job.schedule()),
                              s.job.parallelism.pipeline, s.job.parallelism.virtual_stages, e.bubble.si()));
  lines.push_back(fmt::format("not hidden, once a step: gradients {}, weights {}; optimiser {}; transfer {}",
                              ms(e.reduce.si()), ms(e.gather.si()), ms(e.optimizer.si()),
                              ms(e.transfer.si())));
  explain_buckets(s, work, estimator, lines);
  lines.push_back(fmt::format("once a step on the host {} (assumed); stragglers x {:.3f} (jitter assumed)",
                              ms(e.overhead.si()), 1.0 + e.straggle / (e.step - e.straggle - e.input)));
  explain_host(s, o, estimator, lines);
  lines.push_back(fmt::format("step = {:.4g} s", e.step.si()));
  lines.push_back(
      fmt::format("matrix and attention kernels take {:.3f} times their time alone (sustained clock)",
                  estimator.stretch(s.job)));
  if (s.job.convnet() != nullptr) {
    explain_chain(s, o, estimator, lines);
    return;
  }
  const LayerWork& layer = s.job.model.moe ? o.step.sparse : o.step.dense;
  lines.emplace_back("one layer, one micro-batch, kernels alone:");
  add_phase("forward", layer.forward, estimator, s.job, lines);
  add_phase("backward", layer.backward, estimator, s.job, lines);
  add_phase("weight gradients", layer.weights, estimator, s.job, lines);
  for (const auto* all : {&layer.gather_forward, &layer.gather_backward, &layer.scatter}) {
    for (const TrainingCollective& one : *all) {
      lines.push_back(
          fmt::format("{}: {:.4g} B, {}", one.name, one.bytes.si(), ms(estimator.price(one, s.job).si())));
    }
  }
}

// By stage: what autograd keeps of an image.
void explain_convnet_activations(const TrainingScenario& s, const StageMemory& m, Lines& lines) {
  const std::vector<ConvnetUnit> units = convnet_units(*s.job.convnet());
  const std::vector<Bytes> bytes = convnet_bytes_per_image(s.job);
  std::vector<std::pair<std::string, double>> stages;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (stages.empty() || stages.back().first != units[i].name) {
      stages.emplace_back(units[i].name, 0.0);
    }
    stages.back().second += bytes[i].si();
  }
  stages.emplace_back("head", bytes.back().si());
  lines.emplace_back(
      "autograd keeps the inputs of convolutions and norms (the ReLU's output is the next input)");
  for (const auto& [name, kept] : stages) {
    lines.push_back(fmt::format("{}: {:.3f} MB an image", name, kept * 1e-6));
  }
  lines.push_back(
      fmt::format("x {} images{} = {}", s.job.batch.micro_batch,
                  s.job.recompute == Recompute::full ? ", of recomputed blocks the output alone" : "",
                  gb(m.activations)));
  lines.push_back(fmt::format("working: gradients in flight, a block computed again: {}", gb(m.working)));
}

void explain_memory(const TrainingScenario& s, const TrainingOutcome& o, Lines& lines) {
  const StageMemory& m = o.memory.peak();
  const RankParameters p = rank_parameters(s.job, m.stage);
  lines.push_back(
      fmt::format("stage {}: {:.4g} parameters a rank ({:.4g} of them experts), shared by {} ranks", m.stage,
                  p.total(), p.experts, s.job.shard_ranks()));
  lines.push_back(fmt::format("weights {}, gradients {} ({:g} B each), optimiser {} ({:.3g} B each)",
                              gb(m.weights), gb(m.gradients), s.job.gradient_bytes(), gb(m.optimizer),
                              optimizer_bytes(s.job)));
  if (s.job.convnet() != nullptr) {
    explain_convnet_activations(s, m, lines);
  } else {
    const LayerActivations a = layer_activations(s.job, false, s.job.recompute);
    lines.push_back(fmt::format(
        "a layer keeps {} a micro-batch; {} layers x {:.3f} micro-batches in flight = {}", gb(a.stored),
        layers_of_stage(s.job, m.stage), micro_batches_in_flight(s.job, m.stage), gb(m.activations)));
    lines.push_back(
        fmt::format("working: a layer computed again, logits, widest gradients: {}", gb(m.working)));
  }
  lines.push_back(fmt::format("buffers {}; CUDA and NCCL {} (assumed); fragmentation {} (assumed)",
                              gb(m.buffers), gb(m.context), gb(m.fragmentation)));
  lines.push_back(fmt::format("total {} of {} usable", gb(m.total()), gb(o.memory.usable)));
  for (const MemoryPhase& phase : o.memory.phases) {
    lines.push_back(fmt::format("{}: {}", phase.name, gb(phase.bytes)));
  }
}

}  // namespace

const std::vector<std::string>& training_headlines() {
  static const std::vector<std::string> names = {"training.step_time", "training.mfu",
                                                 "training.memory.total_per_gpu"};
  return names;
}

ExplanationText explain_training(const TrainingScenario& s, const TrainingOutcome& o, const Result& result,
                                 const TrainingEstimator& estimator, const std::string& metric) {
  const Metric* found = result.find(metric);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const Metric& one : result.metrics) {
      names.push_back(one.name);
    }
    throw InputError(Problem{"metric", "\"" + metric.substr(0, 60) + "\"", "a metric of this result",
                             did_you_mean(metric, names)});
  }
  ExplanationText out;
  out.title = fmt::format("{} = {:.6g}", metric, result.number(metric));
  const StepEstimate& e = o.estimate;
  if (metric == "cost.capex") {
    out.lines = explain_outlay(*s.rates.bought);
    return out;
  }
  if (metric.rfind("cost.usd", 0) == 0) {
    out.lines = explain_way(*s.rates.chosen, s.rates.watts(busy_share(e)));
    out.lines.push_back(
        fmt::format("{} GPUs: ${:.4g} an hour", s.job.gpus, result.number("cost.usd_per_hour")));
    if (metric == "cost.usd_per_hour") {
      return out;
    }
  }
  if (explain_surroundings(s, o, estimator, metric, out.lines)) {
    return out;
  }
  if (metric.find(".memory.") != std::string::npos) {
    explain_memory(s, o, out.lines);
  } else if (metric == "training.mfu" || metric == "training.hfu" ||
             metric.find("flops") != std::string::npos) {
    if (s.job.sees_images()) {
      const double images = s.job.batch.global_batch;
      out.lines.push_back(fmt::format(
          "model {:.4g} FLOP a step: 3 x the forward pass' {:.4g} multiply-adds an image x 2 x {} "
          "images",
          e.model_flops, e.model_flops / 6.0 / images, s.job.batch.global_batch));
    } else {
      out.lines.push_back(
          fmt::format("model {:.4g} FLOP a step: 6 a matrix element and token, attention 12 s h a "
                      "token in full (PaLM)",
                      e.model_flops));
    }
    out.lines.push_back(fmt::format("with what is computed again {:.4g} FLOP", e.hardware_flops));
    out.lines.push_back(fmt::format("/ {:.4g} s / {} GPUs / {:.4g} FLOP/s ({})", e.step.si(), s.job.gpus,
                                    training_peak(s).si(), json::name_of(s.job.precision.compute)));
  } else {
    if (metric.find("_per_s") != std::string::npos) {
      const bool samples = metric.find("samples") != std::string::npos;
      const bool each = metric.ends_with("_per_gpu");
      out.lines.push_back(fmt::format("{:g} {} a step / {:.4g} s{}",
                                      samples ? s.job.batch.global_batch : s.job.tokens(),
                                      !samples              ? "tokens"
                                      : s.job.sees_images() ? "images"
                                                            : "sequences",
                                      e.step.si(), each ? fmt::format(" / {} GPUs", s.job.gpus) : ""));
    }
    explain_step(s, o, estimator, out.lines);
  }
  return out;
}

}  // namespace gpuplan::sim

#include "ui/cli/training_text.h"

#include <fmt/format.h>

#include "sim/report/training_trace.h"
#include "ui/cli/terminal.h"
#include "ui/cli/training_run_text.h"

namespace gpuplan::cli {

namespace {

std::string gb(Bytes bytes) { return fmt::format("{:.2f} GB", bytes.si() * 1e-9); }

std::string split_text(const sim::TrainingScenario& s) {
  const TrainingParallelism& p = s.job.parallelism;
  std::string text = fmt::format("{} x {} ({} nodes of {}): data {}", s.job.gpus, s.machine.gpu.name,
                                 s.machine.nodes, s.machine.gpus_per_node, s.job.data());
  text += fmt::format(" ({})", json::name_of(p.sharding));
  if (p.tensor > 1) {
    text += fmt::format(", tensor {}{}", p.tensor, s.job.sequence_parallel() ? " with sequence" : "");
  }
  if (p.context > 1) {
    text += fmt::format(", context {} ({})", p.context, json::name_of(p.context_exchange));
  }
  if (p.expert > 1) {
    text += fmt::format(", expert {}", p.expert);
  }
  if (p.pipeline > 1) {
    text += fmt::format(", pipeline {} ({}{})", p.pipeline, json::name_of(*p.schedule),
                        p.virtual_stages > 1 ? fmt::format(", {} chunks", p.virtual_stages) : "");
  }
  return text;
}

void add_step(const sim::StepEstimate& e, std::string& text) {
  const double step = e.step.si();
  Table table({"of a step", "time", "share", ""});
  const auto row = [&](const std::string& name, double seconds) {
    if (seconds > 0.0) {
      table.row({name, si(seconds, "s"), percent(seconds / step), bar(seconds / step, 20)});
    }
  };
  const bool network = e.kernel_seconds[static_cast<std::size_t>(TrainingPart::convolution)] > 0.0;
  for (std::size_t i = 0; i < kTrainingParts; ++i) {
    const auto part = static_cast<TrainingPart>(i);
    row(network && part == TrainingPart::elementwise ? "batch norm, ReLU, additions"
                                                     : std::string(json::name_of(part)),
        e.kernel_seconds[i]);
  }
  row("collectives not hidden", e.exposed.si());
  row("pipeline bubble", e.bubble.si());
  row("host launches", e.launch_bound_seconds);
  row("host transfer", e.transfer.si());
  row("optimiser on the host", e.host_optimizer.si());
  row("waiting for input", e.input.si());
  row("kernels slowed by overlap", e.slowed.si() > 1e-6 * step ? e.slowed.si() : 0.0);
  row("once a step (assumed)", e.overhead.si());
  row("stragglers", e.straggle.si());
  text += table.text();
}

// What the step waits for, one operation after another.
void add_critical(const sim::TrainingOutcome& o, std::string& text) {
  std::string line = "critical path:";
  const auto shares = sim::critical_shares(*o.program, *o.played);
  for (std::size_t i = 0; i < std::min<std::size_t>(4, shares.size()); ++i) {
    line += fmt::format("{} {} {}", i == 0 ? "" : ",", shares[i].name,
                        percent(shares[i].seconds / o.played->time.si()));
  }
  text += shares.empty() ? "" : wrap(line, 80, 2) + "\n";
}

void add_memory(const TrainingMemory& memory, std::string& text) {
  const StageMemory& m = memory.peak();
  const double usable = memory.usable.si();
  Table table({fmt::format("memory of a GPU of stage {}", m.stage), "bytes", "share", ""});
  const auto row = [&](const char* name, Bytes bytes) {
    table.row({name, gb(bytes), percent(bytes.si() / usable), bar(bytes.si() / usable, 20)});
  };
  row("weights", m.weights);
  row("gradients", m.gradients);
  row("optimiser", m.optimizer);
  row("activations", m.activations);
  row("working", m.working);
  row("communication buffers", m.buffers);
  row("CUDA, NCCL (assumed)", m.context);
  row("fragmentation (assumed)", m.fragmentation);
  row("total", m.total());
  text += table.text();
}

std::string host_misfit_text(const sim::TrainingScenario& s, const sim::TrainingMisfit& misfit) {
  const bool memory = misfit.place == "host memory";
  return wrap(fmt::format("{} does not fit: a {} is short of {} of {}: {} are needed of {} usable, for the "
                          "offloaded {} of {} GPUs",
                          s.job.model.name, s.machine.node.name, gb(misfit.short_by), misfit.place,
                          gb(memory ? misfit.host.memory : misfit.host.nvme),
                          gb(memory ? misfit.host.memory_usable : misfit.host.nvme_usable), misfit.culprit,
                          s.machine.gpus_per_node),
              80, 2);
}

}  // namespace

std::string training_text(const sim::TrainingScenario& s, const sim::TrainingOutcome& o,
                          const sim::Result& result) {
  std::string text = styled(s.spec.name, Style::heading) + "\n";
  if (!s.spec.description.empty()) {
    text += wrap(s.spec.description, 80, 0) + "\n";
  }
  text += "\n" + wrap(split_text(s), 80, 2) + "\n";
  const TrainingBatch& b = s.job.batch;
  const std::string samples =
      !s.job.sees_images()
          ? fmt::format("sequences of {} tokens", b.seq_len)
          : fmt::format("images of {0} x {0}{1}", b.image_size,
                        s.job.vit() != nullptr ? fmt::format(" ({} tokens)", b.seq_len) : "");
  text += wrap(fmt::format("{}: {} {} a step, {} micro-batches of {} a rank, {}, recompute {}",
                           s.job.model.name, b.global_batch, samples, s.job.micro_batches(), b.micro_batch,
                           json::name_of(s.job.precision.compute), json::name_of(s.job.recompute)),
               80, 2) +
          "\n\n";
  const auto number = [&](const char* name) { return result.number(name); };
  const sim::Metric* step = result.find("training.step_time");
  text += fmt::format("{}  {} a step ({} to {} with 80 %)\n", styled("step", Style::heading),
                      si(number("training.step_time"), "s"), si((*step->interval80)[0], "s"),
                      si((*step->interval80)[1], "s"));
  const bool images = s.job.sees_images();
  const std::string rate = images ? "training.samples_per_s" : "training.tokens_per_s";
  text += fmt::format("      {} {}/s, {} per GPU; {} per GPU\n      MFU {}, HFU {}\n",
                      grouped(result.number(rate)), images ? "images" : "tokens",
                      grouped(result.number(rate + "_per_gpu")),
                      si(number("training.model_flops_per_s_per_gpu"), "FLOP/s"),
                      percent(number("training.mfu")), percent(number("training.hfu")));
  const std::string cost = images ? "cost.usd_per_million_samples" : "cost.usd_per_million_tokens";
  if (result.find(cost) != nullptr) {
    text += fmt::format("      USD {:.4f} per million {}, {} per {}\n", result.number(cost),
                        images ? "images" : "tokens",
                        si(number(images ? "cost.energy_per_sample" : "cost.energy_per_token"), "J"),
                        images ? "image" : "token");
  }
  text += "\n";
  add_step(o.estimate, text);
  if (images && !result.bottlenecks.empty()) {
    const sim::Bottleneck& most = result.bottlenecks.front();
    text += wrap(fmt::format("limited most by {}, {}: {}", most.resource, percent(most.share), most.detail),
                 80, 2) +
            "\n";
  }
  if (o.played) {
    text += wrap(fmt::format(
                     "simulated: {} operations of {}, {} events; the analytic formula says {} ({:+.1f} %)",
                     grouped(static_cast<double>(o.operations)),
                     o.ranks > s.job.parallelism.pipeline ? fmt::format("all {} ranks", o.ranks)
                                                          : "a rank of each stage",
                     grouped(static_cast<double>(o.played->events)), si(o.analytic.si(), "s"),
                     (o.analytic / o.estimate.step - 1.0) * 100.0),
                 80, 2) +
            "\n";
    add_critical(o, text);
  }
  text += "\n" + training_run_text(s, o, result);
  add_memory(o.memory, text);
  for (const std::string& warning : result.warnings) {
    text += styled("warning  ", Style::bad) + wrap(warning, 71, 9) + "\n";
  }
  return text;
}

std::string misfit_text(const sim::TrainingScenario& s, const sim::TrainingMisfit& misfit) {
  const bool on_gpu = misfit.place == "GPU";
  std::string text =
      on_gpu ? wrap(fmt::format("{} does not fit on {}: short by {} per GPU of stage {}; most of it is {}",
                                s.job.model.name, s.machine.gpu.name, gb(misfit.short_by),
                                misfit.memory.peak().stage, misfit.culprit),
                    80, 2)
             : host_misfit_text(s, misfit);
  text += "\n\n";
  add_memory(misfit.memory, text);
  text += misfit.remedies.empty() ? "\nno single change of those known makes it fit\n"
                                  : "\nwhat would fit, one change each, fastest first:\n";
  for (const std::string& remedy : misfit.remedies) {
    text += "  --set " + wrap(remedy, 72, 8) + "\n";
  }
  return text;
}

}  // namespace gpuplan::cli

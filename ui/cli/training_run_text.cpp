#include "ui/cli/training_run_text.h"

#include <fmt/format.h>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

std::string days(double seconds) {
  return seconds < 172800.0 ? fmt::format("{:.1f} hours", seconds / 3600.0)
                            : fmt::format("{:.1f} days", seconds / 86400.0);
}

// A heading of up to ten characters in front of wrapped text.
void paragraph(const char* heading, const std::string& words, std::string& text) {
  text += styled(fmt::format("{:<11}", heading), Style::heading) + wrap(words, 69, 11) + "\n";
}

void add_input(const sim::TrainingOutcome& o, std::string& text) {
  const sim::InputCost& in = o.input;
  const double wait = o.estimate.input.si();
  paragraph("input",
            fmt::format("storage {}, decoding {}, copy to the GPU {} a step: {}", si(in.storage, "s"),
                        si(in.decode, "s"), si(in.copy, "s"),
                        wait > 1e-6 * o.estimate.step.si()
                            ? fmt::format("the GPUs wait {} of it ({} of the step)", si(wait, "s"),
                                          percent(wait / o.estimate.step.si()))
                            : "hidden behind the step"),
            text);
}

void add_host(const sim::TrainingScenario& s, std::string& text) {
  const sim::HostUse use = sim::host_use(s.machine, s.job);
  std::string words = fmt::format("{} of {} usable in a node's memory", si(use.memory.si(), "B"),
                                  si(use.memory_usable.si(), "B"));
  if (use.nvme.si() > 0.0) {
    words +=
        fmt::format(", {} of {} on its NVMe drives", si(use.nvme.si(), "B"), si(use.nvme_usable.si(), "B"));
  }
  paragraph("offloaded", words, text);
}

void add_faults(const sim::TrainingOutcome& o, std::string& text) {
  const double slower = o.estimate.step / *o.unharmed - 1.0;
  paragraph(
      "faults",
      fmt::format("a step takes {} without them, {:+.1f} % with", si(o.unharmed->si(), "s"), 100.0 * slower),
      text);
}

void add_checkpoint(const sim::TrainingRun& run, std::string& text) {
  const sim::CheckpointCost& c = *run.checkpoint;
  paragraph(
      "checkpoint",
      fmt::format("{}, the job stops for {} ({}) every {} ({} steps)", si(c.bytes.si(), "B"),
                  si(c.stop.si(), "s"),
                  run.model.settles.si() > 0.0 ? fmt::format("written beside it in {}", si(c.write.si(), "s"))
                                               : "copied and written",
                  si(run.model.interval.si(), "s"), grouped(static_cast<double>(run.interval_steps))),
      text);
}

void add_failures(const sim::TrainingRun& run, std::string& text) {
  paragraph("failures",
            fmt::format("one every {} ({:.2g} a day), {} to be back", days(run.model.mean_between.si()),
                        run.failures_per_day, si(run.model.restart.si(), "s")),
            text);
  std::string words =
      fmt::format("{} of the time trains ({} to {} in 80 % of {} simulated runs)", percent(run.goodput),
                  percent(run.goodput_spread.low), percent(run.goodput_spread.high), run.trials);
  if (run.model.spares) {
    words += fmt::format("; {} of it waits for a node, {} spare", percent(share_without_nodes(run.model)),
                         *run.model.spares);
  }
  paragraph("goodput", words, text);
}

}  // namespace

std::string training_run_text(const sim::TrainingScenario& s, const sim::TrainingOutcome& o,
                              const sim::Result& result) {
  std::string text;
  if (s.job.input) {
    add_input(o, text);
  }
  if (s.job.offload != Offload::none) {
    add_host(s, text);
  }
  if (o.unharmed) {
    add_faults(o, text);
  }
  if (o.run) {
    if (o.run->checkpoint) {
      add_checkpoint(*o.run, text);
    }
    if (o.run->fails) {
      add_failures(*o.run, text);
    }
    if (o.run->has_length) {
      const sim::Metric* wall = result.find("training.time_to_train");
      std::string words =
          fmt::format("{} steps in {} ({} to {} with 80 %)", grouped(o.run->steps), days(o.run->wall.si()),
                      days((*wall->interval80)[0]), days((*wall->interval80)[1]));
      if (o.run->fails) {
        words += fmt::format(", {:.0f} failures", o.run->failures);
      }
      if (result.find("cost.usd_to_train") != nullptr) {
        words += fmt::format(", USD {}", grouped(result.number("cost.usd_to_train")));
      }
      paragraph("run", words, text);
    }
  }
  return text.empty() ? text : text + "\n";
}

}  // namespace gpuplan::cli

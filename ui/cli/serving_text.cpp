#include "ui/cli/serving_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/serving_report.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

std::string gb(Bytes bytes) { return fmt::format("{:.1f} GB", bytes.si() / 1e9); }

std::string line(std::string_view label, const std::string& text) {
  return fmt::format("{:<11}{}\n", label, wrap(text, 69, 11));
}

std::string latency_table(const sim::Result& result) {
  Table table({"latency", "mean", "p50", "p90", "p95", "p99", "80 % interval of mean"});
  for (const auto& [label, name] : {std::pair{"TTFT", "serving.ttft"},
                                    {"TPOT", "serving.tpot"},
                                    {"ITL", "serving.itl"},
                                    {"E2E", "serving.e2e"}}) {
    std::vector<std::string> cells = {label};
    for (const char* which : {".mean", ".p50", ".p90", ".p95", ".p99"}) {
      cells.push_back(si(result.number(std::string(name) + which), "s"));
    }
    const sim::Metric* mean = result.find(std::string(name) + ".mean");
    cells.push_back(
        mean != nullptr && mean->interval80
            ? fmt::format("{} .. {}", si((*mean->interval80)[0], "s"), si((*mean->interval80)[1], "s"))
            : "");
    table.row(std::move(cells));
  }
  return table.text();
}

std::string slo_text(const sim::ServingScenario& s, const sim::Result& result) {
  std::string wanted;
  const auto add = [&](const char* label, const std::optional<Seconds>& limit) {
    if (limit) {
      wanted += fmt::format("{}{} <= {}", wanted.empty() ? "" : ", ", label, si(limit->si(), "s"));
    }
  };
  add("TTFT", s.spec.slo.ttft);
  add("TPOT", s.spec.slo.tpot);
  add("E2E", s.spec.slo.e2e);
  if (wanted.empty()) {
    return "";
  }
  const double attained = result.number("serving.slo_attainment");
  const std::string share = styled(percent(attained), attained >= 0.99 ? Style::good : Style::bad);
  return line("SLO", fmt::format("{}: met by {} of requests, goodput {:.2f} requests/s", wanted, share,
                                 result.number("serving.goodput_requests_per_s")));
}

std::string shares_text(const sim::Result& result) {
  std::string text = styled("where busy GPU time goes", Style::heading) + "\n";
  std::vector<std::pair<double, std::string>> shares;
  for (const sim::Metric& metric : result.metrics) {
    const std::string prefix = "serving.time_share.";
    if (metric.name.rfind(prefix, 0) == 0 && metric.value.number() >= 0.001) {
      std::string label = metric.name.substr(prefix.size());
      std::replace(label.begin(), label.end(), '_', ' ');
      shares.emplace_back(metric.value.number(), label);
    }
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [share, label] : shares) {
    text += fmt::format("  {:<20}{:>7}  {}\n", label, percent(share), bar(share, 40));
  }
  return text;
}

}  // namespace

std::string serving_text(const sim::ServingScenario& s, const sim::ServingOutcome& o,
                         const sim::Result& result) {
  std::string text;
  text += styled(s.spec.name, Style::heading) + "\n";
  text +=
      line("deployment", fmt::format("{} in {} on {} x {} ({}), {} replica{} of TP {}, {} {}", s.model.name,
                                     json::name_of(s.deployment.weights), s.gpus_used(), s.gpu.name,
                                     s.node.name, s.replicas, s.replicas == 1 ? "" : "s",
                                     s.deployment.tensor_parallel, s.profile.name, s.spec.engine.scheduler));
  text +=
      line("traffic", fmt::format("{} requests over {}, {:.0f} prompt and {:.0f} output tokens on average",
                                  grouped(static_cast<double>(o.arrived)), si(o.last_arrival.si(), "s"),
                                  o.measured > 0 ? o.prompt_tokens / static_cast<double>(o.measured) : 0.0,
                                  o.measured > 0 ? o.output_tokens / static_cast<double>(o.measured) : 0.0));
  text += line("memory", fmt::format("per GPU: {} of {} usable; weights {}, KV cache {}, activations {}",
                                     gb(o.memory.requested), gb(o.memory.usable), gb(o.memory.weights),
                                     gb(o.memory.kv_per_block * static_cast<double>(o.memory.kv_blocks)),
                                     gb(o.memory.activations)));
  text +=
      line("KV blocks", fmt::format("{} per replica of {} tokens = {} tokens; {} used on average, {} at most",
                                    grouped(static_cast<double>(o.memory.kv_blocks)), o.memory.block_size,
                                    grouped(static_cast<double>(o.memory.kv_tokens())),
                                    percent(result.number("serving.kv_utilisation.mean")),
                                    percent(result.number("serving.kv_utilisation.max"))));
  text += "\n" + latency_table(result) + "\n";
  text += line("throughput", fmt::format("{} output tokens/s ({} per GPU), {:.2f} requests/s",
                                         grouped(result.number("serving.output_tokens_per_s")),
                                         grouped(result.number("serving.output_tokens_per_s_per_gpu")),
                                         result.number("serving.requests_per_s")));
  text += slo_text(s, result);
  text += line(
      "load",
      fmt::format("replicas busy {} of the time, {:.1f} sequences running, queue up to {}, {} preemptions",
                  percent(result.number("serving.busy_fraction")), result.number("serving.batch.mean"),
                  o.queue_max, o.preemptions));
  if (result.find("cost.usd_per_hour") != nullptr) {
    text += line("cost", fmt::format("${:.2f} per hour, ${:.3f} per million output tokens, {} per token",
                                     result.number("cost.usd_per_hour"),
                                     result.number("cost.usd_per_million_output_tokens"),
                                     si(result.number("cost.energy_per_token"), "J")));
  }
  text += "\n" + shares_text(result);
  if (!result.bottlenecks.empty()) {
    text += "\n" + styled("limits", Style::heading) + "\n";
    for (const sim::Bottleneck& b : result.bottlenecks) {
      text +=
          "  " + wrap(fmt::format("{:<16} {:>7}  {}", b.resource, percent(b.share), b.detail), 78, 28) + "\n";
    }
  }
  for (const std::string& warning : result.warnings) {
    text += styled("warning  ", Style::bad) + wrap(warning, 71, 9) + "\n";
  }
  return text;
}

std::string misfit_text(const sim::ServingScenario& s, const sim::DoesNotFit& misfit) {
  const ServingMemory& m = misfit.memory;
  std::string text = fmt::format("{} does not fit on {} with TP {}: short by {} per GPU\n\n", s.model.name,
                                 s.gpu.name, s.deployment.tensor_parallel, gb(misfit.short_by));
  Table table({"per GPU", "bytes"});
  table.row({"usable memory", gb(m.usable)});
  table.row({fmt::format("allowed (gpu_memory_utilization {:g})", s.spec.engine.gpu_memory_utilization),
             gb(m.requested)});
  table.row({"weights", gb(m.weights)});
  table.row({"activation peak", gb(m.activations)});
  table.row({"CUDA context, libraries", gb(m.context)});
  table.row({"communication buffers", gb(m.communication)});
  table.row({"left for the KV cache", gb(m.kv_budget)});
  text += table.text() + "\n";
  text += misfit.remedies.empty() ? "nothing in the catalogue makes it fit by one change\n"
                                  : "what would fit, one change each:\n";
  for (const std::string& remedy : misfit.remedies) {
    text += "  --set " + wrap(remedy, 72, 8) + "\n";
  }
  return text;
}

json::Value misfit_json(const sim::ServingScenario& s, const sim::DoesNotFit& misfit) {
  json::Value out;
  out["schema"] = 1;
  out["scenario"] = sim::resolved_json(s);
  json::Value& m = out["does_not_fit"];
  m["short_by"] = misfit.short_by.si();
  m["usable"] = misfit.memory.usable.si();
  m["allowed"] = misfit.memory.requested.si();
  m["weights"] = misfit.memory.weights.si();
  m["activations"] = misfit.memory.activations.si();
  m["context"] = misfit.memory.context.si();
  m["communication"] = misfit.memory.communication.si();
  json::Array remedies;
  for (const std::string& remedy : misfit.remedies) {
    remedies.emplace_back(remedy);
  }
  m["remedies"] = json::Value(std::move(remedies));
  return out;
}

}  // namespace gpuplan::cli

#include "sim/report/kernel_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace gpuplan::sim {

namespace {

using kernels::Price;

// Sums over cases that run one after another.
struct Total {
  double time = 0.0, compute = 0.0, hbm = 0.0, l2 = 0.0, launch = 0.0, flops = 0.0, bytes = 0.0;
  double peak_seconds = 0.0;  // time that the work would take at the peak of what limits it
  double occupancy = 0.0, occupancy_time = 0.0;
  double low = 0.0, high = 0.0;
  std::array<double, kernels::kLimiters> limited{};

  void add(const KernelOutcome& outcome, double count, double launch_time) {
    const Price& p = outcome.price;
    time += count * p.time.si();
    compute += count * p.compute.si();
    hbm += count * p.hbm.si();
    l2 += count * p.l2.si();
    launch += count * launch_time;
    flops += count * p.flops.si();
    bytes += count * p.hbm_bytes.si();
    peak_seconds += count * p.fraction_of_peak * p.time.si();
    low += count * p.time.si() / (1.0 + p.spread80);
    high += count * p.time.si() * (1.0 + p.spread80);
    limited[static_cast<std::size_t>(p.limiter)] += count * p.time.si();
    if (const std::optional<double> known =
            outcome.occupancy ? outcome.occupancy : outcome.assumed_occupancy) {
      occupancy += count * p.time.si() * *known;
      occupancy_time += count * p.time.si();
    }
  }
  [[nodiscard]] kernels::Limiter limiter() const {
    return static_cast<kernels::Limiter>(std::max_element(limited.begin(), limited.end()) - limited.begin());
  }
};

double launch_time(const KernelOutcome& outcome, const KernelPricer& pricer, std::size_t machine) {
  return outcome.parts.empty() ? pricer.model(machine).launch(false).si() : outcome.price.fixed.si();
}

void add_metrics(Result& result, const std::string& prefix, const Total& t) {
  const auto add = [&](const char* name, json::Value value) {
    result.metrics.push_back({prefix + name, std::move(value), std::nullopt});
  };
  result.metrics.push_back({prefix + "time", json::Value(t.time), std::array<double, 2>{t.low, t.high}});
  add("compute_time", t.compute);
  add("hbm_time", t.hbm);
  add("l2_time", t.l2);
  add("launch_time", t.launch);
  add("flops", t.flops);
  add("hbm_bytes", t.bytes);
  add("intensity", t.bytes > 0.0 ? t.flops / t.bytes : 0.0);
  add("fraction_of_peak", t.time > 0.0 ? t.peak_seconds / t.time : 0.0);
  if (t.occupancy_time > 0.0) {
    add("occupancy", t.occupancy / t.occupancy_time);
  }
  add("limiter", json::Value(json::name_of(t.limiter())));
}

json::Value part_json(const KernelPart& part) {
  json::Value out;
  out["kernel"] = part.name;
  out["calls"] = part.calls;
  out["time"] = part.price.time.si();
  out["flops"] = part.price.flops.si();
  out["hbm_bytes"] = part.price.hbm_bytes.si();
  out["limiter"] = json::Value(json::name_of(part.price.limiter));
  out["fraction_of_peak"] = part.price.fraction_of_peak;
  out["provenance"] = json::Value(json::name_of(part.price.provenance));
  return out;
}

json::Value row_json(const KernelScenario& scenario, const KernelRow& row) {
  const KernelCase& one = scenario.cases[row.index];
  const Price& p = row.outcome.price;
  json::Value out;
  out["kernel"] = one.entry;
  out["op"] = json::Value(one.kind->name);
  out["gpu"] = scenario.machines[one.gpu].gpu.name;
  out["at"] = json::Value(json::Object{});
  for (const Coordinate& c : one.at) {
    out["at"][c.field] = c.value;
  }
  out["spec"] = one.operation->resolved();
  if (!row.outcome.refusal.empty()) {
    out["cannot_run"] = row.outcome.refusal;
    return out;
  }
  out["count"] = one.count;
  out["time"] = p.time.si();
  out["interval80"] = json::Value(json::Array{json::Value(p.time.si() / (1.0 + p.spread80)),
                                              json::Value(p.time.si() * (1.0 + p.spread80))});
  out["flops"] = p.flops.si();
  out["hbm_bytes"] = p.hbm_bytes.si();
  out["limiter"] = json::Value(json::name_of(p.limiter));
  out["fraction_of_peak"] = p.fraction_of_peak;
  out["provenance"] = json::Value(json::name_of(p.provenance));
  out["expected_error"] = p.relative_error;
  out["outside_measured_range"] = p.outside_measured_range;
  if (row.outcome.occupancy) {
    out["occupancy"] = *row.outcome.occupancy;
  }
  if (row.speedup) {
    out["speedup"] = *row.speedup;
  }
  for (const KernelFigure& figure : row.outcome.figures) {
    out[figure.name] = figure.value;
  }
  if (!row.outcome.parts.empty() && scenario.spec.parts) {
    json::Array parts;
    for (const KernelPart& part : row.outcome.parts) {
      parts.push_back(part_json(part));
    }
    out["parts"] = json::Value(std::move(parts));
  }
  return out;
}

// "35.50 us", "15.19 ms"
std::string time_text(Seconds time) {
  return time.si() < 9.9995e-3 ? fmt::format("{:.2f} us", time.si() * 1e6)
                               : fmt::format("{:.2f} ms", time.si() * 1e3);
}

void add_warnings(Result& result, const KernelScenario& scenario, const std::vector<KernelRow>& rows) {
  result.warnings = scenario.notes;
  std::size_t outside = 0, assumed = 0;
  for (const KernelRow& row : rows) {
    const KernelCase& one = scenario.cases[row.index];
    if (!row.outcome.refusal.empty()) {
      result.warnings.push_back(one.name() + " cannot run: it " + row.outcome.refusal);
      continue;
    }
    outside += row.outcome.price.outside_measured_range ? 1 : 0;
    assumed += row.outcome.price.provenance == kernels::Provenance::assumed ? 1 : 0;
  }
  const auto of_all = [&](std::size_t count) { return fmt::format("{} of {} cases", count, rows.size()); };
  if (outside > 0) {
    result.warnings.push_back(of_all(outside) + " lie outside what was measured: their errors count double");
  }
  if (assumed > 0) {
    result.warnings.push_back(of_all(assumed) + " rest on constants that nobody measured (assumed)");
  }
}

}  // namespace

KernelReport report_kernels(const KernelScenario& scenario, const std::vector<KernelRow>& rows,
                            const KernelPricer& pricer, const Library& library) {
  KernelReport report;
  Result& result = report.result;
  result.scenario = resolved_json(scenario);
  Total all;
  for (const KernelRow& row : rows) {
    if (row.outcome.refusal.empty()) {
      const KernelCase& one = scenario.cases[row.index];
      all.add(row.outcome, one.count, launch_time(row.outcome, pricer, one.gpu));
    }
  }
  add_metrics(result, "kernel.", all);
  for (const KernelRow& row : rows) {
    const KernelCase& one = scenario.cases[row.index];
    report.table.push_back(row_json(scenario, row));
    if (!row.outcome.refusal.empty()) {
      continue;
    }
    const std::string prefix = rows.size() == 1 ? "kernel." : "kernel." + one.name() + ".";
    if (rows.size() > 1) {
      Total single;
      single.add(row.outcome, one.count, launch_time(row.outcome, pricer, one.gpu));
      add_metrics(result, prefix, single);
    }
    for (const KernelFigure& figure : row.outcome.figures) {
      result.metrics.push_back({prefix + std::string(figure.name), json::Value(figure.value), std::nullopt});
    }
    if (row.speedup) {
      result.metrics.push_back({prefix + "speedup", json::Value(*row.speedup), std::nullopt});
    }
  }
  for (std::size_t i = 0; i < all.limited.size(); ++i) {
    if (all.limited[i] > 0.0) {
      const auto limiter = static_cast<kernels::Limiter>(i);
      result.bottlenecks.push_back({std::string(json::name_of(limiter)), all.limited[i] / all.time,
                                    "share of the time of all cases that this limits"});
    }
  }
  std::stable_sort(result.bottlenecks.begin(), result.bottlenecks.end(),
                   [](const Bottleneck& a, const Bottleneck& b) { return a.share > b.share; });
  result.provenance = json::Value(json::Object{});
  for (std::size_t i = 0; i < scenario.machines.size(); ++i) {
    const kernels::KernelProfile& profile = pricer.model(i).profile();
    result.provenance["kernels of " + scenario.machines[i].gpu.name] =
        profile.gpu == scenario.machines[i].gpu.name
            ? "profile fitted to measurements of " + profile.gpu
            : "physics with constants from " + (profile.gpu.empty() ? std::string("defaults") : profile.gpu);
  }
  add_warnings(result, scenario, rows);
  report.findings = kernel_findings(scenario, rows, pricer, library);
  return report;
}

FlopsPerSecond peak_of(const KernelCase& one, const Gpu& gpu) {
  const json::Value spec = one.operation->resolved();
  const json::Value* name = spec.find("precision");
  if (one.kind->name == "int8_linear") {
    return gpu.peak(Precision::int8).value_or(gpu.vector_fp32_peak);
  }
  const json::Value* pruned = spec.find("sparse");
  const bool sparse = one.kind->name == "sparse_gemm" || (pruned != nullptr && pruned->boolean());
  const double factor = sparse ? std::max(1.0, gpu.sparse_factor) : 1.0;
  for (std::size_t i = 0; name != nullptr && name->is_string() && i < kPrecisionCount; ++i) {
    if (kPrecisionNames[i] == name->string() && gpu.matrix_peak[i]) {
      return *gpu.matrix_peak[i] * factor;
    }
  }
  return gpu.peak(Precision::bf16).value_or(gpu.vector_fp32_peak) * factor;
}

KernelExplanation explain_kernel(const KernelScenario& scenario, const KernelRow& row,
                                 const KernelPricer& pricer) {
  const KernelCase& one = scenario.cases[row.index];
  const Gpu& gpu = scenario.machines[one.gpu].gpu;
  KernelExplanation text;
  kernels::Explanation why;
  const KernelOutcome outcome = pricer.price(one, &why);
  const Price& p = outcome.price;
  if (!outcome.refusal.empty()) {
    text.title = one.name() + " cannot run on " + gpu.name + ": it " + outcome.refusal;
    return text;
  }
  text.title = fmt::format("{} on {} = {} [{} .. {}], limited by {}", one.name(), gpu.name, time_text(p.time),
                           time_text(p.time / (1.0 + p.spread80)), time_text(p.time * (1.0 + p.spread80)),
                           json::name_of(p.limiter));
  text.lines = std::move(why.lines);
  const double peak = peak_of(one, gpu).si(), bandwidth = gpu.memory_bandwidth.si();
  if (p.flops.si() > 0.0 && p.hbm_bytes.si() > 0.0) {
    const double intensity = p.flops.si() / p.hbm_bytes.si(), ridge = peak / bandwidth;
    text.lines.push_back(fmt::format(
        "roofline: {:.4g} FLOP / {:.4g} B = {:.1f} FLOP a byte, {} the ridge of {:.3g} FLOP/s / {:.3g} B/s = "
        "{:.0f}: at best {} (compute {}, HBM {})",
        p.flops.si(), p.hbm_bytes.si(), intensity, intensity < ridge ? "below" : "above", peak, bandwidth,
        ridge, time_text(Seconds(std::max(p.flops.si() / peak, p.hbm_bytes.si() / bandwidth))),
        time_text(Seconds(p.flops.si() / peak)), time_text(Seconds(p.hbm_bytes.si() / bandwidth))));
  }
  text.lines.push_back(
      fmt::format("limiter: compute {}, HBM {}, L2 {}, link {}, fixed {}: {}; {:.1f} % of {}",
                  time_text(p.compute), time_text(p.hbm), time_text(p.l2), time_text(p.link),
                  time_text(p.fixed), json::name_of(p.limiter), 100.0 * p.fraction_of_peak,
                  p.limiter == kernels::Limiter::compute        ? "the datasheet compute peak"
                  : p.limiter == kernels::Limiter::l2_bandwidth ? "the rate that L2 reaches"
                                                                : "the datasheet HBM bandwidth"));
  std::vector<const KernelPart*> parts;
  for (const KernelPart& part : outcome.parts) {
    parts.push_back(&part);
  }
  std::stable_sort(parts.begin(), parts.end(), [](const KernelPart* a, const KernelPart* b) {
    return a->price.time * a->calls > b->price.time * b->calls;
  });
  if (!parts.empty()) {
    text.lines.push_back("the longest of its kernels:");
  }
  for (std::size_t i = 0; i < parts.size() && i < 10; ++i) {
    const Price& k = parts[i]->price;
    text.lines.push_back(fmt::format(
        "  {:<20} {:>4.0f} x {:>9} {:>4.0f} %  {:>6.1f} FLOP/B  {}", parts[i]->name, parts[i]->calls,
        time_text(k.time), 100.0 * (k.time * parts[i]->calls / p.time),
        k.hbm_bytes.si() > 0.0 ? k.flops.si() / k.hbm_bytes.si() : 0.0, json::name_of(k.limiter)));
  }
  return text;
}

}  // namespace gpuplan::sim

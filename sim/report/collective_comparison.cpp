#include "sim/report/collective_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "hwmodels/collectives/composed.h"

namespace gpuplan::sim {

namespace {

using collectives::Algorithm;
using collectives::Collective;
using collectives::CollectiveModel;

constexpr double kLeastBytes = 256.0, kMostBytes = 64.0 * 1073741824.0;
constexpr double kStride = 1.0905077326652577;  // eighths of an octave
constexpr int kBisections = 30;
constexpr double kClear = 1.03;  // a winner by less than 3 % anywhere is none

// The compared algorithms that can run `collective` on the scenario's machine.
std::vector<Algorithm> able(const CollectiveScenario& scenario, Collective collective) {
  std::vector<Algorithm> out;
  const auto candidates = collectives::candidates(scenario.group, {collective, Bytes(1048576.0)});
  for (const Algorithm algorithm : scenario.spec.compare) {
    const bool runs =
        collectives::is_composed(algorithm)
            ? !collectives::phases_of(scenario.group, {collective, Bytes(1048576.0)}, algorithm).empty()
            : std::any_of(candidates.begin(), candidates.end(),
                          [&](const auto& one) { return one.algorithm == algorithm; });
    if (runs) {
      out.push_back(algorithm);
    }
  }
  return out;
}

// Where the winner of `cost(algorithm, bytes)` changes; of equal costs the first algorithm wins.
template <class Cost>
std::vector<Winner> winners(const std::vector<Algorithm>& algorithms, const Cost& cost) {
  std::vector<Winner> out;
  if (algorithms.empty()) {
    return out;
  }
  const auto best = [&](double bytes) {
    return *std::min_element(algorithms.begin(), algorithms.end(),
                             [&](Algorithm a, Algorithm b) { return cost(a, bytes) < cost(b, bytes); });
  };
  out.push_back({kLeastBytes, best(kLeastBytes)});
  for (double below = kLeastBytes; below < kMostBytes; below *= kStride) {
    const Algorithm next = best(below * kStride);
    if (next == out.back().algorithm) {
      continue;
    }
    double low = below, high = below * kStride;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = std::sqrt(low * high);
      (best(middle) == out.back().algorithm ? low : high) = middle;
    }
    out.push_back({high, best(high)});
  }
  // Drop who is nowhere clearly ahead of the one before.
  for (std::size_t i = 1; i < out.size();) {
    const double end = i + 1 < out.size() ? out[i + 1].bytes : kMostBytes;
    double ahead = 1.0;
    for (double bytes = out[i].bytes; bytes < end; bytes *= kStride) {
      ahead = std::max(ahead, cost(out[i - 1].algorithm, bytes) / cost(out[i].algorithm, bytes));
    }
    ahead < kClear || out[i].algorithm == out[i - 1].algorithm
        ? void(out.erase(out.begin() + static_cast<std::ptrdiff_t>(i)))
        : void(++i);
  }
  return out;
}

AlgorithmComparison compare(const CollectiveModel& model, const CollectiveScenario& scenario,
                            Collective collective) {
  AlgorithmComparison out;
  out.collective = collective;
  const std::vector<Algorithm> algorithms = able(scenario, collective);
  const auto time = [&](Algorithm algorithm, double bytes) {
    return model
        .price(scenario.group, {collective, Bytes(bytes)},
               {.algorithm = algorithm, .protocol = scenario.spec.protocol})
        .time.si();
  };
  out.by_time = winners(algorithms, time);
  std::vector<Algorithm> own;
  std::copy_if(algorithms.begin(), algorithms.end(), std::back_inserter(own),
               [](Algorithm algorithm) { return !collectives::is_composed(algorithm); });
  out.by_nccl = winners(own, [&](Algorithm algorithm, double bytes) {
    double least = 1e300;
    for (const auto& one : collectives::candidates(scenario.group, {collective, Bytes(bytes)})) {
      least = one.algorithm == algorithm ? std::min(least, one.estimate) : least;
    }
    return least;
  });
  for (const std::int64_t bytes : scenario.spec.bytes) {
    AlgorithmComparison::Row row;
    row.bytes = static_cast<double>(bytes);
    for (const Algorithm algorithm : scenario.spec.compare) {
      const bool runs = std::find(algorithms.begin(), algorithms.end(), algorithm) != algorithms.end();
      row.times.emplace_back(runs ? time(algorithm, row.bytes) : std::nan(""));
    }
    out.rows.push_back(std::move(row));
  }
  return out;
}

CommunicationCost cost_of(const CollectiveModel& model, const CollectiveScenario& scenario,
                          const CommunicationSpec& spec, FabricPlay* fabric) {
  CommunicationCost out;
  out.name = spec.name;
  out.compute = compute_time(spec, scenario.gpu);
  double longest = 0.0;
  for (const MoveSpec& move : moves_of(spec, scenario.group.ranks)) {
    CollectiveRow row =
        price_operation(model, scenario, options_of(scenario), {move.collective, Bytes(move.bytes)}, fabric);
    const double seconds = row.time().si() * move.count;
    if (seconds > longest) {
      longest = seconds;
      out.limiter = row.played && !row.played->narrowest.empty()
                        ? row.played->narrowest
                        : std::string(json::name_of(row.price.limiter));
    }
    out.communication += Seconds(seconds);
    out.rows.push_back(std::move(row));
    out.counts.push_back(move.count);
  }
  out.exposed = Seconds(std::max(0.0, out.communication.si() - spec.overlap * out.compute.si()));
  return out;
}

VariantOutcome outcome_of(const CollectiveModel& model, const CollectiveScenario& scenario) {
  VariantOutcome out;
  out.scenario = &scenario;
  std::optional<FabricPlay> fabric = play_of(scenario);
  FabricPlay* const play = fabric ? &*fabric : nullptr;
  for (const Collective collective : scenario.spec.collectives) {
    for (const std::int64_t bytes : scenario.spec.bytes) {
      out.rows.push_back(price_operation(model, scenario, options_of(scenario),
                                         {collective, Bytes(static_cast<double>(bytes))}, play));
    }
    if (!scenario.spec.compare.empty()) {
      out.comparisons.push_back(compare(model, scenario, collective));
    }
  }
  for (const CommunicationSpec& workload : scenario.spec.workloads) {
    out.workloads.push_back(cost_of(model, scenario, workload, play));
  }
  return out;
}

json::Value json_of(const std::vector<Winner>& winners) {
  json::Value out{json::Array{}};
  for (const Winner& winner : winners) {
    json::Value one;
    one["from_bytes"] = winner.bytes;
    one["algorithm"] = json::Value(json::name_of(winner.algorithm));
    out.push_back(std::move(one));
  }
  return out;
}

void add_outcome(CollectiveComparison& out, const VariantOutcome& variant, bool several) {
  const CollectiveScenario& scenario = *variant.scenario;
  const std::string middle = several ? scenario.spec.name + "." : "";
  for (const CollectiveRow& row : variant.rows) {
    add_metrics(out.result, "collective." + middle + row.name() + ".", row);
    json::Value one = row_json(scenario, row);
    one["variant"] = scenario.spec.name;
    out.table.push_back(std::move(one));
  }
  for (const AlgorithmComparison& comparison : variant.comparisons) {
    json::Value one;
    one["variant"] = scenario.spec.name;
    one["ranks"] = scenario.group.ranks;
    one["collective"] = json::Value(json::name_of(comparison.collective));
    one["fastest"] = json_of(comparison.by_time);
    one["nccl_takes"] = json_of(comparison.by_nccl);
    out.table.push_back(std::move(one));
  }
  for (const CommunicationCost& cost : variant.workloads) {
    const std::string prefix = "workload." + middle + cost.name + ".";
    const auto add = [&](const char* name, Seconds value) {
      out.result.metrics.push_back({prefix + name, json::Value(value.si()), std::nullopt});
    };
    add("communication", cost.communication);
    add("compute", cost.compute);
    add("exposed", cost.exposed);
    add("step", cost.step());
    out.result.metrics.push_back({prefix + "limiter", json::Value(cost.limiter), std::nullopt});
  }
}

}  // namespace

bool compares(const CollectiveScenario& scenario) {
  return !scenario.variants.empty() || !scenario.spec.compare.empty() || !scenario.spec.workloads.empty();
}

CollectiveComparison compare_collectives(const CollectiveScenario& scenario, const Library& library) {
  const auto model = CollectiveModel::load(library.data_dir);
  CollectiveComparison out;
  out.result.scenario = resolved_json(scenario);
  out.result.warnings = scenario.notes;
  if (scenario.variants.empty()) {
    out.variants.push_back(outcome_of(model, scenario));
  }
  for (const CollectiveScenario& variant : scenario.variants) {
    out.variants.push_back(outcome_of(model, variant));
  }
  std::size_t rows = 0, outside = 0;
  double latency = 0.0;
  for (const VariantOutcome& variant : out.variants) {
    add_outcome(out, variant, !scenario.variants.empty());
    for (const CollectiveRow& row : variant.rows) {
      ++rows;
      outside += row.price.outside_measured_range ? 1 : 0;
      latency += row.price.limiter == kernels::Limiter::latency ? 1.0 : 0.0;
    }
    for (const std::string& note : variant.scenario->notes) {
      if (std::find(out.result.warnings.begin(), out.result.warnings.end(), note) ==
          out.result.warnings.end()) {
        out.result.warnings.push_back(note);
      }
    }
  }
  const double share = latency / static_cast<double>(std::max<std::size_t>(1, rows));
  out.result.bottlenecks = {{"latency", share, "share of the rows that latency limits"},
                            {"link_bandwidth", 1.0 - share, "share of the rows that links limit"}};
  if (share < 0.5) {
    std::swap(out.result.bottlenecks[0], out.result.bottlenecks[1]);
  }
  out.result.provenance = json::Value(json::Object{});
  out.result.provenance["choice"] = "NCCL 2.30's own arithmetic";
  out.result.provenance["time"] = "constants fitted to measurements, or assumed, as each row states";
  if (!scenario.spec.workloads.empty()) {
    out.result.provenance["compute"] = "6 parameters tokens / (peak mfu), the mfu assumed";
  }
  if (outside > 0) {
    out.result.warnings.push_back(
        fmt::format("{} of {} rows lie outside what was measured: their errors count double", outside, rows));
  }
  return out;
}

std::vector<std::string> findings_of(const CollectiveComparison& comparison) {
  std::vector<std::string> out;
  if (comparison.variants.size() < 2) {
    return out;
  }
  const VariantOutcome& first = comparison.variants.front();
  const auto fastest = [&](const auto& seconds) {
    return std::min_element(comparison.variants.begin(), comparison.variants.end(),
                            [&](const auto& a, const auto& b) { return seconds(a) < seconds(b); });
  };
  const auto slowest = [&](const auto& seconds) {
    return std::max_element(comparison.variants.begin(), comparison.variants.end(),
                            [&](const auto& a, const auto& b) { return seconds(a) < seconds(b); });
  };
  for (std::size_t i = 0; i < first.workloads.size(); ++i) {
    const auto step = [&](const VariantOutcome& v) { return v.workloads[i].step().si(); };
    const auto best = fastest(step), worst = slowest(step);
    const double idle = worst->workloads[i].exposed.si() / step(*worst);
    out.push_back(
        fmt::format("{}: {} is the fastest; {} takes {:.2f} times as long and waits for the "
                    "network {:.0f} % of it ({})",
                    first.workloads[i].name, best->scenario->spec.name, worst->scenario->spec.name,
                    step(*worst) / step(*best), 100.0 * idle, worst->workloads[i].limiter));
  }
  if (first.workloads.empty() && first.comparisons.empty()) {
    for (std::size_t i = 0; i < first.rows.size(); ++i) {
      const auto time = [&](const VariantOutcome& v) { return v.rows[i].time().si(); };
      out.push_back(fmt::format("{}: {} is the fastest, {} takes {:.2f} times as long", first.rows[i].name(),
                                fastest(time)->scenario->spec.name, slowest(time)->scenario->spec.name,
                                time(*slowest(time)) / time(*fastest(time))));
    }
  }
  return out;
}

}  // namespace gpuplan::sim

#include "sim/report/collective_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/collectives/chunking.h"
#include "hwmodels/collectives/composed.h"
#include "hwmodels/collectives/schedule.h"
#include "hwmodels/collectives/uneven.h"
#include "sim/report/together_report.h"

namespace gpuplan::sim {

namespace {

using collectives::Algorithm;
using collectives::Collective;

constexpr int kMostRanksShown = 16;

std::optional<collectives::Schedule> schedule_of(const CollectiveScenario& scenario, Collective collective,
                                                 Algorithm algorithm) {
  const int ranks = scenario.group.ranks;
  switch (collective) {
    case Collective::all_reduce:
      return algorithm == Algorithm::tree ? collectives::double_tree_all_reduce(ranks)
                                          : collectives::ring_all_reduce(ranks);
    case Collective::all_gather:
      return algorithm == Algorithm::pat ? collectives::pat_all_gather(ranks)
                                         : collectives::ring_all_gather(ranks);
    case Collective::reduce_scatter:
      return algorithm == Algorithm::pat ? collectives::pat_reduce_scatter(ranks)
                                         : collectives::ring_reduce_scatter(ranks);
    case Collective::all_to_all:
      return collectives::all_to_all(ranks);
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_recv:
      return std::nullopt;
  }
  return std::nullopt;
}

// "all_reduce, step 1: 0>1 chunk 2+, ...": + where the chunk is added to the receiver's.
std::vector<std::string> steps_of(const CollectiveScenario& scenario, const CollectiveRow& row) {
  const Collective collective = row.operation.collective;
  const bool tree = row.price.choice.algorithm == Algorithm::tree;
  const auto schedule = schedule_of(scenario, collective, row.price.choice.algorithm);
  std::vector<std::string> out;
  if (!schedule) {
    return out;
  }
  for (int step = 0; step < schedule->steps; ++step) {
    std::string line = fmt::format("{} {}, step {}:", json::name_of(collective),
                                   tree                                   ? "double tree"
                                   : collective == Collective::all_to_all ? "linear"
                                                                          : "ring",
                                   step + 1);
    for (const collectives::ChunkTransfer& t : schedule->transfers) {
      if (t.step == step) {
        line += fmt::format(" {}>{} #{}{}", t.from, t.to, t.chunk, t.reduces ? "+" : "");
      }
    }
    out.push_back(std::move(line));
  }
  return out;
}

std::vector<std::pair<std::string, Seconds>> named(const SeedSpread& seeds) {
  return {{"best", seeds.best}, {"median", seeds.median}, {"p90", seeds.p90}, {"worst", seeds.worst}};
}

}  // namespace

void add_metrics(Result& result, const std::string& prefix, const CollectiveRow& row) {
  const collectives::CollectivePrice& p = row.price;
  const double factor = 1.0 + p.spread80;
  const auto add = [&](const char* name, double value) {
    result.metrics.push_back(
        {prefix + name, json::Value(value), std::array<double, 2>{value / factor, value * factor}});
  };
  add("time", row.time().si());
  add("algbw", p.algorithm_bandwidth.si());
  add("busbw", p.bus_bandwidth.si());
  const auto fixed = [&](const char* name, json::Value value) {
    result.metrics.push_back({prefix + name, std::move(value), std::nullopt});
  };
  fixed("algorithm", json::Value(json::name_of(p.choice.algorithm)));
  fixed("protocol", json::Value(json::name_of(p.choice.protocol)));
  fixed("channels", json::Value(p.choice.channels));
  fixed("steps", json::Value(p.parts.step_count));
  if (row.seeds) {
    const SeedSpread& seeds = *row.seeds;
    fixed("ecmp.seeds", json::Value(seeds.seeds));
    fixed("ecmp.even", json::Value(seeds.even.si()));
    for (const auto& [name, time] : named(seeds)) {
      fixed(("ecmp." + name).c_str(), json::Value(time.si()));
      fixed(("ecmp." + name + "_slowdown").c_str(), json::Value(seeds.slowdown(time)));
    }
  }
}

json::Value row_json(const CollectiveScenario& scenario, const CollectiveRow& row) {
  const collectives::CollectivePrice& p = row.price;
  const collectives::Chunking cut = collectives::chunking_of(scenario.group, row.operation, p.choice);
  json::Value out;
  out["collective"] = json::Value(json::name_of(row.operation.collective));
  out["bytes"] = row.operation.bytes.si();
  const double time = row.time().si();
  out["time"] = time;
  out["interval80"] = json::Value(
      json::Array{json::Value(time / (1.0 + p.spread80)), json::Value(time * (1.0 + p.spread80))});
  if (row.played) {
    out["slowdown"] = row.played->slowdown;
    out["narrowest_link"] = row.played->narrowest;
  }
  if (row.seeds) {
    json::Value& ecmp = out["ecmp"];
    ecmp["seeds"] = row.seeds->seeds;
    ecmp["even"] = row.seeds->even.si();
    for (const auto& [name, one] : named(*row.seeds)) {
      ecmp[name] = one.si();
      ecmp[name + "_slowdown"] = row.seeds->slowdown(one);
    }
    ecmp["worst_seed"] = static_cast<std::int64_t>(row.seeds->worst_seed);
  }
  out["algbw"] = p.algorithm_bandwidth.si();
  out["busbw"] = p.bus_bandwidth.si();
  out["algorithm"] = json::Value(json::name_of(p.choice.algorithm));
  out["protocol"] = json::Value(json::name_of(p.choice.protocol));
  out["channels"] = p.choice.channels;
  out["steps"] = p.parts.step_count;
  out["chunk_bytes"] = cut.chunk_bytes;
  out["last_chunk_bytes"] = cut.last_chunk_bytes;
  out["slices"] = cut.slices;
  out["loops"] = cut.loops;
  out["padding_bytes"] = cut.padding_bytes;
  out["limiter"] = json::Value(json::name_of(p.limiter));
  out["provenance"] = json::Value(json::name_of(p.provenance));
  out["expected_error"] = p.relative_error;
  out["outside_measured_range"] = p.outside_measured_range;
  return out;
}

namespace {

void add_loss(CollectiveReport& report, const std::string& prefix, const CollectiveRow& row,
              const JobLoss& loss) {
  const auto add = [&](const char* name, double value) {
    report.result.metrics.push_back({prefix + "job." + name, json::Value(value), std::nullopt});
  };
  add("step_time", loss.now.si());
  add("healthy_step_time", loss.healthy.si());
  add("lost_share", loss.share());
  add("lost_gpu_hours_per_day", loss.gpu_hours_per_day);
  if (loss.usd_per_day) {
    add("lost_usd_per_day", *loss.usd_per_day);
  }
  report.losses.push_back(fmt::format(
      "{}: step {:.4g} ms instead of {:.4g}, {:.1f} % of the throughput, {:.0f} GPU-hours a day{}",
      row.name(), loss.now.si() * 1e3, loss.healthy.si() * 1e3, loss.share() * 100.0, loss.gpu_hours_per_day,
      loss.usd_per_day ? fmt::format(", {:.0f} USD a day", *loss.usd_per_day) : ""));
}

void add_straggling(const CollectiveScenario& scenario, CollectiveRow& row) {
  const Seconds more = straggling(scenario, row.price);
  if (more.si() <= 0.0) {
    return;
  }
  if (!row.played) {
    row.played = Played{.time = row.price.time, .narrowest = {}};
  }
  row.played->time += more;
  row.played->slowdown = row.played->time / row.price.time;
  row.why.add(fmt::format("stragglers: {:.2f} us more, for the last to come and steps through the slowest",
                          more.si() * 1e6));
}

double imbalance_of(const CollectiveScenario& scenario, const collectives::CollectiveOperation& operation) {
  return operation.collective == Collective::all_to_all ? scenario.imbalance : 1.0;
}

// What is priced: the operation itself, or the even all-to-all that takes as long as its uneven one. How NCCL
// cuts it stands behind the arithmetic.
collectives::CollectivePrice price_row(const collectives::CollectiveModel& model,
                                       const CollectiveScenario& scenario,
                                       const collectives::CollectiveOptions& options, CollectiveRow& row) {
  const double share = imbalance_of(scenario, row.operation);
  if (share > 1.0) {
    row.why.add(fmt::format("the largest part is {:.3f} means: as long as an even all-to-all of {:.4g} B",
                            share, row.operation.bytes.si() * share));
  }
  collectives::CollectivePrice price =
      model.price(scenario.group, collectives::even_as_busiest(row.operation, share), options, &row.why);
  price.algorithm_bandwidth = price.algorithm_bandwidth / share;
  price.bus_bandwidth = price.bus_bandwidth / share;
  if (!collectives::is_composed(price.choice.algorithm)) {
    const collectives::Chunking cut = collectives::chunking_of(scenario.group, row.operation, price.choice);
    row.why.add(fmt::format(
        "cut: {} channels of {} B, {} loops of chunks of {} B ({} slices; last {} B), {} B of padding",
        cut.channels, cut.channel_bytes, cut.loops, cut.chunk_bytes, cut.slices, cut.last_chunk_bytes,
        cut.padding_bytes));
  }
  return price;
}

// What the fabric plays of a row, without its stragglers.
collectives::CollectiveOperation played_operation(const CollectiveScenario& scenario,
                                                  const collectives::CollectiveOperation& operation) {
  return collectives::even_as_busiest(operation, imbalance_of(scenario, operation));
}

// Faults may take a link that the row's algorithm cannot do without.
std::optional<Played> play_row(const CollectiveScenario& scenario, const CollectiveRow& row,
                               FabricPlay& fabric) {
  try {
    return fabric.play(row.price, played_operation(scenario, row.operation));
  } catch (const InputError& error) {
    std::vector<Problem> problems = error.problems();
    for (Problem& problem : problems) {
      problem.path = "$.faults";
      problem.found +=
          fmt::format(", which {} of {} takes", json::name_of(row.price.choice.algorithm), row.name());
    }
    throw InputError(std::move(problems));
  }
}

void add_seeds(const CollectiveScenario& scenario, std::vector<CollectiveRow>& rows) {
  std::vector<PricedCollective> priced;
  priced.reserve(rows.size());
  for (const CollectiveRow& row : rows) {
    priced.push_back({played_operation(scenario, row.operation), row.price});
  }
  const auto first = static_cast<std::uint64_t>(*scenario.spec.ecmp_seed);
  const auto spreads = over_seeds(*scenario.topology, taking_part(*scenario.topology, scenario.group), first,
                                  *scenario.spec.ecmp_seeds, priced);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].seeds = spreads[i];
  }
}

std::string held_by(const Played& played) {
  return !played.narrowest.empty() ? played.narrowest
         : played.delay.si() > 0.0 ? "links slow to answer, not narrow ones"
                                   : "stragglers, not links";
}

}  // namespace

std::string CollectiveRow::name() const {
  return fmt::format("{}[bytes={:.0f}]", json::name_of(operation.collective), operation.bytes.si());
}

std::optional<FabricPlay> play_of(const CollectiveScenario& scenario) {
  if (!scenario.topology) {
    return std::nullopt;
  }
  const auto& seed = scenario.spec.ecmp_seed;
  return FabricPlay(*scenario.topology, taking_part(*scenario.topology, scenario.group),
                    seed ? std::optional(static_cast<std::uint64_t>(*seed)) : std::nullopt);
}

CollectiveRow price_operation(const collectives::CollectiveModel& model, const CollectiveScenario& scenario,
                              const collectives::CollectiveOptions& options,
                              const collectives::CollectiveOperation& operation, FabricPlay* fabric) {
  CollectiveRow row;
  row.operation = operation;
  row.price = price_row(model, scenario, options, row);
  if (fabric != nullptr) {
    row.played = play_row(scenario, row, *fabric);
    add_straggling(scenario, row);
    if (row.played) {
      const double slower = row.played->slowdown;
      row.price.algorithm_bandwidth = row.price.algorithm_bandwidth / slower;
      row.price.bus_bandwidth = row.price.bus_bandwidth / slower;
      const std::string channels =
          row.played->channels > 0 ? fmt::format(" ({} channels)", row.played->channels) : "";
      row.why.add(fmt::format("on the links of the fabric{}: {:.2f} us, {:.2f} times as long{}", channels,
                              row.played->time.si() * 1e6, slower,
                              row.played->narrowest.empty() ? std::string(", no link is full")
                                                            : ", held by " + row.played->narrowest));
      if (row.played->delay.si() > 0.0) {
        row.why.add(fmt::format("of it {:.2f} us for links that are slow to answer, along the longest chain",
                                row.played->delay.si() * 1e6));
      }
    }
  }
  return row;
}

collectives::CollectiveOptions options_of(const CollectiveScenario& scenario) {
  return {.custom_kernel = scenario.spec.custom_kernel,
          .algorithm = scenario.spec.algorithm,
          .protocol = scenario.spec.protocol};
}

std::vector<CollectiveRow> price_collectives(const CollectiveScenario& scenario, const Library& library) {
  const auto model = collectives::CollectiveModel::load(library.data_dir);
  std::optional<FabricPlay> fabric = play_of(scenario);
  std::vector<CollectiveRow> rows;
  for (const Collective collective : scenario.spec.collectives) {
    for (const std::int64_t bytes : scenario.spec.bytes) {
      rows.push_back(price_operation(model, scenario, options_of(scenario),
                                     {collective, Bytes(static_cast<double>(bytes))},
                                     fabric ? &*fabric : nullptr));
    }
  }
  if (scenario.topology && scenario.spec.ecmp_seeds) {
    add_seeds(scenario, rows);
  }
  return rows;
}

CollectiveReport report_collectives(const CollectiveScenario& scenario,
                                    const std::vector<CollectiveRow>& rows, const Library& library) {
  CollectiveReport report;
  Result& result = report.result;
  result.scenario = resolved_json(scenario);
  result.warnings = scenario.notes;
  std::vector<Collective> shown;
  std::size_t outside = 0, latency = 0;
  for (const CollectiveRow& row : rows) {
    add_metrics(result, rows.size() == 1 ? "collective." : "collective." + row.name() + ".", row);
    report.table.push_back(row_json(scenario, row));
    if (const std::optional<JobLoss> loss = job_loss(scenario, row, library)) {
      add_loss(report, rows.size() == 1 ? "collective." : "collective." + row.name() + ".", row, *loss);
    }
    outside += row.price.outside_measured_range ? 1 : 0;
    latency += row.price.limiter == kernels::Limiter::latency ? 1 : 0;
    const Collective collective = row.operation.collective;
    if (scenario.spec.steps && scenario.group.ranks <= kMostRanksShown &&
        std::find(shown.begin(), shown.end(), collective) == shown.end()) {
      shown.push_back(collective);
      const std::vector<std::string> steps = steps_of(scenario, row);
      report.steps.insert(report.steps.end(), steps.begin(), steps.end());
    }
  }
  const auto count = static_cast<double>(std::max<std::size_t>(1, rows.size()));
  const double by_latency = static_cast<double>(latency) / count;
  result.bottlenecks.push_back({"latency", by_latency, "share of the sizes that latency limits"});
  result.bottlenecks.push_back({"link_bandwidth", 1.0 - by_latency, "share of the sizes that links limit"});
  std::stable_sort(result.bottlenecks.begin(), result.bottlenecks.end(),
                   [](const Bottleneck& a, const Bottleneck& b) { return a.share > b.share; });
  result.provenance = json::Value(json::Object{});
  result.provenance["choice"] = "NCCL 2.30's own arithmetic";
  result.provenance["time"] =
      fmt::format("constants fitted to measurements on {}", json::name_of(scenario.group.architecture));
  const auto slowest = std::max_element(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return (a.played ? a.played->slowdown : 0.0) < (b.played ? b.played->slowdown : 0.0);
  });
  if (slowest != rows.end() && slowest->played && slowest->played->slowdown > 1.005) {
    result.warnings.push_back(fmt::format("links hold {} up to {:.2f} times as long: {}", slowest->name(),
                                          slowest->played->slowdown, held_by(*slowest->played)));
  }
  const auto unplayed = std::count_if(rows.begin(), rows.end(), [](const auto& row) { return !row.played; });
  if (scenario.topology && unplayed > 0) {
    result.warnings.push_back(
        fmt::format("{} of {} rows run an algorithm whose links are not played: their times are those of a "
                    "fabric without "
                    "faults",
                    unplayed, rows.size()));
  }
  if (outside > 0) {
    result.warnings.push_back(fmt::format(
        "{} of {} rows lie outside what was measured: their errors count double", outside, rows.size()));
  }
  return report;
}

}  // namespace gpuplan::sim

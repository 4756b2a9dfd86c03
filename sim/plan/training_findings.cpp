// What a comparison says in sentences, and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/plan/training_comparison.h"

namespace gpuplan::sim {

namespace {

std::string prefixed(double value, const char* unit) {
  constexpr std::array<const char*, 5> prefixes = {"", "k", "M", "G", "T"};
  std::size_t i = 0;
  for (; i + 1 < prefixes.size() && std::abs(value) >= 1000.0; ++i) {
    value /= 1000.0;
  }
  return fmt::format("{:.3g} {}{}", value, prefixes.at(i), unit);
}

std::string number_text(const std::string& path, double value) {
  if (path.ends_with("bandwidth")) {
    return prefixed(value, "B/s");
  }
  return value == std::floor(value) && std::abs(value) < 1e9 ? fmt::format("{:.0f}", value)
                                                             : fmt::format("{:.4g}", value);
}

// "13 %" slower, "2.4 times as long".
std::string margin_text(double ratio) {
  return ratio < 1.995 ? fmt::format("{:.0f} % longer", 100.0 * (ratio - 1.0))
                       : fmt::format("{:.1f} times as long", ratio);
}

std::string interval_text(const CaseOutcome& one, double scale) {
  const double step = one.step * scale;
  return fmt::format("{:.3g} to {:.3g} s", step / (1.0 + one.spread80), step * (1.0 + one.spread80));
}

std::string why_text(const Loser& loser) {
  constexpr std::size_t shown = 3;
  std::string out;
  for (std::size_t i = 0; i < std::min(shown, loser.why.size()); ++i) {
    out += fmt::format("{}{:+.3g} s {}", i == 0 ? "" : ", ", loser.why[i].seconds, loser.why[i].what);
  }
  return out;
}

void add_verdict(const TrainingComparison& c, std::vector<std::string>& out) {
  if (c.variants.size() < 2) {
    return;
  }
  if (!c.winner) {
    out.emplace_back("no variant fits");
    return;
  }
  const CaseOutcome& winner = c.variants[*c.winner];
  const auto second = std::min_element(c.losers.begin(), c.losers.end(),
                                       [](const Loser& a, const Loser& b) { return a.ratio < b.ratio; });
  if (second == c.losers.end()) {
    out.push_back(fmt::format("{} is the only one that runs, in {:.3g} s a step", winner.name, winner.step));
    return;
  }
  const CaseOutcome& next = c.variants[second->index];
  const double scale = winner.tokens / next.tokens;
  const bool close = second->ratio < 1.0 + TrainingComparison::kTooClose;
  if (second->ratio < 1.0005) {
    out.push_back(fmt::format("{} and {} take the same time, {:.3g} s", winner.name, next.name, winner.step));
  } else if (close) {
    out.push_back(fmt::format(
        "Too close to call: {} takes {:.1f} % less than {}, and below {:.0f} % the models cannot tell",
        winner.name, 100.0 * (1.0 - 1.0 / second->ratio), next.name, 100.0 * TrainingComparison::kTooClose));
  } else {
    out.push_back(
        fmt::format("{} is the fastest: {} takes {} for the same tokens ({:.3g} s against {:.3g} s)",
                    winner.name, next.name, margin_text(second->ratio), scale * next.step, winner.step));
  }
  out.push_back(fmt::format("The 80 % intervals of the two times {} ({}; {}){}",
                            second->intervals_overlap ? "overlap" : "are apart", interval_text(winner, 1.0),
                            interval_text(next, scale),
                            second->intervals_overlap
                                ? ": the order rests on errors that both share, the same models of kernels "
                                  "and links; gpuplan validate --pairs says how often that is right"
                                : ""));
  for (const Loser& loser : c.losers) {
    if (!loser.why.empty()) {
      out.push_back(fmt::format("{}, {:+.3g} s: {}", c.variants[loser.index].name,
                                (loser.ratio - 1.0) * winner.step, why_text(loser)));
    }
  }
  if (next.gpus != winner.gpus) {
    const auto per_gpu = [](const CaseOutcome& one) {
      return one.runs() ? one.tokens_per_s() / one.gpus : 0.0;
    };
    const auto best =
        std::max_element(c.variants.begin(), c.variants.end(),
                         [&](const CaseOutcome& a, const CaseOutcome& b) { return per_gpu(a) < per_gpu(b); });
    out.push_back(fmt::format("They run on {} and {} GPUs; per GPU {} is the best, {:.0f} tokens/s",
                              winner.gpus, next.gpus, best->name, per_gpu(*best)));
  }
  if (c.cheapest && c.cheapest != c.winner) {
    out.push_back(fmt::format("The cheapest per token is {}, USD {:.3g} per million against {:.3g}",
                              c.variants[*c.cheapest].name,
                              c.variants[*c.cheapest].result.number("cost.usd_per_million_tokens"),
                              winner.result.number("cost.usd_per_million_tokens")));
  }
}

// Why the lead changes between two values with no crossover to name.
std::string cannot_text(const SweepOutcome& sweep, const Crossing& c, const TrainingComparison& all) {
  const bool no_before = !sweep.cases[c.index + 1][c.before].runs();
  const bool no_after = !sweep.cases[c.index][c.after].runs();
  if (no_before || no_after) {
    return fmt::format(", where {} cannot run", all.variants[no_before ? c.before : c.after].name);
  }
  return "";
}

// Values at which another is ahead, by less than the models can tell.
std::string close_text(const SweepOutcome& sweep, std::size_t leader) {
  std::string out;
  for (std::size_t i = 0; i < sweep.values.size(); ++i) {
    const std::optional<std::size_t> ahead = sweep.leads.leaders[i];
    if (!ahead || *ahead != leader) {
      out += (out.empty() ? "" : ", ") + value_text(sweep.path, sweep.values[i]);
    }
  }
  return out.empty() ? "" : " (too close to call at " + out + ")";
}

void add_crossings(const TrainingComparison& c, const SweepOutcome& sweep, std::vector<std::string>& out) {
  if (c.variants.size() < 2) {
    return;
  }
  const auto leader = std::find_if(sweep.leads.leaders.begin(), sweep.leads.leaders.end(),
                                   [](const auto& one) { return one.has_value(); });
  if (leader == sweep.leads.leaders.end()) {
    out.push_back(fmt::format("{}: no variant runs at any value", sweep.path));
    return;
  }
  if (sweep.leads.crossings.empty()) {
    out.push_back(fmt::format("{}: no crossover within the range, {} leads from {} to {}{}", sweep.path,
                              c.variants[**leader].name, value_text(sweep.path, sweep.values.front()),
                              value_text(sweep.path, sweep.values.back()), close_text(sweep, **leader)));
  }
  for (const Crossing& one : sweep.leads.crossings) {
    const std::string &before = c.variants[one.before].name, &after = c.variants[one.after].name;
    const std::string low = value_text(sweep.path, sweep.values[one.index]);
    const std::string high = value_text(sweep.path, sweep.values[one.index + 1]);
    out.push_back(one.at ? fmt::format("{}: the lead passes from {} to {} at about {} (between {} and {}, in "
                                       "log scale)",
                                       sweep.path, before, after, number_text(sweep.path, *one.at), low, high)
                         : fmt::format("{}: the lead passes from {} to {} between {} and {}{}", sweep.path,
                                       before, after, low, high, cannot_text(sweep, one, c)));
  }
}

json::Value json_of(const CaseOutcome& one) {
  json::Value out;
  out["name"] = one.name;
  out["runs"] = one.runs();
  if (!one.split.empty()) {
    out["split"] = one.split;
  }
  if (!one.runs()) {
    out["why_not"] = one.why_not;
  }
  if (one.short_by.si() > 0.0) {
    out["short_by"] = one.short_by.si();
  }
  return out;
}

json::Value variant_json(const CaseOutcome& one) {
  json::Value out = json_of(one);
  const json::Value result = one.result.to_json();
  for (const char* part : {"metrics", "uncertainty", "bottlenecks", "warnings"}) {
    out[part] = *result.find(part);
  }
  json::Value& shares = out["step_shares"];
  shares = json::Value(json::Object{});
  for (const StepShare& share : one.shares) {
    shares[share.what] = share.seconds;
  }
  return out;
}

json::Value cell_json(const CaseOutcome& one) {
  json::Value out = json_of(one);
  if (one.memory.si() > 0.0) {
    out["memory"] = one.memory.si();
  }
  if (one.runs()) {
    out["step_time"] = one.step;
    out["tokens_per_s"] = one.tokens_per_s();
    out["tokens_per_s_per_gpu"] = one.tokens_per_s() / one.gpus;
    for (const char* metric : {"training.mfu", "training.exposed_communication_fraction",
                               "training.bubble_fraction", "cost.usd_per_million_tokens"}) {
      if (const Metric* found = one.result.find(metric)) {
        out[std::string(metric).substr(std::string(metric).find('.') + 1)] = found->value;
      }
    }
  }
  return out;
}

json::Value sweep_json(const TrainingComparison& c, const SweepOutcome& sweep) {
  json::Value out;
  out["path"] = sweep.path;
  json::Array points, crossovers;
  for (std::size_t i = 0; i < sweep.values.size(); ++i) {
    json::Value point;
    point["value"] = sweep.values[i];
    const std::optional<std::size_t> leader = sweep.leads.leaders[i];
    point["winner"] = leader ? json::Value(c.variants[*leader].name) : json::Value();
    json::Array cells;
    for (const CaseOutcome& one : sweep.cases[i]) {
      cells.push_back(cell_json(one));
    }
    point["variants"] = json::Value(std::move(cells));
    points.push_back(std::move(point));
  }
  for (const Crossing& one : sweep.leads.crossings) {
    json::Value crossing;
    crossing["from"] = c.variants[one.before].name;
    crossing["to"] = c.variants[one.after].name;
    crossing["between"] = json::Value(json::Array{sweep.values[one.index], sweep.values[one.index + 1]});
    crossing["at"] = one.at ? json::Value(*one.at) : json::Value();
    crossovers.push_back(std::move(crossing));
  }
  out["points"] = json::Value(std::move(points));
  out["crossovers"] = json::Value(std::move(crossovers));
  return out;
}

json::Value verdict_json(const TrainingComparison& c) {
  json::Value out = json::Value(json::Object{});
  out["winner"] = c.winner ? json::Value(c.variants[*c.winner].name) : json::Value();
  out["cheapest"] = c.cheapest ? json::Value(c.variants[*c.cheapest].name) : json::Value();
  json::Array losers;
  for (const Loser& loser : c.losers) {
    json::Value one;
    one["name"] = c.variants[loser.index].name;
    one["time_over_winner"] = loser.ratio;
    one["intervals_overlap"] = loser.intervals_overlap;
    json::Value& why = one["why"];
    why = json::Value(json::Array{});
    for (const StepShare& share : loser.why) {
      json::Value part;
      part["what"] = share.what;
      part["seconds"] = share.seconds;
      why.push_back(std::move(part));
    }
    losers.push_back(std::move(one));
  }
  out["losers"] = json::Value(std::move(losers));
  return out;
}

}  // namespace

std::string value_text(const std::string& path, const json::Value& value) {
  if (value.is_number()) {
    return number_text(path, value.number());
  }
  if (value.is_string()) {
    return value.string();
  }
  const json::Value* base = value.find("base");
  return base != nullptr && base->is_string() ? base->string() + " *" : json::excerpt(value);
}

std::vector<std::string> findings_of(const TrainingComparison& comparison) {
  std::vector<std::string> out;
  add_verdict(comparison, out);
  for (const SweepOutcome& sweep : comparison.sweeps) {
    add_crossings(comparison, sweep, out);
  }
  return out;
}

json::Value comparison_json(const TrainingStudy& study, const TrainingComparison& comparison) {
  Result first = comparison.variants.front().result;
  first.scenario = resolved_json(study.base);
  if (first.provenance.is_null()) {
    first.provenance = json::Value(json::Object{});
  }
  first.provenance["verdict"] =
      "variants ranked by tokens per second; metrics above are those of the first variant";
  json::Value out = first.to_json();
  json::Array variants, sweeps, findings;
  for (const CaseOutcome& one : comparison.variants) {
    variants.push_back(variant_json(one));
  }
  for (const SweepOutcome& sweep : comparison.sweeps) {
    sweeps.push_back(sweep_json(comparison, sweep));
  }
  for (const std::string& finding : findings_of(comparison)) {
    findings.emplace_back(finding);
  }
  out["variants"] = json::Value(std::move(variants));
  out["verdict"] = verdict_json(comparison);
  out["vary"] = json::Value(std::move(sweeps));
  out["findings"] = json::Value(std::move(findings));
  return out;
}

}  // namespace gpuplan::sim

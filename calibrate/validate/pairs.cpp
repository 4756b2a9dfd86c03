#include "calibrate/validate/pairs.h"

#include <fmt/format.h>

#include <cmath>

#include "hwmodels/json/problem.h"

namespace gpuplan::calibrate {

namespace {

std::string text_of(const json::Value& entry, const std::string& where, std::string_view name,
                    bool required) {
  const json::Value* found = entry.find(name);
  if (found == nullptr || found->is_null()) {
    if (!required) {
      return "";
    }
    throw InputError({where + "." + std::string(name), "nothing", "the id of a measured row", ""});
  }
  if (!found->is_string()) {
    throw InputError({where + "." + std::string(name), json::excerpt(*found), "a string", ""});
  }
  return found->string();
}

json::Value statistics_json(const PairStatistics& s) {
  return json::Object{{"count", s.count}, {"right_fraction", s.right_fraction()}};
}

}  // namespace

std::vector<MeasuredPair> read_pairs(const std::string& path) {
  const json::Value document = json::parse_file(path);
  if (!document.is_array()) {
    throw InputError({path + " $", json::excerpt(document), "a list of pairs", ""});
  }
  std::vector<MeasuredPair> out;
  for (std::size_t i = 0; i < document.array().size(); ++i) {
    const json::Value& entry = document.array()[i];
    const std::string where = fmt::format("{} $[{}]", path, i);
    if (!entry.is_object()) {
      throw InputError({where, json::excerpt(entry), "a pair: {\"a\", \"b\", \"ratio\"}", ""});
    }
    const json::Value* ratio = entry.find("ratio");
    if (ratio == nullptr || !ratio->is_number() || !(ratio->number() > 0.0)) {
      throw InputError({where + ".ratio", ratio == nullptr ? "nothing" : json::excerpt(*ratio),
                        "measured b / a, a number > 0", ""});
    }
    out.push_back({text_of(entry, where, "a", true), text_of(entry, where, "b", true),
                   text_of(entry, where, "knob", false), text_of(entry, where, "metric", false),
                   ratio->number()});
  }
  return out;
}

PairSummary compare_pairs(const std::vector<MeasuredPair>& pairs, const ValidationRows& rows, double margin) {
  std::map<std::string, std::map<std::string, double>> predicted;  // by id, by metric
  for (const ValidationRow& row : rows.rows) {
    const auto metric = row.key.find("metric");
    predicted[row.id.substr(0, row.id.find('#'))].emplace(metric == row.key.end() ? "" : metric->second,
                                                          row.predicted);
  }
  PairSummary out;
  for (const MeasuredPair& pair : pairs) {
    const auto a = predicted.find(pair.a), b = predicted.find(pair.b);
    if (a == predicted.end() || b == predicted.end()) {
      ++out.skipped["one of the two was not predicted"];
      continue;
    }
    if (std::abs(pair.ratio - 1.0) <= margin) {
      ++out.skipped[fmt::format("less than {:.0f} % apart", 100.0 * margin)];
      continue;
    }
    double ratio = 0.0;
    for (const auto& [metric, value] : a->second) {
      const auto other = b->second.find(metric);
      if (other != b->second.end() && value > 0.0 && (pair.metric.empty() || pair.metric == metric)) {
        ratio = other->second / value;
        break;
      }
    }
    if (ratio <= 0.0) {
      ++out.skipped["no figure that both have"];
      continue;
    }
    const bool right = (ratio > 1.0) == (pair.ratio > 1.0);
    for (PairStatistics* s : {&out.overall, &out.by_knob[pair.knob]}) {
      ++s->count;
      s->right += right ? 1 : 0;
    }
  }
  return out;
}

json::Value to_json(const PairSummary& summary) {
  json::Value out = statistics_json(summary.overall);
  json::Value knobs = json::Object{}, skipped = json::Object{};
  for (const auto& [knob, s] : summary.by_knob) {
    knobs[knob] = statistics_json(s);
  }
  for (const auto& [reason, count] : summary.skipped) {
    skipped[reason] = count;
  }
  out["by_knob"] = std::move(knobs);
  out["skipped"] = std::move(skipped);
  return out;
}

std::string to_text(const PairSummary& summary) {
  std::string out =
      fmt::format("pairs: the faster named right in {} of {} ({:.1f} %)\n", summary.overall.right,
                  summary.overall.count, 100.0 * summary.overall.right_fraction());
  for (const auto& [knob, s] : summary.by_knob) {
    out += fmt::format("  {:<40.40}{:>5} of {:<5}{:>6.1f} %\n", knob.empty() ? "-" : knob, s.right, s.count,
                       100.0 * s.right_fraction());
  }
  for (const auto& [reason, count] : summary.skipped) {
    out += fmt::format("  left out {}: {}\n", count, reason);
  }
  return out;
}

}  // namespace gpuplan::calibrate

#include "calibrate/validate/error_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace gpuplan::calibrate {

namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kLabelWidth = 31;

double signed_error(const ValidationRow& row) { return row.predicted / row.measured - 1.0; }

bool has_error(const ValidationRow& row) {
  return row.measured > 0.0 && std::isfinite(row.measured) && std::isfinite(row.predicted);
}

json::Value key_json(const std::map<std::string, std::string>& key) {
  json::Object object;
  for (const auto& [name, value] : key) {
    object.emplace_back(name, value);
  }
  return object;
}

void add_statistics(json::Object& object, const ErrorStatistics& e) {
  object.emplace_back("count", e.count);
  object.emplace_back("median", e.median);
  object.emplace_back("mean", e.mean);
  object.emplace_back("p90", e.p90);
  object.emplace_back("max", e.max);
  object.emplace_back("bias", e.bias);
  object.emplace_back("coverage80", e.coverage80);
}

// A share as a percentage in seven characters: "   4.3%", "  1234%", " 1e+15%".
std::string percent(double fraction, bool sign = false) {
  const double value = 100.0 * fraction;
  const double size = std::abs(value);
  const std::string text = size < 99.95   ? fmt::format("{:.1f}", size)
                           : size < 99999 ? fmt::format("{:.0f}", size)
                                          : fmt::format("{:.0e}", size);
  return fmt::format("{:>7}", (value < 0.0 ? "-" : sign ? "+" : "") + text + "%");
}

std::string label_of(const std::map<std::string, std::string>& key) {
  std::string label;
  for (const auto& [name, value] : key) {
    if (!value.empty()) {
      label += (label.empty() ? "" : " ") + value;
    }
  }
  return label.empty() ? "-" : label;
}

// Shortens in the middle, so that both ends of a name stay readable.
std::string fit(const std::string& text, std::size_t width) {
  if (text.size() <= width) {
    return text;
  }
  const std::size_t head = (width - 2) / 2;
  return text.substr(0, head) + ".." + text.substr(text.size() - (width - 2 - head));
}

void add_line(std::string& out, const std::string& label, const ErrorStatistics& e) {
  if (label.size() > kLabelWidth) {
    out += fit(label, kWidth) + "\n";
  }
  out += fmt::format("{:<{}}{:>7}{}{}{}{}{}{}\n", label.size() > kLabelWidth ? "" : label, kLabelWidth,
                     e.count, percent(e.median), percent(e.mean), percent(e.p90), percent(e.max),
                     percent(e.bias, true), percent(e.coverage80));
}

}  // namespace

void ValidationRows::append(ValidationRows other) {
  rows.insert(rows.end(), std::make_move_iterator(other.rows.begin()),
              std::make_move_iterator(other.rows.end()));
  for (const auto& [reason, count] : other.skipped) {
    skipped[reason] += count;
  }
}

double quantile(std::span<const double> sorted, double q) {
  if (sorted.empty()) {
    return 0.0;
  }
  const double position = q * static_cast<double>(sorted.size() - 1);
  const std::size_t low = static_cast<std::size_t>(position);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (position - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

ErrorStatistics error_statistics(std::span<const ValidationRow* const> rows) {
  ErrorStatistics e;
  std::vector<double> with_sign, absolute;
  with_sign.reserve(rows.size());
  absolute.reserve(rows.size());
  std::int64_t inside = 0;
  double sum = 0.0;
  for (const ValidationRow* row : rows) {
    assert(has_error(*row));
    const double error = signed_error(*row);
    with_sign.push_back(error);
    absolute.push_back(std::abs(error));
    sum += std::abs(error);
    inside += row->low80 <= row->measured && row->measured <= row->high80 ? 1 : 0;
  }
  if (rows.empty()) {
    return e;
  }
  std::sort(with_sign.begin(), with_sign.end());
  std::sort(absolute.begin(), absolute.end());
  const double count = static_cast<double>(rows.size());
  e.count = static_cast<std::int64_t>(rows.size());
  e.median = quantile(absolute, 0.5);
  e.mean = sum / count;
  e.p90 = quantile(absolute, 0.9);
  e.max = absolute.back();
  e.bias = quantile(with_sign, 0.5);
  e.coverage80 = static_cast<double>(inside) / count;
  return e;
}

ErrorSummary summarise(const ValidationRows& rows, const SummaryOptions& options) {
  ErrorSummary summary;
  summary.skipped = rows.skipped;
  std::vector<const ValidationRow*> all;
  std::map<std::map<std::string, std::string>, std::vector<const ValidationRow*>> groups;
  for (const ValidationRow& row : rows.rows) {
    if (!has_error(row)) {
      ++summary.skipped[std::isfinite(row.predicted) ? "measured value is not above zero"
                                                     : "prediction is not finite"];
      continue;
    }
    std::map<std::string, std::string> key = row.key;
    if (!options.group_by.empty()) {
      key.clear();
      for (const std::string& field : options.group_by) {
        const auto found = row.key.find(field);
        key[field] = found == row.key.end() ? "" : found->second;
      }
    }
    all.push_back(&row);
    groups[std::move(key)].push_back(&row);
  }
  summary.overall = error_statistics(all);
  for (const auto& [key, members] : groups) {
    summary.groups.push_back({key, error_statistics(members)});
  }
  const auto worse = [](const ValidationRow* a, const ValidationRow* b) {
    const double ea = std::abs(signed_error(*a)), eb = std::abs(signed_error(*b));
    return ea != eb ? ea > eb : a->id < b->id;
  };
  const std::size_t shown = std::min(options.worst, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(), worse);
  for (std::size_t i = 0; i < shown; ++i) {
    summary.worst.push_back({*all[i], signed_error(*all[i])});
  }
  return summary;
}

json::Value to_json(const ErrorSummary& summary) {
  json::Object overall;
  add_statistics(overall, summary.overall);
  json::Array groups;
  for (const ErrorGroup& group : summary.groups) {
    json::Object object;
    object.emplace_back("key", key_json(group.key));
    add_statistics(object, group.errors);
    groups.emplace_back(std::move(object));
  }
  json::Object skipped;
  for (const auto& [reason, count] : summary.skipped) {
    skipped.emplace_back(reason, count);
  }
  json::Array worst;
  for (const WorstRow& w : summary.worst) {
    worst.emplace_back(json::Object{{"id", w.row.id},
                                    {"key", key_json(w.row.key)},
                                    {"measured", w.row.measured},
                                    {"predicted", w.row.predicted},
                                    {"interval80", json::Array{w.row.low80, w.row.high80}},
                                    {"error", w.error}});
    if (!w.row.parts.empty()) {
      json::Value parts = json::Value(json::Object{});
      for (const auto& [name, value] : w.row.parts) {
        parts[name] = value;
      }
      worst.back()["parts"] = std::move(parts);
    }
  }
  return json::Object{{"overall", std::move(overall)},
                      {"groups", std::move(groups)},
                      {"skipped", std::move(skipped)},
                      {"worst", std::move(worst)}};
}

std::string to_text(const ErrorSummary& summary, const std::string& unit) {
  std::string out = fmt::format("{:<{}}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}{:>7}\n", "absolute error of prediction",
                                kLabelWidth, "count", "median", "mean", "p90", "max", "bias", "in 80%");
  for (const ErrorGroup& group : summary.groups) {
    add_line(out, label_of(group.key), group.errors);
  }
  add_line(out, "all", summary.overall);
  for (const auto& [reason, count] : summary.skipped) {
    const std::string head = fmt::format("skipped {}: ", count);
    out += head + fit(reason, kWidth - head.size()) + "\n";
  }
  if (!summary.worst.empty()) {
    const std::string in = unit.empty() ? "" : " (" + fit(unit, 8) + ")";
    out += fmt::format("{:<43}{:>15}{:>15}{:>7}\n", "worst", "measured" + in, "predicted", "error");
  }
  for (const WorstRow& w : summary.worst) {
    out += fmt::format("  {:<41}{:>15.4g}{:>15.4g}{}\n", fit(w.row.id, 41), w.row.measured, w.row.predicted,
                       percent(w.error, true));
  }
  return out;
}

}  // namespace gpuplan::calibrate

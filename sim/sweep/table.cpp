#include "sim/sweep/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/sweep/pareto.h"

namespace gpuplan::sweep {

std::string plain(const json::Value& value) { return value.is_string() ? value.string() : json::dump(value); }

std::string brief(const json::Value& value) {
  if (value.is_number() && !value.is_integer()) {
    return fmt::format("{:.5g}", value.number());
  }
  if (!value.is_object() || value.object().empty()) {
    return plain(value);
  }
  std::string out;
  for (const auto& [key, member] : value.object()) {
    out += (out.empty() ? "" : " ") + (key == "base" ? "" : key + "=") + plain(member);
  }
  return out;
}

SweepTable::SweepTable(SweepSpec spec, const Design& design, std::vector<std::optional<Answer>> answers)
    : spec_(std::move(spec)), design_(design), answers_(std::move(answers)) {
  name_metrics();
  label_axes();
}

void SweepTable::name_metrics() {
  figures_.resize(answers_.size());
  for (std::size_t run = 0; run < answers_.size(); ++run) {
    if (!answers_[run]) {
      continue;
    }
    for (const Figure& figure : answers_[run]->figures) {
      const auto [at, added] = index_.try_emplace(figure.name, metrics_.size());
      if (added) {
        metrics_.push_back(figure.name);
      }
      std::vector<const Figure*>& row = figures_[run];
      row.resize(std::max(row.size(), at->second + 1), nullptr);
      row[at->second] = &figure;
    }
  }
}

void SweepTable::label_axes() {
  for (const Axis& axis : spec_.axes) {
    const std::string& path = axis.path;
    std::size_t from = path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1;
    const auto shared = [&](std::string_view end) {
      return std::count_if(spec_.axes.begin(), spec_.axes.end(), [&](const Axis& other) {
               return other.path == end || other.path.ends_with("." + std::string(end));
             }) > 1;
    };
    while (from > 0 && shared(std::string_view(path).substr(from))) {
      const std::size_t dot = from >= 2 ? path.rfind('.', from - 2) : std::string::npos;
      from = dot == std::string::npos ? 0 : dot + 1;
    }
    labels_.push_back(path.substr(from));
  }
}

const Figure* SweepTable::figure(std::size_t run, std::size_t metric) const {
  return metric < figures_[run].size() ? figures_[run][metric] : nullptr;
}

std::optional<std::size_t> SweepTable::index_of(const std::string& metric) const {
  const auto at = index_.find(metric);
  return at != index_.end() ? std::optional(at->second) : std::nullopt;
}

std::optional<Summary> SweepTable::summary(std::size_t point, const std::string& metric) const {
  const std::optional<std::size_t> index = index_of(metric);
  std::vector<double> numbers;
  for (std::size_t i = 0; index && i < design_.repeat(); ++i) {
    const Figure* one = figure(point * design_.repeat() + i, *index);
    if (one != nullptr && one->value.is_number()) {
      numbers.push_back(one->value.number());
    }
  }
  if (numbers.empty()) {
    return std::nullopt;
  }
  Summary out;
  out.count = numbers.size();
  const double n = static_cast<double>(numbers.size());
  for (const double x : numbers) {
    out.mean += x / n;
  }
  for (const double x : numbers) {
    out.spread += (x - out.mean) * (x - out.mean);
  }
  out.spread = numbers.size() > 1 ? std::sqrt(out.spread / (n - 1.0)) : 0.0;
  out.low = *std::min_element(numbers.begin(), numbers.end());
  out.high = *std::max_element(numbers.begin(), numbers.end());
  return out;
}

std::string SweepTable::text(std::size_t point, const std::string& metric) const {
  const std::optional<std::size_t> index = index_of(metric);
  std::vector<std::string> texts;
  for (std::size_t i = 0; index && i < design_.repeat(); ++i) {
    const Figure* one = figure(point * design_.repeat() + i, *index);
    if (one != nullptr && one->value.is_string() &&
        std::find(texts.begin(), texts.end(), one->value.string()) == texts.end()) {
      texts.push_back(one->value.string());
    }
  }
  return fmt::format("{}", fmt::join(texts, "/"));
}

const Answer* SweepTable::setback(std::size_t point) const {
  const Answer* first = nullptr;
  for (std::size_t i = 0; i < design_.repeat(); ++i) {
    const std::optional<Answer>& answer = answers_[point * design_.repeat() + i];
    if (answer && answer->outcome == Outcome::answered) {
      return nullptr;
    }
    first = first == nullptr && answer ? &*answer : first;
  }
  return first;
}

std::size_t SweepTable::count(Outcome outcome) const {
  return static_cast<std::size_t>(std::count_if(answers_.begin(), answers_.end(), [&](const auto& answer) {
    return answer && answer->outcome == outcome;
  }));
}

std::vector<std::size_t> SweepTable::missing() const {
  std::vector<std::size_t> out;
  for (std::size_t run = 0; run < answers_.size(); ++run) {
    if (!answers_[run]) {
      out.push_back(run);
    }
  }
  return out;
}

std::optional<std::size_t> SweepTable::axis_named(const std::string& name) const {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < spec_.axes.size(); ++i) {
    const std::string& path = spec_.axes[i].path;
    if (path == name || labels_[i] == name) {
      return i;
    }
    if (path.ends_with("." + name)) {
      if (found) {
        return std::nullopt;
      }
      found = i;
    }
  }
  return found;
}

std::optional<double> SweepTable::number(std::size_t point, const std::string& name) const {
  if (const std::optional<std::size_t> axis = axis_named(name)) {
    const json::Value& value = design_.points()[point][*axis];
    return value.is_number() ? std::optional(value.number()) : std::nullopt;
  }
  const std::optional<Summary> found = summary(point, name);
  return found ? std::optional(found->mean) : std::nullopt;
}

std::string SweepTable::point_text(std::size_t point) const {
  std::string out;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    out += (i == 0 ? "" : ", ") + labels_[i] + "=" + brief(design_.points()[point][i]);
  }
  return out.empty() ? "all seeds" : out;
}

const std::string& SweepTable::known_metric(const std::string& metric) const {
  const std::optional<std::size_t> index = index_of(metric);
  if (!index) {
    throw InputError(Problem{"metric", "\"" + metric.substr(0, 80) + "\"", "a metric of this sweep",
                             did_you_mean(metric, metrics_)});
  }
  return metrics_[*index];
}

std::optional<std::size_t> SweepTable::best(const Goal& goal) const {
  std::optional<std::size_t> out;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t point = 0; point < design_.points().size(); ++point) {
    if (const std::optional<Summary> found = summary(point, goal.metric)) {
      const double value = goal.highest ? -found->mean : found->mean;
      if (value < least) {
        least = value;
        out = point;
      }
    }
  }
  return out;
}

std::vector<std::size_t> SweepTable::front(const std::vector<Goal>& goals) const {
  std::vector<std::vector<double>> values;
  for (std::size_t point = 0; point < design_.points().size(); ++point) {
    std::vector<double> row;
    for (const Goal& goal : goals) {
      const std::optional<double> found = number(point, goal.metric);
      row.push_back(!found ? std::numeric_limits<double>::quiet_NaN() : goal.highest ? -*found : *found);
    }
    values.push_back(std::move(row));
  }
  return pareto_set(values);
}

}  // namespace gpuplan::sweep

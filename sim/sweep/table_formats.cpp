// The table as CSV and as JSON.
#include <fmt/format.h>

#include "sim/sweep/table.h"

namespace gpuplan::sweep {

namespace {

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '"' ? "\"\"" : std::string(1, c);
  }
  return out + "\"";
}

json::Value names(const std::vector<std::string>& texts) {
  json::Array out;
  for (const std::string& text : texts) {
    out.emplace_back(text);
  }
  return json::Value(std::move(out));
}

json::Value numbers(const std::vector<std::size_t>& values) {
  json::Array out;
  for (const std::size_t value : values) {
    out.emplace_back(value);
  }
  return json::Value(std::move(out));
}

json::Value summary_json(const Summary& s) {
  json::Object out;
  out.emplace_back("mean", json::Value(s.mean));
  out.emplace_back("standard_deviation", json::Value(s.spread));
  out.emplace_back("min", json::Value(s.low));
  out.emplace_back("max", json::Value(s.high));
  out.emplace_back("count", json::Value(s.count));
  return json::Value(std::move(out));
}

}  // namespace

std::string SweepTable::csv() const {
  std::vector<bool> with_interval(metrics_.size(), false);
  for (const auto& row : figures_) {
    for (std::size_t m = 0; m < row.size(); ++m) {
      with_interval[m] = with_interval[m] || (row[m] != nullptr && row[m]->interval80);
    }
  }
  const bool repeated = design_.repeat() > 1;
  std::string out = repeated ? "point,seed" : "point";
  for (const Axis& axis : spec_.axes) {
    out += "," + cell(axis.path);
  }
  out += ",outcome,reason";
  for (std::size_t m = 0; m < metrics_.size(); ++m) {
    out += "," + cell(metrics_[m]);
    out += with_interval[m] ? "," + cell(metrics_[m] + ".low80") + "," + cell(metrics_[m] + ".high80") : "";
  }
  out += "\n";
  for (std::size_t run = 0; run < answers_.size(); ++run) {
    const std::size_t point = design_.point_of(run);
    out += std::to_string(point) + (repeated ? "," + std::to_string(design_.seed_of(run)) : "");
    for (const json::Value& value : design_.points()[point]) {
      out += "," + cell(plain(value));
    }
    const std::optional<Answer>& answer = answers_[run];
    out += "," + (answer ? std::string(name_of(answer->outcome)) : "missing") + "," +
           (answer ? cell(reason_of(*answer)) : "");
    for (std::size_t m = 0; m < metrics_.size(); ++m) {
      const Figure* one = figure(run, m);
      out += "," + (one != nullptr && !one->value.is_null() ? cell(plain(one->value)) : "");
      if (with_interval[m]) {
        out += one != nullptr && one->interval80 ? "," + json::dump(json::Value((*one->interval80)[0])) +
                                                       "," + json::dump(json::Value((*one->interval80)[1]))
                                                 : ",,";
      }
    }
    out += "\n";
  }
  return out;
}

json::Value SweepTable::settings_json(std::size_t point) const {
  json::Object out;
  for (std::size_t i = 0; i < spec_.axes.size(); ++i) {
    out.emplace_back(spec_.axes[i].path, design_.points()[point][i]);
  }
  return json::Value(std::move(out));
}

json::Value SweepTable::row_json(std::size_t run) const {
  json::Object out;
  out.emplace_back("point", json::Value(design_.point_of(run)));
  if (design_.repeat() > 1) {
    out.emplace_back("seed", json::Value(design_.seed_of(run)));
  }
  out.emplace_back("set", settings_json(design_.point_of(run)));
  if (!answers_[run]) {
    out.emplace_back("outcome", json::Value("missing"));
    return json::Value(std::move(out));
  }
  const json::Value answer = sweep::to_json(*answers_[run]);
  for (const auto& [key, value] : answer.object()) {
    if (key == "problems") {
      out.emplace_back("reason", json::Value(reason_of(*answers_[run])));
    } else if (key != "run") {
      out.emplace_back(key, value);
    }
  }
  return json::Value(std::move(out));
}

json::Value SweepTable::to_json(const std::vector<std::string>& chosen) const {
  json::Object out;
  out.emplace_back("schema", json::Value(1));
  const json::Value* name = spec_.document.find("name");
  out.emplace_back("name", name != nullptr ? *name : json::Value(spec_.name));
  std::vector<std::string> paths;
  for (const Axis& axis : spec_.axes) {
    paths.push_back(axis.path);
  }
  json::Object columns;
  columns.emplace_back("axes", names(paths));
  columns.emplace_back("metrics", names(metrics_));
  out.emplace_back("columns", json::Value(std::move(columns)));
  json::Array rows;
  for (std::size_t run = 0; run < answers_.size(); ++run) {
    rows.push_back(row_json(run));
  }
  out.emplace_back("rows", json::Value(std::move(rows)));
  if (design_.repeat() > 1) {
    json::Array points;
    for (std::size_t point = 0; point < design_.points().size(); ++point) {
      json::Object metrics, one;
      for (const std::string& metric : metrics_) {
        if (const std::optional<Summary> found = summary(point, metric)) {
          metrics.emplace_back(metric, summary_json(*found));
        }
      }
      one.emplace_back("point", json::Value(point));
      one.emplace_back("set", settings_json(point));
      one.emplace_back("metrics", json::Value(std::move(metrics)));
      points.push_back(json::Value(std::move(one)));
    }
    out.emplace_back("points", json::Value(std::move(points)));
  }
  json::Object best_points;
  std::vector<Goal> goals;
  std::vector<std::string> goal_names;
  for (const std::string& text : chosen) {
    const std::optional<Goal> goal = goal_of(text);
    const std::optional<std::size_t> point = goal ? best(*goal) : std::nullopt;
    if (point) {
      json::Object one;
      one.emplace_back("goal", json::Value(goal->highest ? "max" : "min"));
      one.emplace_back("point", json::Value(*point));
      one.emplace_back("set", settings_json(*point));
      one.emplace_back("value", json::Value(summary(*point, goal->metric)->mean));
      best_points.emplace_back(goal->metric, json::Value(std::move(one)));
      goals.push_back(*goal);
      goal_names.push_back((goal->highest ? "max:" : "min:") + goal->metric);
    }
  }
  out.emplace_back("best", json::Value(std::move(best_points)));
  if (goals.size() > 1) {
    json::Object pareto;
    pareto.emplace_back("goals", names(goal_names));
    pareto.emplace_back("points", numbers(front(goals)));
    out.emplace_back("pareto", json::Value(std::move(pareto)));
  }
  return json::Value(std::move(out));
}

}  // namespace gpuplan::sweep

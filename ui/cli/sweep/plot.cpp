#include "ui/cli/sweep/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "ui/cli/command.h"
#include "ui/cli/metric_format.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using sweep::SweepTable;

struct Kind {
  std::string_view name;
  std::size_t names;  // that it takes
  std::string_view form;
};
constexpr std::array kKinds = {Kind{"pareto", 2, "pareto:X,Y"}, Kind{"heat", 3, "heat:X,Y,METRIC"},
                               Kind{"line", 2, "line:X,METRIC"}, Kind{"tornado", 1, "tornado:METRIC"}};

struct Asked {
  std::string_view kind;
  std::vector<std::string> names;
};

// Names of metrics may hold commas within brackets.
Asked parse(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string word = text.substr(0, colon);
  const auto kind = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.name == word; });
  if (kind == kKinds.end()) {
    const std::string hint = did_you_mean(word, {"pareto", "heat", "line", "tornado"});
    throw UsageError{
        fmt::format("--plot: unknown kind '{}'{}; there are pareto:X,Y, heat:X,Y,METRIC, "
                    "line:X,METRIC and tornado:METRIC",
                    word.substr(0, 40), hint.empty() ? "" : "; " + hint)};
  }
  Asked asked{kind->name, {""}};
  int depth = 0;
  for (const char c : colon == std::string::npos ? "" : text.substr(colon + 1)) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && depth == 0) {
      asked.names.emplace_back();
    } else {
      asked.names.back() += c;
    }
  }
  const bool empty = std::any_of(asked.names.begin(), asked.names.end(),
                                 [](const std::string& name) { return name.empty(); });
  if (empty || asked.names.size() != kind->names) {
    throw UsageError{fmt::format("--plot {}: expected {}", text.substr(0, 80), kind->form)};
  }
  return asked;
}

class Plotter {
 public:
  Plotter(const SweepTable& table, const std::string& text)
      : table_(table), where_("--plot " + text), asked_(parse(text)) {}

  void check_axes() const {
    if (asked_.kind == "heat") {
      listed(axis(asked_.names[0]));
      listed(axis(asked_.names[1]));
    } else if (asked_.kind == "line") {
      axis(asked_.names[0]);
    } else if (asked_.kind == "tornado" && table_.spec().samples) {
      refuse("a sample, in which all axes move together", "a full grid (without --sample)");
    }
  }

  PlotData data() {
    PlotData out;
    if (asked_.kind == "pareto") {
      out.title = "Pareto set";
      out.plot = scatter();
    } else if (asked_.kind == "heat") {
      out.title = "map of " + asked_.names[2];
      out.plot = heat();
    } else if (asked_.kind == "line") {
      out.title = asked_.names[1] + " over " + asked_.names[0];
      out.plot = line();
    } else {
      out.title = asked_.names[0] + ": each axis alone";
      out.plot = tornado();
    }
    if (without_ > 0) {
      out.note = fmt::format("{} points without figures are left out", without_);
    }
    return out;
  }

 private:
  [[noreturn]] void refuse(const std::string& found, const std::string& expected,
                           const std::string& hint = "") const {
    throw InputError(Problem{where_, found, expected, hint});
  }

  std::size_t points() const { return table_.design().points().size(); }

  // The axis called `name`, of any values.
  std::size_t axis(const std::string& name) const {
    const std::optional<std::size_t> found = table_.axis_named(name);
    if (!found) {
      refuse("\"" + name.substr(0, 60) + "\"", "an axis of this sweep",
             did_you_mean(name, table_.axis_labels()));
    }
    return *found;
  }

  // A name with numbers: an axis or a metric.
  std::string known(const std::string& name) const {
    if (table_.axis_named(name)) {
      return name;
    }
    const std::vector<std::string>& metrics = table_.metrics();
    if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) {
      std::vector<std::string> choices = table_.axis_labels();
      choices.insert(choices.end(), metrics.begin(), metrics.end());
      refuse("\"" + name.substr(0, 60) + "\"", "a metric or an axis of this sweep",
             did_you_mean(name, choices));
    }
    return name;
  }

  PlotAxis figure_axis(const std::string& name, bool log) const {
    return {name, name, log, !table_.axis_named(name)};
  }

  bool is_log(const std::string& name) const {
    const std::optional<std::size_t> found = table_.axis_named(name);
    const std::optional<sweep::Range> range = found ? table_.spec().axes[*found].range : std::nullopt;
    if (range) {
      return range->log;
    }
    double low = 0.0, high = 0.0;
    for (std::size_t point = 0; point < points(); ++point) {
      if (const std::optional<double> value = table_.number(point, name)) {
        low = high == 0.0 ? *value : std::min(low, *value);
        high = std::max(high, *value);
      }
    }
    return low > 0.0 && high / low >= 100.0;
  }

  ScatterPlot scatter() {
    ScatterPlot out;
    std::vector<sweep::Goal> goals;
    for (PlotAxis* side : {&out.x, &out.y}) {
      const std::string& text = asked_.names[goals.size()];
      const std::string name = known(sweep::metric_of(text));
      const bool is_axis = table_.axis_named(name).has_value();
      std::optional<sweep::Goal> goal = sweep::goal_of(text);
      if (!goal || (is_axis && goal->metric == text)) {
        refuse(fmt::format("\"{}\", good neither high nor low by itself", name.substr(0, 60)),
               fmt::format("min:{0} or max:{0}", name));
      }
      *side = {name, fmt::format("{}, {} is better", name, goal->highest ? "higher" : "lower"), is_log(name),
               !is_axis};
      goals.push_back(*goal);
    }
    const std::vector<std::size_t> front = table_.front(goals);
    for (std::size_t point = 0; point < points(); ++point) {
      const std::optional<double> x = table_.number(point, out.x.name), y = table_.number(point, out.y.name);
      if (!x || !y) {
        ++without_;
        continue;
      }
      out.dots.push_back(
          {*x, *y, std::binary_search(front.begin(), front.end(), point), table_.point_text(point)});
    }
    if (out.dots.empty()) {
      refuse("no point with both figures", "numbers");
    }
    return out;
  }

  // Values of an axis that is drawn in cells.
  const std::vector<json::Value>& listed(std::size_t axis) const {
    constexpr std::size_t most = 64;
    const std::vector<json::Value>& values = table_.spec().axes[axis].values;
    if (values.empty() || values.size() > most || (table_.spec().samples && table_.spec().axes[axis].range)) {
      refuse("axis " + table_.axis_labels()[axis], fmt::format("an axis of 1 to {} listed values", most));
    }
    return values;
  }

  HeatPlot heat() {
    const std::size_t x = axis(asked_.names[0]), y = axis(asked_.names[1]);
    const std::string name = known(asked_.names[2]);
    if (x == y) {
      refuse("one axis twice", "two axes");
    }
    HeatPlot out;
    out.x = {table_.spec().axes[x].path, table_.spec().axes[x].path, false};
    out.y = {table_.spec().axes[y].path, table_.spec().axes[y].path, false};
    out.value = figure_axis(name, is_log(name));
    const std::vector<json::Value>&xs = listed(x), &ys = listed(y);
    for (const json::Value& value : xs) {
      out.x_labels.push_back(sweep::brief(value));
    }
    for (const json::Value& value : ys) {
      out.y_labels.push_back(sweep::brief(value));
    }
    std::vector<std::vector<std::pair<double, std::size_t>>> sums(
        ys.size(), std::vector<std::pair<double, std::size_t>>(xs.size()));
    const auto place = [](const std::vector<json::Value>& values, const json::Value& value) {
      return static_cast<std::size_t>(std::find(values.begin(), values.end(), value) - values.begin());
    };
    for (std::size_t point = 0; point < points(); ++point) {
      const sweep::Point& at = table_.design().points()[point];
      if (const std::optional<double> value = table_.number(point, name)) {
        auto& [sum, count] = sums[place(ys, at[y])][place(xs, at[x])];
        sum += *value;
        out.averaged = std::max(out.averaged, ++count);
      } else {
        ++without_;
      }
    }
    for (const auto& row : sums) {
      out.cells.emplace_back();
      for (const auto& [sum, count] : row) {
        out.cells.back().push_back(count > 0 ? std::optional(sum / static_cast<double>(count))
                                             : std::nullopt);
      }
    }
    if (without_ == points()) {
      refuse("no point with " + name, "numbers");
    }
    return out;
  }

  // Points with the same values on all axes but `x` (and, in a sample, ranges), by a text of those values.
  std::vector<LinePlot::Line> lines_over(std::size_t x, const std::string& name) {
    std::vector<LinePlot::Line> lines;
    std::map<std::string, std::size_t> by_label;
    for (std::size_t point = 0; point < points(); ++point) {
      const sweep::Point& at = table_.design().points()[point];
      const std::optional<double> value = table_.number(point, name);
      if (!value || !at[x].is_number()) {
        ++without_;
        continue;
      }
      std::string label;
      for (std::size_t i = 0; i < at.size(); ++i) {
        // In a sample no two points share a value of a range.
        const bool own = i == x || (table_.spec().samples && table_.spec().axes[i].range);
        label += own ? "" : (label.empty() ? "" : ", ") + table_.axis_labels()[i] + "=" + sweep::brief(at[i]);
      }
      const auto [found, added] = by_label.try_emplace(label, lines.size());
      if (added) {
        lines.push_back({label, {}});
      }
      lines[found->second].knots.push_back({at[x].number(), *value, *value, *value});
    }
    return lines;
  }

  LinePlot line() {
    constexpr std::size_t most = 8;
    const std::size_t x = axis(asked_.names[0]);
    const std::string name = known(asked_.names[1]);
    LinePlot out;
    out.x = {table_.spec().axes[x].path, table_.spec().axes[x].path, is_log(table_.spec().axes[x].path)};
    out.y = figure_axis(name, false);
    out.lines = lines_over(x, name);
    if (out.lines.empty()) {
      refuse("no point with numbers for both", "an axis of numbers and a metric that points have");
    }
    if (out.lines.size() > most) {
      out.lines = {averaged(out.lines)};
    }
    for (LinePlot::Line& one : out.lines) {
      std::stable_sort(one.knots.begin(), one.knots.end(),
                       [](const auto& a, const auto& b) { return a.x < b.x; });
    }
    return out;
  }

  static LinePlot::Line averaged(const std::vector<LinePlot::Line>& lines) {
    std::map<double, std::vector<double>> values;
    for (const LinePlot::Line& one : lines) {
      for (const LinePlot::Knot& knot : one.knots) {
        values[knot.x].push_back(knot.y);
      }
    }
    LinePlot::Line out{fmt::format("mean, lowest and highest of {} combinations", lines.size()), {}};
    for (const auto& [x, ys] : values) {
      double sum = 0.0;
      for (const double y : ys) {
        sum += y;
      }
      const auto [low, high] = std::minmax_element(ys.begin(), ys.end());
      out.knots.push_back({x, sum / static_cast<double>(ys.size()), *low, *high});
    }
    return out;
  }

  TornadoPlot tornado() {
    const std::string name = known(asked_.names[0]);
    const sweep::Effects effects = sweep::effects_of(table_, name);
    TornadoPlot out;
    out.value = figure_axis(name, false);
    out.middle = effects.value;
    out.middle_text = table_.point_text(effects.middle);
    for (const sweep::AxisEffect& effect : effects.axes) {
      out.bars.push_back({table_.axis_labels()[effect.axis], effect.low, effect.high,
                          sweep::brief(effect.at_low), sweep::brief(effect.at_high), effect.without});
      without_ += effect.without;
    }
    return out;
  }

  const SweepTable& table_;
  std::string where_;
  Asked asked_;
  std::size_t without_ = 0;
};

}  // namespace

std::string PlotAxis::text(double value) const {
  return metric ? metric_text(name, value) : fmt::format("{:.6g}", value);
}

void check_plot(const std::string& text) { parse(text); }

void check_plot_axes(const SweepTable& table, const std::string& text) { Plotter(table, text).check_axes(); }

PlotData plot_data(const SweepTable& table, const std::string& text) { return Plotter(table, text).data(); }

}  // namespace gpuplan::cli

#include "ui/cli/sweep/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "ui/cli/metric_format.h"
#include "ui/cli/sweep/plot.h"
#include "ui/cli/sweep/plot_svg.h"
#include "ui/cli/sweep/plot_text.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using sweep::Outcome;
using sweep::SweepTable;

constexpr std::size_t kWidth = 80;

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

class TableText {
 public:
  TableText(const SweepTable& table, std::vector<std::string> goals, std::size_t rows)
      : table_(table), goals_(std::move(goals)), rows_(rows) {
    for (const std::string& goal : goals_) {
      metrics_.push_back(sweep::metric_of(goal));
    }
  }

  std::string text() const { return head() + rows() + best() + front() + setbacks(); }

 private:
  std::string head() const {
    const sweep::SweepSpec& spec = table_.spec();
    const json::Value* name = spec.document.find("name");
    std::string out =
        styled(name != nullptr && name->is_string() ? name->string() : spec.name, Style::heading) + "\n";
    std::string what = grouped(static_cast<double>(table_.design().points().size())) + " points";
    if (spec.samples) {
      what += " of a Latin hypercube";
    }
    std::vector<std::string> paths;
    for (const sweep::Axis& axis : spec.axes) {
      paths.push_back(axis.path);
    }
    what += paths.empty() ? "" : " over " + joined(paths);
    if (spec.repeat > 1) {
      what += fmt::format(", {} seeds each: mean and standard deviation over them", spec.repeat);
    }
    return out + wrap(what, kWidth, 2) + "\n\n";
  }

  std::string cell(std::size_t point, const std::string& metric) const {
    if (const std::optional<sweep::Summary> s = table_.summary(point, metric)) {
      std::string text = metric_text(metric, s->mean);
      if (s->count > 1) {
        text += s->mean != 0.0 ? fmt::format(" ±{:.2g}%", 100.0 * s->spread / std::abs(s->mean)) : " ±0%";
      }
      return text;
    }
    if (const sweep::Answer* setback = table_.setback(point)) {
      return metric == metrics_.front() ? std::string(name_of(setback->outcome)) : "-";
    }
    const std::string text = table_.text(point, metric);
    return text.empty() ? "-" : text;
  }

  // As many metrics as 80 columns hold.
  std::size_t metrics_that_fit(const std::vector<std::vector<std::string>>& cells) const {
    std::size_t used = 0;
    for (std::size_t column = 0; column < cells.front().size(); ++column) {
      std::size_t widest = 0;
      for (const auto& row : cells) {
        widest = std::max(widest, columns(row[column]));
      }
      const bool axis = column < table_.axis_labels().size();
      used += (column > 0 ? 2 : 0) + (axis ? std::min<std::size_t>(widest, 20) : widest);
      if (used > kWidth && !axis) {
        return std::max<std::size_t>(1, column - table_.axis_labels().size());
      }
    }
    return metrics_.size();
  }

  std::string rows() const {
    const std::size_t points = table_.design().points().size();
    const std::size_t shown = rows_ == 0 ? points : std::min(rows_, points);
    std::vector<std::vector<std::string>> cells = {table_.axis_labels()};
    for (const std::string& metric : metrics_) {
      cells[0].push_back(sweep::label_of(metric));
    }
    for (std::size_t point = 0; point < shown; ++point) {
      std::vector<std::string> row;
      for (const json::Value& value : table_.design().points()[point]) {
        row.push_back(sweep::brief(value));
      }
      for (const std::string& metric : metrics_) {
        row.push_back(cell(point, metric));
      }
      cells.push_back(std::move(row));
    }
    const std::size_t axes = table_.axis_labels().size(), fit = metrics_that_fit(cells);
    std::vector<Table::Align> align(axes, Table::Align::left);
    for (std::size_t i = 0; i < axes; ++i) {
      const std::vector<json::Value>& first = table_.design().points().front();
      align[i] = i > 0 && first[i].is_number() ? Table::Align::right : Table::Align::left;
    }
    align.resize(axes + fit, Table::Align::right);
    for (std::vector<std::string>& row : cells) {
      row.resize(axes + fit);
    }
    Table table(cells[0], align);
    for (std::size_t row = 1; row < cells.size(); ++row) {
      table.row(cells[row]);
    }
    std::string out = table.text();
    if (shown < points) {
      out += fmt::format("... {} more points: --rows 0, --csv FILE or --json\n",
                         grouped(static_cast<double>(points - shown)));
    }
    if (fit < metrics_.size()) {
      out += wrap("besides, too wide for here: " +
                      joined({metrics_.begin() + static_cast<std::ptrdiff_t>(fit), metrics_.end()}),
                  kWidth, 2) +
             "\n";
    }
    return out;
  }

  std::string best() const {
    std::string out;
    for (const std::string& text : goals_) {
      const std::optional<sweep::Goal> goal = sweep::goal_of(text);
      const std::optional<std::size_t> point = goal ? table_.best(*goal) : std::nullopt;
      if (point) {
        const std::string left =
            fmt::format("  {} {}: {} at", goal->highest ? "highest" : "lowest", goal->metric,
                        metric_text(goal->metric, table_.summary(*point, goal->metric)->mean));
        out += wrap(left + " " + table_.point_text(*point), kWidth, 4) + "\n";
      }
    }
    return out.empty() ? "" : "\n" + styled("best", Style::heading) + "\n" + out;
  }

  std::string front() const {
    constexpr std::size_t most = 8;
    std::vector<sweep::Goal> goals;
    std::vector<std::string> names;
    for (const std::string& text : goals_) {
      const std::optional<sweep::Goal> goal = sweep::goal_of(text);
      if (goal && table_.best(*goal)) {
        goals.push_back(*goal);
        names.push_back(sweep::label_of(goal->metric));
      }
    }
    if (goals.size() < 2) {
      return "";
    }
    const std::vector<std::size_t> points = table_.front(goals);
    std::string out = "\n" + styled("Pareto set", Style::heading) + "\n" +
                      wrap(fmt::format("  {} of {} points that no other beats in all of {}", points.size(),
                                       table_.design().points().size(), joined(names)),
                           kWidth, 2) +
                      "\n";
    for (std::size_t i = 0; i < points.size() && points.size() <= most; ++i) {
      out += wrap("  " + table_.point_text(points[i]), kWidth, 4) + "\n";
    }
    return out;
  }

  static std::string first_reason(const sweep::Answer& answer) {
    if (answer.problems.size() < 2) {
      return sweep::reason_of(answer);
    }
    return fmt::format("{} (and {} more)", to_string(answer.problems.front()), answer.problems.size() - 1);
  }

  // Why points have no figures, each reason once.
  std::string setbacks() const {
    constexpr std::size_t most = 6;
    std::map<std::string, std::vector<std::size_t>> points;
    std::vector<std::string> order;
    for (std::size_t point = 0; point < table_.design().points().size(); ++point) {
      if (const sweep::Answer* setback = table_.setback(point)) {
        const std::string outcome(name_of(setback->outcome)), why = first_reason(*setback);
        const std::string reason = why.starts_with(outcome) ? why : fmt::format("{}: {}", outcome, why);
        if (points[reason].empty()) {
          order.push_back(reason);
        }
        points[reason].push_back(point);
      }
    }
    std::string out = order.empty() ? "" : "\n" + styled("without figures", Style::heading) + "\n";
    for (std::size_t i = 0; i < std::min(most, order.size()); ++i) {
      const std::vector<std::size_t>& at = points[order[i]];
      out += wrap(fmt::format("  {}{}: {}", table_.point_text(at.front()),
                              at.size() > 1 ? fmt::format(" and {} more", at.size() - 1) : "", order[i]),
                  kWidth, 4) +
             "\n";
    }
    return out + (order.size() > most ? fmt::format("  and {} other reasons\n", order.size() - most) : "");
  }

  const SweepTable& table_;
  std::vector<std::string> goals_, metrics_;
  std::size_t rows_;
};

}  // namespace

int show_table(const SweepTable& table, const ViewArguments& view) {
  const bool any = table.count(Outcome::answered) > 0;
  std::vector<std::string> goals = view.metrics;
  for (const std::string& goal : goals) {
    if (any) {
      table.known_metric(sweep::metric_of(goal));
    }
  }
  if (goals.empty()) {
    goals = sweep::headline_of(table.metrics());
  }
  std::vector<PlotData> plots;
  for (const std::string& plot : view.plots) {
    plots.push_back(plot_data(table, plot));
  }
  if (!view.csv.empty()) {
    write_file(view.csv, table.csv());
  }
  if (!view.svg.empty()) {
    write_file(view.svg, plots_svg(plots));
  }
  if (view.json) {
    print(json::dump(table.to_json(goals), 2) + "\n");
  } else {
    if (goals.empty()) {
      goals.emplace_back("outcome");  // nothing ran: the column says how each point ended
    }
    std::string text = TableText(table, goals, view.rows).text();
    for (const PlotData& plot : plots) {
      text += "\n" + plot_text(plot);
    }
    print(text);
  }
  return any                                 ? kDone
         : table.count(Outcome::misfit) > 0  ? kDoesNotFit
         : table.count(Outcome::refused) > 0 ? kBadInput
                                             : kCheckFailed;
}

}  // namespace gpuplan::cli

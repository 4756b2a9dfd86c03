// Plots of a sweep as data, ready to be drawn: on a terminal (plot_text.h) or as SVG (plot_svg.h). Points are
// means over the seeds.
//
//   pareto:X,Y        two metrics (or axes), "min:" or "max:" before a name says which way is better
//   heat:X,Y,METRIC   two axes; where there are more, each cell is the mean over the others
//   line:X,METRIC     an axis of numbers; one line for each combination of the other axes, up to eight, else
//                     one of means between the lowest and the highest; in a sample, of the lists only
//   tornado:METRIC    one axis at a time around the middle point
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sim/sweep/effects.h"
#include "sim/sweep/table.h"

namespace gpuplan::cli {

// A direction of a plot: what is drawn and how its numbers are written.
struct PlotAxis {
  std::string name;     // of the metric or the path
  std::string title;    // "serving.ttft.mean, lower is better"
  bool log = false;     // equal ratios look equal
  bool metric = false;  // else a field of the scenario
  // "12.3 ms"; of a field the number as it stands in the scenario.
  [[nodiscard]] std::string text(double value) const;
};

struct ScatterPlot {
  struct Dot {
    double x = 0.0, y = 0.0;
    bool front = false;  // no other point is better in both
    std::string text;    // which point it is
  };
  PlotAxis x, y;
  std::vector<Dot> dots;
};
struct HeatPlot {
  PlotAxis x, y, value;
  std::vector<std::string> x_labels, y_labels;
  std::vector<std::vector<std::optional<double>>> cells;  // [y][x]; none: no figure
  std::size_t averaged = 1;                               // most points behind a cell
};
struct LinePlot {
  struct Knot {
    double x = 0.0, y = 0.0;
    double low = 0.0, high = 0.0;  // over what is averaged; both y where nothing is
  };
  struct Line {
    std::string label;  // empty: the only one
    std::vector<Knot> knots;
  };
  PlotAxis x, y;
  std::vector<Line> lines;
};
struct TornadoPlot {
  PlotAxis value;
  double middle = 0.0;
  std::string middle_text;  // the point
  struct Bar {
    std::string label;
    double low = 0.0, high = 0.0;
    std::string at_low, at_high;
    std::size_t without = 0;
  };
  std::vector<Bar> bars;
};

struct PlotData {
  std::string title;
  std::string note;  // what is left out; may be empty
  std::variant<ScatterPlot, HeatPlot, LinePlot, TornadoPlot> plot;
};

// UsageError where `text` is no plot; names are not looked at.
void check_plot(const std::string& text);
// InputError where an axis is none of the sweep's, or the sweep is none for this plot, as far as can be seen
// before anything has run: in a table without answers.
void check_plot_axes(const sweep::SweepTable& table, const std::string& text);
// InputError where a name is none, has no numbers, or the sweep does not hold what the plot needs.
PlotData plot_data(const sweep::SweepTable& table, const std::string& text);

}  // namespace gpuplan::cli

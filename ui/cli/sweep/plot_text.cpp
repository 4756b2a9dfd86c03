#include "ui/cli/sweep/plot_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ui/cli/sweep/scale.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

constexpr std::size_t kWidth = 80, kRows = 16, kTickWidth = 10;
constexpr std::size_t kColumns = kWidth - kTickWidth - 3;

std::string right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, columns(text)), ' ') + text;
}
std::string left(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, columns(text)), ' ');
}

// A field of characters between two scales, with marks on both.
class Canvas {
 public:
  Canvas(const PlotAxis& x, const PlotAxis& y, const std::vector<double>& xs, const std::vector<double>& ys)
      : x_(x), y_(y), x_scale_(xs, x.log), y_scale_(ys, y.log) {}

  [[nodiscard]] std::size_t column(double x) const { return cell(x_scale_.place(x), kColumns); }
  [[nodiscard]] std::size_t row(double y) const { return kRows - 1 - cell(y_scale_.place(y), kRows); }
  void put(std::size_t column, std::size_t row, const std::string& mark) { cells_.at(row).at(column) = mark; }
  [[nodiscard]] bool blank(std::size_t column, std::size_t row) const {
    return cells_.at(row).at(column) == " ";
  }

  std::string text() const {
    std::array<std::string, kRows> ticks;
    for (const double mark : y_scale_.marks(4)) {
      ticks.at(row(mark)) = y_.text(mark);
    }
    std::string out = "  " + y_.title + "\n";
    for (std::size_t r = 0; r < kRows; ++r) {
      out += right(ticks.at(r), kTickWidth) + (ticks.at(r).empty() ? " │" : " ┤");
      std::string line;
      for (const std::string& cell : cells_.at(r)) {
        line += cell;
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    std::string rule, labels;
    std::size_t used = 0;
    for (std::size_t c = 0; c < kColumns; ++c) {
      rule += "─";
    }
    for (const double mark : x_scale_.marks(4)) {
      const std::string label = x_.text(mark);
      const std::size_t at = column(mark), start = at - std::min(at, columns(label) / 2);
      if (start >= used && start + columns(label) <= kColumns + 1) {
        labels += std::string(start - used, ' ') + label;
        used = start + columns(label) + 2;
        labels += "  ";
      }
    }
    labels.erase(labels.find_last_not_of(' ') + 1);
    const std::string indent(kTickWidth + 2, ' ');
    return out + std::string(kTickWidth + 1, ' ') + "└" + rule + "\n" + indent + labels + "\n" + indent +
           x_.title + "\n";
  }

 private:
  static std::size_t cell(double place, std::size_t count) {
    const double at = std::floor(place * static_cast<double>(count));
    return static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(count - 1)));
  }

  const PlotAxis &x_, &y_;
  Scale x_scale_, y_scale_;
  std::array<std::array<std::string, kColumns>, kRows> cells_ = [] {
    std::array<std::array<std::string, kColumns>, kRows> blank;
    for (auto& row : blank) {
      row.fill(" ");
    }
    return blank;
  }();
};

std::string text_of(const ScatterPlot& plot) {
  constexpr std::size_t most = 12;
  std::vector<double> xs, ys;
  for (const ScatterPlot::Dot& dot : plot.dots) {
    xs.push_back(dot.x);
    ys.push_back(dot.y);
  }
  Canvas canvas(plot.x, plot.y, xs, ys);
  std::vector<const ScatterPlot::Dot*> front;
  for (const ScatterPlot::Dot& dot : plot.dots) {
    if (dot.front) {
      front.push_back(&dot);
    } else {
      canvas.put(canvas.column(dot.x), canvas.row(dot.y), "·");
    }
  }
  for (const ScatterPlot::Dot* dot : front) {
    canvas.put(canvas.column(dot->x), canvas.row(dot->y), styled("●", Style::good));
  }
  std::string out = canvas.text() + fmt::format("  ● {} of {} points that no other beats in both\n",
                                                front.size(), plot.dots.size());
  std::stable_sort(front.begin(), front.end(), [](const auto* a, const auto* b) { return a->x < b->x; });
  // Equal ones once.
  std::vector<std::pair<const ScatterPlot::Dot*, std::size_t>> places;
  for (const ScatterPlot::Dot* dot : front) {
    if (!places.empty() && places.back().first->x == dot->x && places.back().first->y == dot->y) {
      ++places.back().second;
    } else {
      places.emplace_back(dot, 1);
    }
  }
  for (std::size_t i = 0; i < std::min(most, places.size()); ++i) {
    // Spread evenly where there are more.
    const auto& [dot, equal] = places[places.size() <= most ? i : i * (places.size() - 1) / (most - 1)];
    out += wrap(fmt::format("  {} {}  {}{}", right(plot.x.text(dot->x), 9), right(plot.y.text(dot->y), 9),
                            dot->text, equal > 1 ? fmt::format(", and {} equal", equal - 1) : ""),
                kWidth, 24) +
           "\n";
  }
  return out;
}

std::string text_of(const LinePlot& plot) {
  std::vector<double> xs, ys;
  for (const LinePlot::Line& line : plot.lines) {
    for (const LinePlot::Knot& knot : line.knots) {
      xs.push_back(knot.x);
      ys.insert(ys.end(), {knot.low, knot.high});
    }
  }
  Canvas canvas(plot.x, plot.y, xs, ys);
  std::string legend;
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    const LinePlot::Line& line = plot.lines[i];
    const std::string mark = plot.lines.size() == 1 ? "●" : std::string(1, static_cast<char>('a' + i));
    for (std::size_t k = 0; k + 1 < line.knots.size(); ++k) {
      // Dots in the columns between two knots, where nothing else stands.
      const double from = static_cast<double>(canvas.column(line.knots[k].x));
      const double to = static_cast<double>(canvas.column(line.knots[k + 1].x));
      const double y0 = static_cast<double>(canvas.row(line.knots[k].y));
      const double y1 = static_cast<double>(canvas.row(line.knots[k + 1].y));
      for (double c = from + 1.0; c < to; c += 1.0) {
        const auto column = static_cast<std::size_t>(c);
        const auto row = static_cast<std::size_t>(std::lround(y0 + (y1 - y0) * (c - from) / (to - from)));
        if (canvas.blank(column, row)) {
          canvas.put(column, row, "·");
        }
      }
    }
    for (const LinePlot::Knot& knot : line.knots) {
      if (knot.high > knot.low) {
        canvas.put(canvas.column(knot.x), canvas.row(knot.high), "┬");
        canvas.put(canvas.column(knot.x), canvas.row(knot.low), "┴");
      }
      canvas.put(canvas.column(knot.x), canvas.row(knot.y), mark);
    }
    legend += line.label.empty() ? "" : "  " + mark + " " + wrap(line.label, kWidth - 4, 4) + "\n";
  }
  return canvas.text() + legend;
}

// Five shades from the lowest to the highest figure.
constexpr std::array kShades = {" ", "░", "▒", "▓", "█"};

std::string text_of(const HeatPlot& plot) {
  std::vector<double> values;
  for (const auto& row : plot.cells) {
    for (const std::optional<double>& value : row) {
      if (value) {
        values.push_back(*value);
      }
    }
  }
  const Scale scale(values, plot.value.log, 0.0);
  const auto shade = [&](double value) {
    return kShades.at(std::min<std::size_t>(4, static_cast<std::size_t>(scale.place(value) * 5.0)));
  };
  std::size_t name_width = 4, cell_width = 0;
  for (const std::string& label : plot.y_labels) {
    name_width = std::clamp(columns(label), name_width, std::size_t{18});
  }
  for (const std::string& label : plot.x_labels) {
    cell_width = std::clamp(columns(label), cell_width, std::size_t{12});
  }
  for (const double value : values) {
    cell_width = std::max(cell_width, columns(plot.value.text(value)) + 2);
  }
  const std::size_t room = kWidth - name_width - 2;
  const bool with_figures = plot.x_labels.size() * (cell_width + 1) <= room;
  if (!with_figures) {
    cell_width = room / plot.x_labels.size() >= 3 ? 2 : 1;
  }
  const std::size_t gap = with_figures ? 1 : 0;
  std::string out = fmt::format("  rows {}, columns {}\n", plot.y.title, plot.x.title);
  if (with_figures) {
    out += std::string(name_width + 2, ' ');
    for (const std::string& label : plot.x_labels) {
      out += right(label.substr(0, cell_width), cell_width) + " ";
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += "\n";
  }
  for (std::size_t y = 0; y < plot.cells.size(); ++y) {
    std::string line = left(plot.y_labels[y].substr(0, name_width), name_width) + "  ";
    for (const std::optional<double>& value : plot.cells[y]) {
      if (!with_figures) {
        for (std::size_t i = 0; i < cell_width; ++i) {
          line += value ? shade(*value) : "-";
        }
      } else {
        const std::string figure = value ? plot.value.text(*value) : "-";
        line += value ? shade(*value) + right(figure, cell_width - 1) : right(figure, cell_width);
      }
      line += std::string(gap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  if (!with_figures) {
    out +=
        wrap(fmt::format("  columns from {} to {}", plot.x_labels.front(), plot.x_labels.back()), kWidth, 2) +
        "\n";
  }
  std::string legend = "  ";
  for (std::size_t i = 0; i < kShades.size(); ++i) {
    legend += fmt::format("{}'{}' from {}", i == 0 ? "" : ", ", kShades.at(i),
                          plot.value.text(scale.value(static_cast<double>(i) / 5.0)));
  }
  return out + wrap(legend, kWidth, 2) + "\n" +
         (plot.averaged > 1
              ? fmt::format("  each cell is the mean over the other axes, up to {} points\n", plot.averaged)
              : "");
}

std::string text_of(const TornadoPlot& plot) {
  constexpr std::size_t width = 34;
  std::vector<double> values = {plot.middle};
  std::size_t name_width = 0;
  for (const TornadoPlot::Bar& bar : plot.bars) {
    values.insert(values.end(), {bar.low, bar.high});
    name_width = std::clamp(columns(bar.label), name_width, std::size_t{18});
  }
  const Scale scale(values, false, 0.0);
  const auto place = [&](double value) {
    return std::min<std::size_t>(width - 1,
                                 static_cast<std::size_t>(scale.place(value) * static_cast<double>(width)));
  };
  std::string out =
      wrap(fmt::format("  │ {} at {}", plot.value.text(plot.middle), plot.middle_text), kWidth, 4) + "\n";
  for (const TornadoPlot::Bar& bar : plot.bars) {
    std::string drawn;
    for (std::size_t i = 0; i < width; ++i) {
      drawn += i == place(plot.middle) ? "│" : i >= place(bar.low) && i <= place(bar.high) ? "█" : " ";
    }
    const std::string low = plot.value.text(bar.low), high = plot.value.text(bar.high);
    out += fmt::format("  {} {} {} {}\n", left(bar.label.substr(0, name_width), name_width), right(low, 9),
                       drawn, high);
    if (bar.high > bar.low) {
      out += wrap(fmt::format("{}lowest at {}, highest at {}", std::string(name_width + 3, ' '), bar.at_low,
                              bar.at_high),
                  kWidth, name_width + 3) +
             "\n";
    }
  }
  return out;
}

}  // namespace

std::string plot_text(const PlotData& data) {
  std::string out = styled(data.title, Style::heading) + "\n";
  out += std::visit([](const auto& plot) { return text_of(plot); }, data.plot);
  return out + (data.note.empty() ? "" : "  " + data.note + "\n");
}

}  // namespace gpuplan::cli

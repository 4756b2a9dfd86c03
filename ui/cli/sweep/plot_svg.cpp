#include "ui/cli/sweep/plot_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ui/cli/sweep/scale.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

constexpr double kWidth = 760.0, kLeft = 100.0, kRight = 24.0, kTop = 46.0, kField = 330.0;
// Told apart by people who see few colours (Okabe and Ito 2008).
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                 "#56b4e9", "#e69f00", "#7a6fd0", "#8a8f98"};

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return out;
}

std::string shortened(std::string text, std::size_t most) {
  if (columns(text) <= most) {
    return text;
  }
  while (columns(text) >= most) {
    do {  // a whole character
      text.pop_back();
    } while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0u) == 0x80u);
  }
  return text + "…";
}

std::string text_at(double x, double y, std::string_view what, const char* anchor, double size = 12.0,
                    const char* style = "ink") {
  return fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.0f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", x,
      y, size, anchor, style, escape(what));
}

std::string line_at(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1,
                     x2, y2, style);
}

struct Drawn {
  std::string svg;
  double height = 0.0;
};

// Two scales with their marks, grid and titles; the field lies between kLeft, kTop and the far ends.
class Frame {
 public:
  Frame(const PlotAxis& x, const PlotAxis& y, const std::vector<double>& xs, const std::vector<double>& ys)
      : x_(xs, x.log), y_(ys, y.log) {
    const double right = kWidth - kRight, bottom = kTop + kField;
    double free_from = kLeft - 40.0;  // labels must not overlap
    for (const double mark : x_.marks(7)) {
      const std::string label = x.text(mark);
      const double half = 3.4 * static_cast<double>(columns(label));
      svg_ += line_at(at_x(mark), kTop, at_x(mark), bottom, "grid");
      if (at_x(mark) - half > free_from && at_x(mark) + half < kWidth - 4.0) {
        svg_ += text_at(at_x(mark), bottom + 18.0, label, "middle");
        free_from = at_x(mark) + half + 6.0;
      }
    }
    for (const double mark : y_.marks(6)) {
      svg_ += line_at(kLeft, at_y(mark), right, at_y(mark), "grid");
      svg_ += text_at(kLeft - 8.0, at_y(mark) + 4.0, y.text(mark), "end");
    }
    svg_ += line_at(kLeft, bottom, right, bottom, "axis") + line_at(kLeft, kTop, kLeft, bottom, "axis");
    svg_ += text_at((kLeft + right) / 2.0, bottom + 40.0, x.title, "middle", 13.0);
    svg_ += fmt::format(
        "<text transform=\"translate(18 {:.1f}) rotate(-90)\" font-size=\"13\" "
        "text-anchor=\"middle\" class=\"ink\">{}</text>\n",
        kTop + kField / 2.0, escape(shortened(y.title, 52)));
  }
  [[nodiscard]] double at_x(double value) const {
    return kLeft + x_.place(value) * (kWidth - kRight - kLeft);
  }
  [[nodiscard]] double at_y(double value) const { return kTop + (1.0 - y_.place(value)) * kField; }
  [[nodiscard]] const std::string& svg() const { return svg_; }

 private:
  Scale x_, y_;
  std::string svg_;
};

Drawn draw(const ScatterPlot& plot) {
  std::vector<double> xs, ys;
  std::vector<const ScatterPlot::Dot*> front;
  for (const ScatterPlot::Dot& dot : plot.dots) {
    xs.push_back(dot.x);
    ys.push_back(dot.y);
    if (dot.front) {
      front.push_back(&dot);
    }
  }
  const Frame frame(plot.x, plot.y, xs, ys);
  std::string out = frame.svg();
  for (const ScatterPlot::Dot& dot : plot.dots) {
    if (!dot.front) {
      out += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" class=\"rest\"><title>{}</title></circle>\n",
          frame.at_x(dot.x), frame.at_y(dot.y), escape(dot.text));
    }
  }
  std::stable_sort(front.begin(), front.end(), [](const auto* a, const auto* b) { return a->x < b->x; });
  std::string path;
  for (const ScatterPlot::Dot* dot : front) {
    path +=
        fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M " : " L ", frame.at_x(dot->x), frame.at_y(dot->y));
  }
  out += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" stroke-opacity=\"0.6\"/>\n", path,
      kColours[1]);
  double last_x = -1e9, last_y = -1e9;
  for (const ScatterPlot::Dot* dot : front) {
    const double x = frame.at_x(dot->x), y = frame.at_y(dot->y);
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"><title>{}</title></circle>\n",
                       x, y, kColours[1], escape(dot->text));
    // A label where there is room for one.
    if (std::abs(y - last_y) > 15.0 || x - last_x > 200.0) {
      const bool at_right = x < kWidth - 230.0;
      out += text_at(at_right ? x + 9.0 : x - 9.0, y + 4.0, shortened(dot->text, 34),
                     at_right ? "start" : "end", 11.0, "halo");
      last_x = x;
      last_y = y;
    }
  }
  const double y = kTop + kField + 62.0;
  out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"/>\n", kLeft + 6.0, y - 4.0,
                     kColours[1]);
  out += text_at(kLeft + 18.0, y,
                 fmt::format("{} of {} points that no other beats in both", front.size(), plot.dots.size()),
                 "start");
  return {out, kTop + kField + 76.0};
}

Drawn draw(const LinePlot& plot) {
  std::vector<double> xs, ys;
  for (const LinePlot::Line& line : plot.lines) {
    for (const LinePlot::Knot& knot : line.knots) {
      xs.push_back(knot.x);
      ys.insert(ys.end(), {knot.low, knot.high});
    }
  }
  const Frame frame(plot.x, plot.y, xs, ys);
  std::string out = frame.svg();
  constexpr std::size_t most_dots = 200;  // of a line; more make it no clearer
  double y = kTop + kField + 62.0;
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    const LinePlot::Line& line = plot.lines[i];
    const char* colour = kColours.at(i % kColours.size());
    std::string path, upper, lower, dots;
    for (const LinePlot::Knot& knot : line.knots) {
      const double x = frame.at_x(knot.x);
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M " : " L ", x, frame.at_y(knot.y));
      upper += fmt::format("{}{:.1f} {:.1f}", upper.empty() ? "M " : " L ", x, frame.at_y(knot.high));
      lower.insert(0, fmt::format(" L {:.1f} {:.1f}", x, frame.at_y(knot.low)));
      if (line.knots.size() <= most_dots) {
        dots += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"><title>{}, {}</title></circle>\n", x,
            frame.at_y(knot.y), colour, escape(plot.x.text(knot.x)), escape(plot.y.text(knot.y)));
      }
    }
    out += fmt::format("<path d=\"{}{} Z\" fill=\"{}\" fill-opacity=\"0.15\"/>\n", upper, lower, colour);
    // Earlier ones wider, so that equal lines are all seen.
    const double width = 2.0 + 1.2 * static_cast<double>(plot.lines.size() - 1 - i);
    out += fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:.1f}\"/>\n", path, colour,
                       width) +
           dots;
    if (!line.label.empty()) {
      out += fmt::format(
          "<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{2:.1f}\" y2=\"{1:.1f}\" stroke=\"{3}\" "
          "stroke-width=\"3\"/>\n",
          kLeft, y - 4.0, kLeft + 24.0, colour);
      out += text_at(kLeft + 32.0, y, shortened(line.label, 96), "start");
      y += 18.0;
    }
  }
  return {out, y + 8.0};
}

// Dark blue over green to yellow, equally spaced in lightness.
std::array<int, 3> heat_colour(double place) {
  static constexpr std::array<std::array<double, 3>, 5> stops = {
      {{48, 30, 96}, {47, 84, 140}, {33, 145, 140}, {104, 196, 92}, {246, 226, 56}}};
  const double at = std::clamp(place, 0.0, 1.0) * (stops.size() - 1);
  const auto low = std::min<std::size_t>(stops.size() - 2, static_cast<std::size_t>(at));
  std::array<int, 3> out{};
  for (std::size_t i = 0; i < 3; ++i) {
    const double share = at - static_cast<double>(low);
    out.at(i) =
        static_cast<int>(std::lround(stops.at(low).at(i) * (1.0 - share) + stops.at(low + 1).at(i) * share));
  }
  return out;
}

Drawn draw(const HeatPlot& plot) {
  std::vector<double> values;
  for (const auto& row : plot.cells) {
    for (const std::optional<double>& value : row) {
      if (value) {
        values.push_back(*value);
      }
    }
  }
  const Scale scale(values, plot.value.log, 0.0);
  const double left = 150.0, each_x = (kWidth - kRight - left) / static_cast<double>(plot.x_labels.size());
  const double each_y = std::clamp(kField / static_cast<double>(plot.y_labels.size()), 10.0, 44.0);
  const double bottom = kTop + each_y * static_cast<double>(plot.y_labels.size());
  std::string out;
  for (std::size_t y = 0; y < plot.cells.size(); ++y) {
    const double top = kTop + each_y * static_cast<double>(y);
    if (each_y >= 13.0 || y % 2 == 0) {
      out += text_at(left - 8.0, top + each_y / 2.0 + 4.0, shortened(plot.y_labels[y], 16), "end");
    }
    for (std::size_t x = 0; x < plot.cells[y].size(); ++x) {
      const std::optional<double>& value = plot.cells[y][x];
      const double from = left + each_x * static_cast<double>(x);
      if (!value) {
        out += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"none\"/>\n", from,
            top, each_x, each_y);
        continue;
      }
      const std::array<int, 3> c = heat_colour(scale.place(*value));
      const std::string figure = plot.value.text(*value);
      out += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill=\"#{:02x}{:02x}{:02x}\"><title>{}</title></rect>\n",
          from, top, each_x, each_y, c[0], c[1], c[2], escape(figure));
      if (each_y >= 16.0 && 6.6 * static_cast<double>(columns(figure)) < each_x - 4.0) {
        const bool bright = 0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2] > 120.0;
        out += fmt::format(
            "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"11\" text-anchor=\"middle\" "
            "fill=\"{}\">{}</text>\n",
            from + each_x / 2.0, top + each_y / 2.0 + 4.0, bright ? "#14181f" : "#ffffff", escape(figure));
      }
    }
  }
  const auto every = static_cast<std::size_t>(std::ceil(52.0 / each_x));
  for (std::size_t x = 0; x < plot.x_labels.size(); x += every) {
    out += text_at(
        left + each_x * (static_cast<double>(x) + 0.5), bottom + 18.0,
        shortened(plot.x_labels[x], static_cast<std::size_t>(std::max(4.0, each_x * double(every) / 7.0))),
        "middle");
  }
  out += text_at((left + kWidth - kRight) / 2.0, bottom + 40.0, plot.x.title, "middle", 13.0);
  out += fmt::format(
      "<text transform=\"translate(18 {:.1f}) rotate(-90)\" font-size=\"13\" "
      "text-anchor=\"middle\" class=\"ink\">{}</text>\n",
      (kTop + bottom) / 2.0, escape(shortened(plot.y.title, 40)));
  // The scale of colours.
  const double y = bottom + 58.0;
  for (int i = 0; i < 60; ++i) {
    const std::array<int, 3> c = heat_colour(i / 59.0);
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"4.2\" height=\"12\" "
        "fill=\"#{:02x}{:02x}{:02x}\"/>\n",
        left + 90.0 + 4.0 * i, y, c[0], c[1], c[2]);
  }
  out += text_at(left + 84.0, y + 10.0, plot.value.text(scale.value(0.0)), "end");
  out += text_at(left + 90.0 + 246.0, y + 10.0, plot.value.text(scale.value(1.0)), "start");
  if (plot.averaged > 1) {
    out += text_at(left, y + 32.0,
                   fmt::format("each cell is the mean over the other axes, up to {} points", plot.averaged),
                   "start");
  }
  return {out, y + (plot.averaged > 1 ? 44.0 : 26.0)};
}

Drawn draw(const TornadoPlot& plot) {
  std::vector<double> values = {plot.middle};
  for (const TornadoPlot::Bar& bar : plot.bars) {
    values.insert(values.end(), {bar.low, bar.high});
  }
  const Scale scale(values, false, 0.02);
  const double left = 230.0, right = kWidth - 90.0, each = 52.0;
  const double bottom = kTop + each * static_cast<double>(plot.bars.size());
  const auto at = [&](double value) { return left + scale.place(value) * (right - left); };
  std::string out;
  for (const double mark : scale.marks(5)) {
    out += line_at(at(mark), kTop, at(mark), bottom, "grid");
    out += text_at(at(mark), bottom + 18.0, plot.value.text(mark), "middle");
  }
  for (std::size_t i = 0; i < plot.bars.size(); ++i) {
    const TornadoPlot::Bar& bar = plot.bars[i];
    const double top = kTop + each * static_cast<double>(i) + 8.0;
    for (const auto& [from, to, colour] :
         {std::tuple{bar.low, plot.middle, kColours[0]}, std::tuple{plot.middle, bar.high, kColours[1]}}) {
      out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n",
                         at(from), top, at(to) - at(from), each - 26.0, colour);
    }
    out += text_at(16.0, top + 16.0, shortened(bar.label, 26), "start", 13.0);
    if (bar.high > bar.low) {
      out +=
          text_at(16.0, top + 32.0, shortened(bar.at_low + " … " + bar.at_high, 32), "start", 11.0, "pale");
    }
    out += text_at(at(bar.low) - 5.0, top + 17.0, plot.value.text(bar.low), "end", 11.0, "halo");
    out += text_at(at(bar.high) + 5.0, top + 17.0, plot.value.text(bar.high), "start", 11.0, "halo");
  }
  out += line_at(at(plot.middle), kTop - 4.0, at(plot.middle), bottom, "axis");
  out += text_at((left + right) / 2.0, bottom + 40.0, plot.value.title, "middle", 13.0);
  out += text_at(
      16.0, bottom + 62.0,
      shortened(fmt::format("{} at the middle point: {}", plot.value.text(plot.middle), plot.middle_text),
                110),
      "start");
  return {out, bottom + 74.0};
}

}  // namespace

std::string plots_svg(const std::vector<PlotData>& plots) {
  std::string body;
  double height = 0.0;
  for (const PlotData& data : plots) {
    const Drawn drawn = std::visit([](const auto& plot) { return draw(plot); }, data.plot);
    body += fmt::format("<g transform=\"translate(0 {:.1f})\">\n", height);
    body += text_at(16.0, 28.0, shortened(data.title, 70), "start", 17.0, "title") + drawn.svg;
    height += drawn.height;
    if (!data.note.empty()) {
      body += text_at(16.0, drawn.height + 4.0, data.note, "start", 11.0, "pale");
      height += 14.0;
    }
    body += "</g>\n";
  }
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 "
             "{0:.0f} {1:.0f}\" font-family=\"Helvetica, Arial, DejaVu Sans, sans-serif\">\n",
             kWidth, height + 8.0) +
         "<style>\n"
         ".ground{fill:#fff} .ink,.title{fill:#1d2430} .title{font-weight:bold} .pale{fill:#5b6472}\n"
         ".halo{fill:#1d2430;stroke:#fff;stroke-width:3;paint-order:stroke}\n"
         ".grid{stroke:#e3e6eb} .axis{stroke:#5b6472} .rest{fill:#8a93a3;fill-opacity:.65} "
         ".none{fill:#eceef2}\n"
         "@media (prefers-color-scheme:dark){\n"
         ".ground{fill:#14181f} .ink,.title{fill:#e6e9ef} .pale{fill:#a4adbb}\n"
         ".halo{fill:#e6e9ef;stroke:#14181f}\n"
         ".grid{stroke:#2b323d} .axis{stroke:#a4adbb} .rest{fill:#8a93a3} .none{fill:#222832}\n"
         "}\n</style>\n<rect width=\"100%\" height=\"100%\" class=\"ground\"/>\n" +
         body + "</svg>\n";
}

}  // namespace gpuplan::cli

// Text for a terminal: at most 80 columns, colour only on a TTY that wants it (NO_COLOR), SI prefixes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gpuplan::cli {

enum class Style { plain, heading, good, bad, dim };

// Whether standard output is a terminal that takes colour.
bool colour_wanted();
// `text` in `style` where colour is wanted.
std::string styled(std::string_view text, Style style);

// Three significant digits and an SI prefix: si(0.0123, "s") = "12.3 ms"; 0 prints "0 s".
std::string si(double value, std::string_view unit);
// "1,234,567"
std::string grouped(double value);
// "12.3 %"
std::string percent(double fraction);
// A bar of `width` cells filled to `fraction`, in eighths of a cell.
std::string bar(double fraction, int width);

// Aligned columns: first left, others right (or all left); widths as needed, cut to 80 columns in total by
// shortening the widest left-aligned column.
class Table {
 public:
  enum class Align { left, right };
  explicit Table(std::vector<std::string> header, std::vector<Align> align = {});
  void row(std::vector<std::string> cells);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_;  // [0] is the header
};

// Breaks `text` into lines of at most `width` columns, each after `indent` spaces but the first.
std::string wrap(std::string_view text, std::size_t width, std::size_t indent);
// Columns that `text` takes (UTF-8 code points; our text has no wide ones).
std::size_t columns(std::string_view text);

// A progress line on standard error, drawn only when that is a terminal and erased at the end.
class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // Fraction done, or < 0 where unknown; seconds left, or < 0.
  void show(double fraction, double left = -1.0);

 private:
  bool enabled_;
  int last_ = -1;
  unsigned calls_ = 0;
};

}  // namespace gpuplan::cli

#include "ui/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace gpuplan::cli {

namespace {
constexpr std::size_t kWidth = 80;
}

bool colour_wanted() {
  static const bool wanted = [] {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') &&
           (term == nullptr || std::strcmp(term, "dumb") != 0);
  }();
  return wanted;
}

std::string styled(std::string_view text, Style style) {
  if (!colour_wanted()) {
    return std::string(text);
  }
  switch (style) {
    case Style::plain:
      return std::string(text);
    case Style::heading:
      return fmt::format("\033[1m{}\033[0m", text);
    case Style::good:
      return fmt::format("\033[32m{}\033[0m", text);
    case Style::bad:
      return fmt::format("\033[31m{}\033[0m", text);
    case Style::dim:
      return fmt::format("\033[2m{}\033[0m", text);
  }
  return std::string(text);
}

std::string si(double value, std::string_view unit) {
  if (value == 0.0 || !std::isfinite(value)) {
    return fmt::format("{:g} {}", value, unit);
  }
  static constexpr std::array<const char*, 12> prefixes = {"p", "n", "µ", "m", "",  "k",
                                                           "M", "G", "T", "P", "E", "Z"};
  int index = 4;
  double scaled = value;
  while (std::abs(scaled) >= 999.5 && index < 11) {
    scaled /= 1000.0;
    ++index;
  }
  while (std::abs(scaled) < 0.9995 && index > 0) {
    scaled *= 1000.0;
    --index;
  }
  const double magnitude = std::abs(scaled);
  const int decimals = magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}{}", scaled, decimals, prefixes[static_cast<std::size_t>(index)], unit);
}

std::string grouped(double value) {
  std::string digits = fmt::format("{:.0f}", std::abs(value));
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), ",");
  }
  return (value < 0 && digits != "0" ? "-" : "") + digits;
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", 100.0 * fraction); }

std::string bar(double fraction, int width) {
  static constexpr std::array<const char*, 8> eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int cells = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * width * 8));
  std::string out;
  for (int i = 0; i < cells / 8; ++i) {
    out += "█";
  }
  out += eighths[static_cast<std::size_t>(cells % 8)];
  const int used = cells / 8 + (cells % 8 != 0 ? 1 : 0);
  return out + std::string(static_cast<std::size_t>(std::max(0, width - used)), ' ');
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

Table::Table(std::vector<std::string> header, std::vector<Align> align) : align_(std::move(align)) {
  align_.resize(header.size(), Align::right);
  if (align_[0] == Align::right) {
    align_[0] = Align::left;
  }
  rows_.push_back(std::move(header));
}

void Table::row(std::vector<std::string> cells) {
  cells.resize(align_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> width(align_.size(), 0);
  for (const auto& cells : rows_) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      width[i] = std::max(width[i], columns(cells[i]));
    }
  }
  const auto total = [&] {
    std::size_t sum = 2 * (width.size() - 1);
    for (const std::size_t w : width) {
      sum += w;
    }
    return sum;
  };
  while (total() > kWidth) {  // shorten the widest left-aligned column
    std::size_t widest = 0;
    for (std::size_t i = 1; i < width.size(); ++i) {
      if (align_[i] == Align::left && (align_[widest] != Align::left || width[i] > width[widest])) {
        widest = i;
      }
    }
    if (width[widest] <= 8) {
      break;
    }
    width[widest] -= std::min(width[widest] - 8, total() - kWidth);
  }
  std::string out;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows_[r].size(); ++i) {
      std::string cell = rows_[r][i];
      if (columns(cell) > width[i]) {
        while (!cell.empty() && columns(cell) + 1 > width[i]) {
          cell.pop_back();
          while (!cell.empty() && (static_cast<unsigned char>(cell.back()) & 0xC0u) == 0x80u) {
            cell.pop_back();
          }
        }
        cell += "~";
      }
      const std::string pad(width[i] - std::min(width[i], columns(cell)), ' ');
      line += (i == 0 ? "" : "  ") + (align_[i] == Align::right ? pad + cell : cell + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += (r == 0 ? styled(line, Style::heading) : line) + "\n";
  }
  return out;
}

std::string wrap(std::string_view text, std::size_t width, std::size_t indent) {
  std::size_t i = std::min(text.find_first_not_of(' '), text.size());
  std::string out(i, ' ');  // the first line keeps its own indentation
  std::size_t column = i;
  const std::size_t start = i;
  while (i < text.size()) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    const std::string_view word = text.substr(i, end - i);
    const std::size_t size = columns(word);
    if (i > start && column + 1 + size > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (i > start) {
      out += ' ';
      ++column;
    }
    out += word;
    column += size;
    i = end + 1;
  }
  return out;
}

ProgressBar::ProgressBar() : enabled_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (enabled_ && last_ >= 0) {
    std::fputs("\r\033[K", stderr);
  }
}

void ProgressBar::show(double fraction, double left) {
  if (!enabled_) {
    return;
  }
  ++calls_;
  const int step = fraction >= 0.0 ? static_cast<int>(fraction * 200.0) : static_cast<int>(calls_ / 16);
  if (step != last_) {
    last_ = step;
    const std::string line =
        fraction >= 0.0
            ? fmt::format("\r[{}] {:3.0f} %{}\033[K", bar(fraction, 40), 100.0 * std::min(1.0, fraction),
                          left >= 1.0 ? fmt::format(", {:.0f} s left", left) : "")
            : fmt::format("\r{} simulating", std::string(1, "|/-\\"[calls_ / 16 % 4]));
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
  }
}

}  // namespace gpuplan::cli

#include "sim/sweep/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hwmodels/json/path.h"
#include "hwmodels/json/problem.h"

namespace gpuplan::sweep {

namespace {

constexpr std::size_t kMostValues = 100'000;
constexpr const char* kForms = "PATH=a,b,c or PATH=low:high:count[:log] or PATH=[...]";

// Twelve digits: 0.1:1:10 gives 0.3 and not 0.30000000000000004.
double rounded(double value) { return std::stod(fmt::format("{:.12g}", value)); }

json::Value number_of(double value, bool integer) {
  return integer ? json::Value(static_cast<std::int64_t>(std::llround(value))) : json::Value(rounded(value));
}

double between(double low, double high, bool log, double place) {
  return place <= 0.0   ? low
         : place >= 1.0 ? high
         : log          ? low * std::pow(high / low, place)
                        : low + (high - low) * place;
}

class AxisText {
 public:
  explicit AxisText(const std::string& text) : text_(text) {}

  Axis read() const {
    const std::size_t equals = text_.find('=');
    if (equals == std::string::npos || equals == 0) {
      refuse(equals == 0 ? "no path" : "no '='", kForms);
    }
    Axis axis{text_.substr(0, equals), {}, {}};
    const std::string values = text_.substr(equals + 1);
    if (values.empty()) {
      refuse("no values", kForms);
    }
    if (!read_range(values, axis)) {
      read_list(values, axis);
    }
    refuse_twins(axis.values);
    return axis;
  }

 private:
  [[noreturn]] void refuse(const std::string& found, const std::string& expected) const {
    throw InputError(Problem{"--vary " + text_.substr(0, 80), found, expected, ""});
  }

  static std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts = {""};
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (quoted) {
        quoted = c != '"' || text[i - 1] == '\\';
      } else if (c == '"') {
        quoted = true;
      } else {
        depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
      }
      if (c == at && depth == 0 && !quoted) {
        parts.emplace_back();
      } else {
        parts.back() += c;
      }
    }
    return parts;
  }

  static std::optional<double> number(const std::string& text, bool& integer) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
      return std::nullopt;
    }
    integer = integer && text.find_first_not_of("+-0123456789") == std::string::npos;
    return value;
  }

  // False where `values` is no range: its first two parts are not numbers.
  bool read_range(const std::string& values, Axis& axis) const {
    std::vector<std::string> parts = split(values, ':');
    bool integer = true;
    if (parts.size() < 2) {
      return false;
    }
    const std::optional<double> low = number(parts[0], integer), high = number(parts[1], integer);
    if (!low || !high) {
      return false;
    }
    const bool log = parts.back() == "log";
    if (log) {
      parts.pop_back();
    }
    if (parts.size() > 3) {
      refuse("\"" + parts[3] + "\" after the count", "log, or nothing");
    }
    if (*low >= *high || (integer && std::max(-*low, *high) > 9e15)) {
      refuse(parts[0] + ":" + parts[1], "a low end below the high end");
    }
    if (log && *low <= 0.0) {
      refuse("a range in equal ratios from " + parts[0], "ends > 0");
    }
    axis.range = Range{*low, *high, log, integer};
    if (parts.size() == 3) {
      fill(parts[2], axis);
    }
    return true;
  }

  void fill(const std::string& count_text, Axis& axis) const {
    bool whole = true;
    const std::optional<double> count = number(count_text, whole);
    if (!count || !whole || *count < 2.0 || *count > static_cast<double>(kMostValues)) {
      refuse("\"" + count_text + "\" values", fmt::format("a count from 2 to {}", kMostValues));
    }
    const Range& range = *axis.range;
    for (double i = 0.0; i < *count; i += 1.0) {
      axis.values.push_back(range.at(i / (*count - 1.0)));
    }
    if (range.integer && std::adjacent_find(axis.values.begin(), axis.values.end()) != axis.values.end()) {
      refuse(fmt::format("{} whole numbers", count_text),
             fmt::format("fewer of them, or {}.0:{}.0 for fractions", range.low, range.high));
    }
  }

  void read_list(const std::string& values, Axis& axis) const {
    const json::Value whole = values.front() == '[' ? json::value_of(values) : json::Value{};
    if (whole.is_array()) {
      axis.values = whole.array();
    } else {
      for (const std::string& part : split(values, ',')) {
        if (part.empty()) {
          refuse("an empty value", kForms);
        }
        axis.values.push_back(json::value_of(part));
      }
    }
    if (axis.values.empty() || axis.values.size() > kMostValues) {
      refuse(fmt::format("{} values", axis.values.size()), fmt::format("1 to {} values", kMostValues));
    }
  }

  void refuse_twins(const std::vector<json::Value>& values) const {
    std::vector<std::string> texts;
    texts.reserve(values.size());
    for (const json::Value& value : values) {
      texts.push_back(json::dump(value));
    }
    std::sort(texts.begin(), texts.end());
    const auto twin = std::adjacent_find(texts.begin(), texts.end());
    if (twin != texts.end()) {
      refuse(twin->substr(0, 60) + " twice", "each value once (--repeat runs a point several times)");
    }
  }

  const std::string& text_;
};

}  // namespace

json::Value Range::at(double place) const { return number_of(between(low, high, log, place), integer); }

json::Value Range::draw(double place) const {
  if (!integer) {
    return number_of(between(low, high, log, place), false);
  }
  // Ends moved out by half, so that the first and the last number are as wide as the others.
  const double value = between(low - 0.5, high + 0.5, log, place);
  return number_of(std::clamp(std::round(value), low, high), true);
}

Axis parse_axis(const std::string& text) { return AxisText(text).read(); }

}  // namespace gpuplan::sweep

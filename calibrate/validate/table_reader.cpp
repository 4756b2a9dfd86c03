#include "calibrate/validate/table_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "hwmodels/json/problem.h"

namespace gpuplan::calibrate {

TableReader::TableReader(const std::string& path) : lines_(path, "a table, CSV or CSV.gz") {
  if (!lines_.next()) {
    throw InputError({path, "an empty file", "a header line with the names of the columns", ""});
  }
  split();
  columns_ = fields_;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (std::find(columns_.begin(), columns_.begin() + static_cast<std::ptrdiff_t>(i), columns_[i]) !=
        columns_.begin() + static_cast<std::ptrdiff_t>(i)) {
      fail("column \"" + columns_[i] + "\" twice", "names that differ");
    }
  }
}

std::optional<std::size_t> TableReader::column(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  return found == columns_.end()
             ? std::nullopt
             : std::optional<std::size_t>(static_cast<std::size_t>(found - columns_.begin()));
}

std::size_t TableReader::required_column(std::string_view name) const {
  const std::optional<std::size_t> found = column(name);
  if (!found) {
    throw InputError({path() + ":1", "no column \"" + std::string(name) + "\"", "a column of that name",
                      did_you_mean(name, columns_)});
  }
  return *found;
}

bool TableReader::next() {
  do {
    if (!lines_.next()) {
      return false;
    }
  } while (lines_.text().empty());
  split();
  if (fields_.size() != columns_.size()) {
    fail(std::to_string(fields_.size()) + " fields", std::to_string(columns_.size()) + " as in the header");
  }
  return true;
}

double TableReader::number(std::size_t column) const {
  const std::string& field = fields_[column];
  double value = 0.0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(value)) {
    fail("\"" + field + "\" as " + columns_[column], "a number");
  }
  return value;
}

std::int64_t TableReader::integer(std::size_t column) const {
  const double value = number(column);
  if (std::nearbyint(value) != value || std::abs(value) > 9e15) {
    fail("\"" + fields_[column] + "\" as " + columns_[column], "a whole number");
  }
  return static_cast<std::int64_t>(value);
}

void TableReader::split() {
  const std::string& line = lines_.text();
  fields_.clear();
  std::string field;
  bool quoted = false, was_quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < line.size() && line[i + 1] == '"') {
        field += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty() && !was_quoted) {
      quoted = was_quoted = true;
    } else if (c == ',') {
      fields_.push_back(std::move(field));
      field.clear();
      was_quoted = false;
    } else {
      field += c;
    }
  }
  if (quoted) {
    fail("a quote that does not end", "\" at the end of the field");
  }
  fields_.push_back(std::move(field));
}

void TableReader::fail(const std::string& found, const std::string& expected) const {
  throw InputError({where(), found, expected, ""});
}

}  // namespace gpuplan::calibrate

#include "calibrate/validate/table_reader.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "hwmodels/json/problem.h"

namespace gpuplan::calibrate {

namespace {
constexpr std::size_t kLongestLine = 64 * 1024;
}

struct TableReader::File {
  gzFile handle = nullptr;  // reads plain files too
  explicit File(const std::string& path) : handle(gzopen(path.c_str(), "rb")) {}
  ~File() {
    if (handle != nullptr) {
      gzclose(handle);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

TableReader::TableReader(const std::string& path) : path_(path), file_(std::make_unique<File>(path)) {
  if (file_->handle == nullptr) {
    throw InputError({path, "no readable file", "a table, CSV or CSV.gz", ""});
  }
  if (!read_line()) {
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

TableReader::~TableReader() = default;
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader& TableReader::operator=(TableReader&&) noexcept = default;

std::optional<std::size_t> TableReader::column(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  return found == columns_.end()
             ? std::nullopt
             : std::optional<std::size_t>(static_cast<std::size_t>(found - columns_.begin()));
}

std::size_t TableReader::required_column(std::string_view name) const {
  const std::optional<std::size_t> found = column(name);
  if (!found) {
    throw InputError({path_ + ":1", "no column \"" + std::string(name) + "\"", "a column of that name",
                      did_you_mean(name, columns_)});
  }
  return *found;
}

bool TableReader::next() {
  do {
    if (!read_line()) {
      return false;
    }
  } while (buffer_.empty());
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

std::string TableReader::where() const { return path_ + ":" + std::to_string(line_); }

bool TableReader::read_line() {
  buffer_.clear();
  ++line_;
  std::array<char, 4096> chunk{};
  while (gzgets(file_->handle, chunk.data(), static_cast<int>(chunk.size())) != nullptr) {
    buffer_ += chunk.data();
    if (!buffer_.empty() && buffer_.back() == '\n') {
      buffer_.pop_back();
      if (!buffer_.empty() && buffer_.back() == '\r') {
        buffer_.pop_back();
      }
      return true;
    }
    if (buffer_.size() > kLongestLine) {
      fail("a line longer than 64 KiB", "rows of a table");
    }
  }
  int error = Z_OK;
  const char* message = gzerror(file_->handle, &error);
  if (error != Z_OK && error != Z_STREAM_END) {
    fail(std::string("damaged compressed data (") + message + ")", "a whole gzip file");
  }
  return !buffer_.empty();
}

void TableReader::split() {
  fields_.clear();
  std::string field;
  bool quoted = false, was_quoted = false;
  for (std::size_t i = 0; i < buffer_.size(); ++i) {
    const char c = buffer_[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < buffer_.size() && buffer_[i + 1] == '"') {
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

// A comma-separated table, plain or gzipped, read row by row: the first line names the columns. Fields may be
// quoted ("a, b", with "" for a quote) but hold no line breaks. Mistakes are InputErrors at "path:line".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/validate/line_reader.h"

namespace gpuplan::calibrate {

class TableReader {
 public:
  // Opens `path` and reads its header. Throws InputError.
  explicit TableReader(const std::string& path);

  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
  // The column called `name`; InputError where there is none.
  [[nodiscard]] std::size_t required_column(std::string_view name) const;

  // Moves to the next row; false at the end. Empty lines are passed over.
  bool next();
  [[nodiscard]] const std::string& text(std::size_t column) const { return fields_[column]; }
  [[nodiscard]] double number(std::size_t column) const;
  [[nodiscard]] std::int64_t integer(std::size_t column) const;  // "2048" or "2048.0"

  [[nodiscard]] const std::string& path() const { return lines_.path(); }
  [[nodiscard]] std::int64_t line() const { return lines_.line(); }
  [[nodiscard]] std::string where() const { return lines_.where(); }  // "path:line"

 private:
  void split();
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const;

  LineReader lines_;
  std::vector<std::string> columns_, fields_;
};

}  // namespace gpuplan::calibrate

// A comma-separated table, plain or gzipped, read row by row: the first line names the columns. Fields may be
// quoted ("a, b", with "" for a quote) but hold no line breaks. Mistakes are InputErrors at "path:line".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan::calibrate {

class TableReader {
 public:
  // Opens `path` and reads its header. Throws InputError.
  explicit TableReader(const std::string& path);
  ~TableReader();
  TableReader(TableReader&&) noexcept;
  TableReader& operator=(TableReader&&) noexcept;

  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const;
  // The column called `name`; InputError where there is none.
  [[nodiscard]] std::size_t required_column(std::string_view name) const;

  // Moves to the next row; false at the end. Empty lines are passed over.
  bool next();
  [[nodiscard]] const std::string& text(std::size_t column) const { return fields_[column]; }
  [[nodiscard]] double number(std::size_t column) const;
  [[nodiscard]] std::int64_t integer(std::size_t column) const;  // "2048" or "2048.0"

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t line() const { return line_; }
  [[nodiscard]] std::string where() const;  // "path:line"

 private:
  struct File;
  bool read_line();
  void split();
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const;

  std::string path_;
  std::unique_ptr<File> file_;
  std::vector<std::string> columns_, fields_;
  std::string buffer_;
  std::int64_t line_ = 0;
};

}  // namespace gpuplan::calibrate

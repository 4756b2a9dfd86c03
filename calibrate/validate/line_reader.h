// Lines of a text file, plain or gzipped, one by one. Mistakes are InputErrors at "path:line".
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace gpuplan::calibrate {

class LineReader {
 public:
  // Opens `path`, which should hold `content` ("a table, CSV or CSV.gz"). Throws InputError.
  LineReader(const std::string& path, const std::string& content);
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;

  // Moves to the next line; false at the end. Throws InputError where the file is damaged or a line is longer
  // than 64 KiB.
  bool next();
  [[nodiscard]] const std::string& text() const { return text_; }  // without its line break

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t line() const { return line_; }
  [[nodiscard]] std::string where() const;  // "path:line"

 private:
  struct File;
  std::string path_;
  std::unique_ptr<File> file_;
  std::string text_;
  std::int64_t line_ = 0;
};

}  // namespace gpuplan::calibrate

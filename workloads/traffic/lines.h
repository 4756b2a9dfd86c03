// Text line by line with bounded memory: LF and CRLF, a byte order mark, a last line without a newline.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan {

// What is wrong with a line; the reader adds file and line number.
struct LineError {
  std::string found;
  std::string expected;
  std::string suggestion;
};

class LineReader {
 public:
  static constexpr std::size_t kLongestLine = std::size_t{4} << 20U;  // bytes

  LineReader(std::istream& in, std::string name) : in_(in), name_(std::move(name)) {}

  // The next line that is not blank, without its end; valid until the next call. False at the end. InputError
  // for a line above kLongestLine and for a stream that breaks off.
  bool next(std::string_view& line);
  // Throws InputError with "name:line".
  [[noreturn]] void fail(const LineError& error) const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  bool next_raw(std::string_view& line);
  bool read_more();

  std::istream& in_;
  std::string name_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what is not consumed yet
  std::size_t number_ = 0;
  bool at_end_ = false;
};

// The fields of one CSV line, quotes removed; views into `line` or `unquoted`, which it overwrites. LineError
// for a quote that does not end.
void split_csv(std::string_view line, std::vector<std::string_view>& fields, std::string& unquoted);

// Whole numbers of tokens, 0 and up; "374" and "374.0". LineError names `what`.
std::int32_t parse_tokens(std::string_view field, std::string_view what);
// A number of magnitude up to kLargestNumber.
constexpr double kLargestNumber = 1e15;  // 30 million years in seconds
double parse_number(std::string_view field, std::string_view what);
std::string_view trimmed(std::string_view text);
// How text is quoted in a message: one line, shortened, control characters replaced.
std::string quoted(std::string_view text);

}  // namespace gpuplan

// Pieces of text: lines with their numbers, words, numbers, and how foreign text is quoted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan::calibrate {

// Goes through a text line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next();
  [[nodiscard]] std::string_view text() const { return line_; }  // without its line break
  [[nodiscard]] std::int64_t number() const { return number_; }  // from 1

 private:
  std::string_view rest_, line_;
  std::int64_t number_ = 0;
};

// The parts of `line` between blanks.
std::vector<std::string_view> words_of(std::string_view line);
std::string_view trimmed(std::string_view text);

// The whole of `word` as a number; nothing where it is none, or not finite.
std::optional<double> number_in(std::string_view word);
std::optional<std::int64_t> whole_number_in(std::string_view word);  // digits only, below 2^53

// `text` for a message: printable ASCII, at most 60 characters, in quotes.
std::string quoted(std::string_view text);
// The same without quotes and up to `most` characters, for names taken from a file.
std::string printable(std::string_view text, std::size_t most = 80);

}  // namespace gpuplan::calibrate

#include "workloads/traffic/lines.h"

#include <charconv>
#include <cmath>

#include "hwmodels/json/problem.h"

namespace gpuplan {

namespace {

constexpr std::size_t kBlock = std::size_t{64} << 10U;
constexpr double kMostTokens = 1e9;  // of one request; more is a damaged file

}  // namespace

void LineReader::fail(const LineError& error) const {
  throw InputError(
      Problem{name_ + ":" + std::to_string(number_), error.found, error.expected, error.suggestion});
}

// Appends a block to the buffer, dropping what is consumed.
bool LineReader::read_more() {
  if (at_end_) {
    return false;
  }
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kBlock);
  in_.read(buffer_.data() + size, kBlock);
  const auto got = static_cast<std::size_t>(in_.gcount());
  buffer_.resize(size + got);
  if (in_.bad()) {
    ++number_;
    fail({"a read error", "a readable file", ""});
  }
  at_end_ = got < kBlock;
  return got > 0;
}

bool LineReader::next_raw(std::string_view& line) {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_ + searched);
    if (end != std::string::npos) {
      line = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = end + 1;
      ++number_;
      return true;
    }
    searched = buffer_.size() - begin_;
    if (searched > kLongestLine) {
      ++number_;
      fail({"a line of more than " + std::to_string(kLongestLine >> 20U) + " MiB", "lines of text", ""});
    }
    if (!read_more()) {
      break;
    }
  }
  if (begin_ == buffer_.size()) {
    return false;
  }
  line = std::string_view(buffer_).substr(begin_);
  begin_ = buffer_.size();
  ++number_;
  return true;
}

bool LineReader::next(std::string_view& line) {
  while (next_raw(line)) {
    if (number_ == 1 && line.substr(0, 3) == "\xEF\xBB\xBF") {
      line.remove_prefix(3);
    }
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (!trimmed(line).empty()) {
      return true;
    }
  }
  return false;
}

void split_csv(std::string_view line, std::vector<std::string_view>& fields, std::string& unquoted) {
  fields.clear();
  if (line.find('"') == std::string_view::npos) {
    for (;;) {
      const std::size_t comma = line.find(',');
      fields.push_back(trimmed(line.substr(0, comma)));
      if (comma == std::string_view::npos) {
        return;
      }
      line.remove_prefix(comma + 1);
    }
  }
  unquoted.clear();
  unquoted.reserve(line.size());  // so that views into it stay valid
  std::size_t i = 0;
  for (;;) {
    const std::size_t begin = unquoted.size();
    bool inside = false;
    for (; i < line.size() && (inside || line[i] != ','); ++i) {
      if (line[i] != '"') {
        unquoted += line[i];
      } else if (inside && i + 1 < line.size() && line[i + 1] == '"') {
        unquoted += '"';
        ++i;
      } else {
        inside = !inside;
      }
    }
    if (inside) {
      throw LineError{"a quote that does not end in " + quoted(line), "quotes in pairs", ""};
    }
    fields.push_back(trimmed(std::string_view(unquoted).substr(begin)));
    if (i == line.size()) {
      return;
    }
    ++i;
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto code = static_cast<unsigned char>(c);
    out += code < 0x20 || code >= 0x7F ? '?' : c;
  }
  return out + (text.size() > kShown ? "...\"" : "\"");
}

double parse_number(std::string_view field, std::string_view what) {
  double value = 0;
  const char* const end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, value);
  if (error != std::errc() || stop != end || !(std::abs(value) <= kLargestNumber)) {
    throw LineError{std::string(what) + " " + quoted(field), "a number", ""};
  }
  return value;
}

std::int32_t parse_tokens(std::string_view field, std::string_view what) {
  std::int32_t tokens = 0;
  const char* const end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, tokens);
  if (error == std::errc() && stop == end && tokens >= 0 && tokens <= kMostTokens) {
    return tokens;
  }
  double value = -1;
  const auto [last, failed] = std::from_chars(field.data(), end, value);
  if (failed == std::errc() && last == end && value >= 0 && value <= kMostTokens &&
      std::nearbyint(value) == value) {
    return static_cast<std::int32_t>(value);
  }
  throw LineError{std::string(what) + " " + quoted(field), "a whole number of tokens, 0 to 1e9", ""};
}

}  // namespace gpuplan

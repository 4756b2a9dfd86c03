// A small JSON writer: two blanks of indent, or one line per object where `compact` is set.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

namespace gpubench {

inline std::string json_quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Whole numbers exactly, others with 9 significant digits; JSON has no NaN and no infinity: those become
// null.
inline std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  const bool whole = std::fabs(value) < 9007199254740992.0 && std::nearbyint(value) == value;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", value);
  return text;
}

// Writes one document. Calls must nest properly; inside an object every value is preceded by key().
class JsonWriter {
 public:
  explicit JsonWriter(std::ostream& out) : out_(out) {}

  void begin_object(bool compact = false) { open('{', compact); }
  void end_object() { close('}'); }
  void begin_array(bool compact = false) { open('[', compact); }
  void end_array() { close(']'); }

  void key(const std::string& name) {
    separate();
    out_ << json_quoted(name) << ": ";
    after_key_ = true;
  }
  void value(double number) { raw(json_number(number)); }
  void value(long long number) { raw(std::to_string(number)); }
  void value(int number) { value(static_cast<long long>(number)); }
  void value(bool flag) { raw(flag ? "true" : "false"); }
  void value(const std::string& text) { raw(json_quoted(text)); }
  void value(const char* text) { value(std::string(text)); }

  template <class T>
  void field(const std::string& name, const T& content) {
    key(name);
    value(content);
  }

 private:
  struct Level {
    bool compact;
    bool empty = true;
  };

  void raw(const std::string& text) {
    separate();
    out_ << text;
  }
  void open(char bracket, bool compact) {
    separate();
    out_ << bracket;
    levels_.push_back({compact || (!levels_.empty() && levels_.back().compact)});
  }
  void close(char bracket) {
    const Level level = levels_.back();
    levels_.pop_back();
    if (!level.compact && !level.empty) new_line();
    out_ << bracket;
    if (levels_.empty()) out_ << '\n';
  }
  void separate() {
    if (after_key_) {
      after_key_ = false;
      return;
    }
    if (levels_.empty()) return;
    Level& level = levels_.back();
    if (!level.empty) out_ << (level.compact ? ", " : ",");
    level.empty = false;
    if (!level.compact) new_line();
  }
  void new_line() { out_ << '\n' << std::string(2 * levels_.size(), ' '); }

  std::ostream& out_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

}  // namespace gpubench

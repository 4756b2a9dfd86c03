// A JSON document as a plain C++ value. Parsing and printing are nlohmann/json's, and this folder is the
// only one that includes it. Objects keep the order of the file, so that output is reproducible.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace gpuplan::json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Object = std::vector<Member>;

class Value {
 public:
  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool b) : data_(b) {}
  Value(int i) : data_(static_cast<std::int64_t>(i)) {}
  Value(std::int64_t i) : data_(i) {}
  Value(std::size_t i) : data_(static_cast<std::int64_t>(i)) {}
  Value(double d) : data_(d) {}
  Value(const char* s) : data_(std::string(s)) {}
  Value(std::string_view s) : data_(std::string(s)) {}
  Value(std::string s) : data_(std::move(s)) {}
  Value(Array a) : data_(std::move(a)) {}
  Value(Object o) : data_(std::move(o)) {}

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(data_); }
  [[nodiscard]] bool is_integer() const { return std::holds_alternative<std::int64_t>(data_); }
  [[nodiscard]] bool is_number() const { return is_integer() || std::holds_alternative<double>(data_); }
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(data_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(data_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(data_); }

  // Asserted accessors: ask is_*() first.
  [[nodiscard]] bool boolean() const { return std::get<bool>(data_); }
  [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  [[nodiscard]] double number() const {
    return is_integer() ? static_cast<double>(std::get<std::int64_t>(data_)) : std::get<double>(data_);
  }
  [[nodiscard]] const std::string& string() const { return std::get<std::string>(data_); }
  [[nodiscard]] const Array& array() const { return std::get<Array>(data_); }
  [[nodiscard]] Array& array() { return std::get<Array>(data_); }
  [[nodiscard]] const Object& object() const { return std::get<Object>(data_); }
  [[nodiscard]] Object& object() { return std::get<Object>(data_); }

  // The member called `key`, or null when this is no object or has none.
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] Value* find(std::string_view key);
  // The member called `key`, created (null) where missing; turns a null value into an object.
  Value& operator[](std::string_view key);
  // Appends; turns a null value into an array.
  void push_back(Value element);

  bool operator==(const Value&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

// Parses `text`. Throws InputError with `name`, line and column. Depth is limited to 200, duplicate keys
// are refused, NaN and infinities are no JSON.
Value parse(std::string_view text, const std::string& name);
// Reads and parses a file of at most `limit` bytes; InputError where it cannot be read.
Value parse_file(const std::string& path, std::size_t limit_bytes = 64u << 20u);
// Reads a whole file; InputError where it cannot be read or is larger than `limit`.
std::string read_file(const std::string& path, std::size_t limit_bytes = 64u << 20u);
// Shortest text that reads back to the same value; indent < 0: one line. Non-finite numbers print null.
std::string dump(const Value& value, int indent = -1);
// How a value is quoted in an error message: one line, shortened.
std::string excerpt(const Value& value);
// Recursively lays `patch` over `base` (objects merge, everything else replaces; null removes).
void merge(Value& base, const Value& patch);

}  // namespace gpuplan::json

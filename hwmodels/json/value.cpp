#include "hwmodels/json/value.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "hwmodels/json/problem.h"

namespace gpuplan::json {

const Value* Value::find(std::string_view key) const {
  if (!is_object()) {
    return nullptr;
  }
  for (const Member& member : object()) {
    if (member.first == key) {
      return &member.second;
    }
  }
  return nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(static_cast<const Value*>(this)->find(key));
}

Value& Value::operator[](std::string_view key) {
  if (is_null()) {
    data_ = Object{};
  }
  if (Value* existing = find(key)) {
    return *existing;
  }
  object().emplace_back(std::string(key), Value{});
  return object().back().second;
}

void Value::push_back(Value element) {
  if (is_null()) {
    data_ = Array{};
  }
  array().push_back(std::move(element));
}

namespace {

constexpr std::size_t kMaxDepth = 200;

// Builds a Value from nlohmann's parse events; stops at the first error.
class Builder : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  explicit Builder(std::string name) : name_(std::move(name)) {}
  Value take() { return std::move(root_); }

  bool null() override { return place(Value{}); }
  bool boolean(bool v) override { return place(Value(v)); }
  bool number_integer(number_integer_t v) override { return place(Value(std::int64_t{v})); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return place(Value(static_cast<double>(v)));
    }
    return place(Value(static_cast<std::int64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t& text) override {
    if (!std::isfinite(v)) {
      fail("number " + text.substr(0, 40), "a number that a double can hold");
    }
    return place(Value(v));
  }
  bool string(string_t& v) override { return place(Value(std::move(v))); }
  bool binary(binary_t& /*v*/) override { return false; }
  bool start_object(std::size_t /*n*/) override { return open(Value(Object{})); }
  bool start_array(std::size_t /*n*/) override { return open(Value(Array{})); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& k) override {
    Open& parent = stack_.back();
    if (seen_before(parent, k)) {
      fail("key \"" + k.substr(0, 60) + "\" twice", "each key once");
    }
    parent.value->object().emplace_back(std::move(k), Value{});
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    std::string what = error.what();
    const std::size_t at = what.find("parse error");
    what = at == std::string::npos ? what : what.substr(at);
    if (what.size() > 200) {
      what = what.substr(0, 200) + "...";
    }
    fail(what + " (byte " + std::to_string(position) + ")", "JSON");
  }

 private:
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw InputError(Problem{name_, found, expected, ""});
  }
  Value* slot(Value v) {
    if (stack_.empty()) {
      root_ = std::move(v);
      return &root_;
    }
    Value& parent = *stack_.back().value;
    if (parent.is_array()) {
      parent.array().push_back(std::move(v));
      return &parent.array().back();
    }
    parent.object().back().second = std::move(v);
    return &parent.object().back().second;
  }
  bool place(Value v) {
    slot(std::move(v));
    return true;
  }
  bool open(Value v) {
    if (stack_.size() >= kMaxDepth) {
      fail("more than 200 levels of nesting", "a flatter document");
    }
    stack_.push_back({slot(std::move(v)), {}});
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  // An object or array that is being read. Its pointer stays valid: a parent grows only while none of its
  // children is open.
  struct Open {
    Value* value;
    std::set<std::string, std::less<>> keys;  // of a large object only; a small one is searched
  };

  static bool seen_before(Open& parent, const std::string& key) {
    constexpr std::size_t kSmall = 32;
    const Object& object = parent.value->object();
    if (object.size() < kSmall) {
      return parent.value->find(key) != nullptr;
    }
    if (parent.keys.empty()) {
      for (const Member& member : object) {
        parent.keys.insert(member.first);
      }
    }
    return !parent.keys.insert(key).second;
  }

  std::string name_;
  Value root_;
  std::vector<Open> stack_;
};

nlohmann::ordered_json to_nlohmann(const Value& value) {
  if (value.is_bool()) {
    return value.boolean();
  }
  if (value.is_integer()) {
    return value.integer();
  }
  if (value.is_number()) {
    return value.number();
  }
  if (value.is_string()) {
    return value.string();
  }
  if (value.is_array()) {
    nlohmann::ordered_json out = nlohmann::ordered_json::array();
    for (const Value& element : value.array()) {
      out.push_back(to_nlohmann(element));
    }
    return out;
  }
  if (value.is_object()) {
    nlohmann::ordered_json out = nlohmann::ordered_json::object();
    // Straight into the vector beneath: operator[] would search it for every member.
    auto& members = out.get_ref<nlohmann::ordered_json::object_t&>();
    members.reserve(value.object().size());
    for (const Member& member : value.object()) {
      members.push_back({member.first, to_nlohmann(member.second)});
    }
    return out;
  }
  return nullptr;
}

}  // namespace

Value parse(std::string_view text, const std::string& name) {
  Builder builder(name);
  nlohmann::ordered_json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::string read_file(const std::string& path, std::size_t limit_bytes) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw InputError(Problem{path, "no readable file", "a file that can be read", ""});
  }
  std::string text;
  std::string chunk(1u << 16u, '\0');
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    text.append(chunk, 0, static_cast<std::size_t>(in.gcount()));
    if (text.size() > limit_bytes) {
      throw InputError(Problem{path, "more than " + std::to_string(limit_bytes) + " bytes",
                               "a file of at most that size", ""});
    }
  }
  if (in.bad() || (text.empty() && !in.eof())) {
    throw InputError(Problem{path, "a read error (is it a directory?)", "a file that can be read", ""});
  }
  return text;
}

Value parse_file(const std::string& path, std::size_t limit_bytes) {
  return parse(read_file(path, limit_bytes), path);
}

std::string dump(const Value& value, int indent) {
  // Bytes that are no UTF-8 (a user's file name, say) are replaced rather than refused.
  return to_nlohmann(value).dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string excerpt(const Value& value) {
  if (value.is_object()) {
    return "an object";
  }
  if (value.is_array()) {
    return "an array";
  }
  std::string text = dump(value);
  if (text.size() > 60) {
    text = text.substr(0, 57) + "...";
  }
  return text;
}

void merge(Value& base, const Value& patch) {
  if (!patch.is_object()) {
    base = patch;
    return;
  }
  if (!base.is_object()) {
    base = Value(Object{});
  }
  for (const Member& member : patch.object()) {
    if (member.second.is_null()) {
      std::erase_if(base.object(), [&](const Member& m) { return m.first == member.first; });
    } else {
      merge(base[member.first], member.second);
    }
  }
}

}  // namespace gpuplan::json

// One description of a spec serves loading, printing and documenting it. A plain struct is described by
//
//   template <class V> void describe(V& v, Engine& e) {
//     v.field("max_num_seqs", e.max_num_seqs, "sequences that may run at once", json::Range{1, 1e6});
//   }
//
// found by argument-dependent lookup. Reader fills the struct from JSON (a field that is absent keeps its
// default) and collects Problems; Writer prints the struct back; Schema emits JSON Schema. So the loader,
// the resolved scenario and `gpuplan schema` cannot disagree.
//
// A field is a bool, an integer, a double, a Quantity (in SI base units), a string, an enum with
// `enum_names(E)`, a described struct, a json::Value (anything), or an optional / vector of those.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"
#include "hwmodels/units/units.h"

namespace gpuplan::json {

// Bounds of a number, inclusive unless `open_min`.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool open_min = false;  // min itself is not allowed
};
constexpr Range positive() { return {.min = 0.0, .open_min = true}; }
constexpr Range not_negative() { return {.min = 0.0}; }
constexpr Range fraction() { return {.min = 0.0, .max = 1.0}; }
constexpr Range at_least(double min) { return {.min = min}; }

enum class Presence { optional, required };
inline constexpr Presence required = Presence::required;

// Names of an enum's values in order; overload `std::span<const std::string_view> enum_names(E)` beside it.
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) {
  { enum_names(e) } -> std::convertible_to<std::span<const std::string_view>>;
};
template <NamedEnum E>
std::string_view name_of(E e) {
  return enum_names(e)[static_cast<std::size_t>(e)];
}

template <class T>
struct IsQuantity : std::false_type {};
template <Dim D>
struct IsQuantity<Quantity<D>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

// Text such as "a number >= 0 and <= 1".
std::string describe_range(Range range, bool integer);
bool inside(Range range, double value);

class Reader {
 public:
  // Reads the members of `object`; problems are appended to `problems` with paths below `path`.
  Reader(const Value& object, std::string path, std::vector<Problem>& problems)
      : object_(object), path_(std::move(path)), problems_(problems) {
    if (!object_.is_object()) {
      problem(path_, excerpt(object_), "an object");
    }
  }

  template <class T>
  void field(std::string_view name, T& target, std::string_view /*doc*/, Range range = {},
             Presence presence = Presence::optional) {
    known_.emplace_back(name);
    const Value* value = object_.find(name);
    if (value == nullptr) {
      if (presence == Presence::required && object_.is_object()) {
        missing_.emplace_back(name);
      }
      return;
    }
    read(*value, path_ + "." + std::string(name), target, range);
  }
  template <class T>
  void field(std::string_view name, T& target, std::string_view doc, Presence presence) {
    field(name, target, doc, Range{}, presence);
  }

  // Call once after the last field: reports unknown keys and missing required ones.
  void finish();

  template <class T>
  void read(const Value& value, const std::string& path, T& target, Range range);

  void problem(std::string path, std::string found, std::string expected, std::string suggestion = "") {
    problems_.push_back({std::move(path), std::move(found), std::move(expected), std::move(suggestion)});
  }

 private:
  const Value& object_;
  std::string path_;
  std::vector<Problem>& problems_;
  std::vector<std::string> known_;
  std::vector<std::string> missing_;
};

template <class T>
void Reader::read(const Value& value, const std::string& path, T& target, Range range) {
  if constexpr (std::is_same_v<T, Value>) {
    target = value;
  } else if constexpr (std::is_same_v<T, bool>) {
    value.is_bool() ? void(target = value.boolean()) : problem(path, excerpt(value), "true or false");
  } else if constexpr (std::is_same_v<T, std::string>) {
    value.is_string() ? void(target = value.string()) : problem(path, excerpt(value), "a string");
  } else if constexpr (std::is_integral_v<T>) {
    const bool whole = value.is_number() && std::nearbyint(value.number()) == value.number() &&
                       std::abs(value.number()) < 9e15 &&
                       value.number() >= static_cast<double>(std::numeric_limits<T>::min()) &&
                       value.number() <= static_cast<double>(std::numeric_limits<T>::max());
    if (!whole || !inside(range, value.number())) {
      problem(path, excerpt(value), describe_range(range, true));
    } else {
      target = static_cast<T>(value.number());
    }
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number() || !inside(range, value.number())) {
      problem(path, excerpt(value), describe_range(range, false));
    } else {
      target = value.number();
    }
  } else if constexpr (IsQuantity<T>::value) {
    double number = target.si();
    read(value, path, number, range);
    target = T(number);
  } else if constexpr (NamedEnum<T>) {
    const auto names = enum_names(T{});
    for (std::size_t i = 0; value.is_string() && i < names.size(); ++i) {
      if (names[i] == value.string()) {
        target = static_cast<T>(i);
        return;
      }
    }
    const std::vector<std::string> choices(names.begin(), names.end());
    std::string expected = "one of";
    for (const std::string& choice : choices) {
      expected += (&choice == &choices.front() ? " " : ", ") + choice;
    }
    problem(path, excerpt(value), expected, value.is_string() ? did_you_mean(value.string(), choices) : "");
  } else if constexpr (IsOptional<T>::value) {
    if (value.is_null()) {
      target.reset();
    } else {
      typename T::value_type inner{};
      if (target) {
        inner = *target;
      }
      read(value, path, inner, range);
      target = std::move(inner);
    }
  } else if constexpr (IsVector<T>::value) {
    if (!value.is_array()) {
      problem(path, excerpt(value), "an array");
      return;
    }
    target.clear();
    for (std::size_t i = 0; i < value.array().size(); ++i) {
      typename T::value_type element{};
      read(value.array()[i], path + "[" + std::to_string(i) + "]", element, range);
      target.push_back(std::move(element));
    }
  } else {
    Reader nested(value, path, problems_);
    describe(nested, target);
    nested.finish();
  }
}

// Fills the described struct `target` from `value`, appending problems.
template <class T>
void read(const Value& value, const std::string& path, T& target, std::vector<Problem>& problems) {
  Reader reader(value, path, problems);
  describe(reader, target);
  reader.finish();
}

class Writer {
 public:
  template <class T>
  void field(std::string_view name, T& target, std::string_view /*doc*/, Range /*range*/ = {},
             Presence /*presence*/ = Presence::optional) {
    Value value = to_value(target);
    if (!value.is_null()) {
      object_.emplace_back(std::string(name), std::move(value));
    }
  }
  template <class T>
  void field(std::string_view name, T& target, std::string_view doc, Presence presence) {
    field(name, target, doc, Range{}, presence);
  }
  Value take() { return Value(std::move(object_)); }

  template <class T>
  static Value to_value(T& target);

 private:
  Object object_;
};

template <class T>
Value Writer::to_value(T& target) {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Plain, Value>) {
    return target;
  } else if constexpr (std::is_same_v<Plain, bool> || std::is_same_v<Plain, std::string> ||
                       std::is_same_v<Plain, double>) {
    return Value(target);
  } else if constexpr (std::is_integral_v<Plain>) {
    return Value(static_cast<std::int64_t>(target));
  } else if constexpr (IsQuantity<Plain>::value) {
    return Value(target.si());
  } else if constexpr (NamedEnum<Plain>) {
    return Value(name_of(target));
  } else if constexpr (IsOptional<Plain>::value) {
    return target ? to_value(*target) : Value{};
  } else if constexpr (IsVector<Plain>::value) {
    Array out;
    for (auto& element : target) {
      out.push_back(to_value(element));
    }
    return Value(std::move(out));
  } else {
    Writer nested;
    describe(nested, const_cast<Plain&>(target));
    return nested.take();
  }
}

// JSON text of a described struct, as a Value.
template <class T>
Value write(const T& spec) {
  return Writer::to_value(spec);
}

class Schema {
 public:
  template <class T>
  void field(std::string_view name, T& target, std::string_view doc, Range range = {},
             Presence presence = Presence::optional) {
    Value schema = of(target, range);
    schema["description"] = Value(doc);
    if constexpr (!std::is_class_v<T> || IsQuantity<T>::value || std::is_same_v<T, std::string>) {
      if (presence == Presence::optional) {
        Value preset = Writer::to_value(target);
        if (!preset.is_number() || std::isfinite(preset.number())) {
          schema["default"] = std::move(preset);
        }
      }
    }
    properties_.emplace_back(std::string(name), std::move(schema));
    if (presence == Presence::required) {
      required_.emplace_back(Value(name));
    }
  }
  template <class T>
  void field(std::string_view name, T& target, std::string_view doc, Presence presence) {
    field(name, target, doc, Range{}, presence);
  }
  Value take();

  template <class T>
  static Value of(T& target, Range range);

 private:
  Object properties_;
  Array required_;
};

Value number_schema(Range range, bool integer);

template <class T>
Value Schema::of(T& target, Range range) {
  Value schema{Object{}};
  if constexpr (std::is_same_v<T, Value>) {
    // anything
  } else if constexpr (std::is_same_v<T, bool>) {
    schema["type"] = "boolean";
  } else if constexpr (std::is_same_v<T, std::string>) {
    schema["type"] = "string";
  } else if constexpr (std::is_integral_v<T>) {
    schema = number_schema(range, true);
  } else if constexpr (std::is_floating_point_v<T> || IsQuantity<T>::value) {
    schema = number_schema(range, false);
  } else if constexpr (NamedEnum<T>) {
    Array names;
    for (const std::string_view name : enum_names(T{})) {
      names.emplace_back(name);
    }
    schema["enum"] = Value(std::move(names));
  } else if constexpr (IsOptional<T>::value) {
    typename T::value_type inner{};
    schema = of(inner, range);
  } else if constexpr (IsVector<T>::value) {
    typename T::value_type element{};
    schema["type"] = "array";
    schema["items"] = of(element, range);
  } else {
    Schema nested;
    describe(nested, target);
    schema = nested.take();
  }
  return schema;
}

// JSON Schema (2020-12 subset) of a described struct with its defaults.
template <class T>
Value schema_of() {
  T spec{};
  return Schema::of(spec, {});
}

}  // namespace gpuplan::json

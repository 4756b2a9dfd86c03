#include "hwmodels/json/describe.h"

#include <algorithm>

namespace gpuplan::json {

namespace {

std::string plain(double value) {
  return dump(std::nearbyint(value) == value && std::abs(value) < 1e15
                  ? Value(static_cast<std::int64_t>(value))
                  : Value(value));
}

}  // namespace

bool inside(Range range, double value) {
  return std::isfinite(value) && value <= range.max &&
         (range.open_min ? value > range.min : value >= range.min);
}

std::string describe_range(Range range, bool integer) {
  std::string text = integer ? "a whole number" : "a number";
  const bool low = std::isfinite(range.min);
  if (low) {
    text += (range.open_min ? " > " : " >= ") + plain(range.min);
  }
  if (std::isfinite(range.max)) {
    text += (low ? " and <= " : " <= ") + plain(range.max);
  }
  return text;
}

void Reader::finish() {
  if (!object_.is_object()) {
    return;
  }
  for (const std::string& name : missing_) {
    problem(path_ + "." + name, "nothing", "a value (the field is required)");
  }
  for (const Member& member : object_.object()) {
    // "//" and "$schema" are the comment and the editor's hint that any object may carry.
    const bool known = std::find(known_.begin(), known_.end(), member.first) != known_.end();
    if (!known && member.first != "//" && member.first != "$schema") {
      problem(path_ + "." + member.first.substr(0, 60), "an unknown field", "a field of the schema",
              did_you_mean(member.first, known_));
    }
  }
}

Value number_schema(Range range, bool integer) {
  Value schema;
  schema["type"] = integer ? "integer" : "number";
  if (std::isfinite(range.min)) {
    schema[range.open_min ? "exclusiveMinimum" : "minimum"] = Value(range.min);
  }
  if (std::isfinite(range.max)) {
    schema["maximum"] = Value(range.max);
  }
  return schema;
}

Value Schema::take() {
  // Every object may carry a comment and an editor's schema hint.
  for (const char* extra : {"//", "$schema"}) {
    properties_.emplace_back(extra, Value(Object{{"type", Value("string")}}));
  }
  Value schema;
  schema["type"] = "object";
  schema["properties"] = Value(std::move(properties_));
  if (!required_.empty()) {
    schema["required"] = Value(std::move(required_));
  }
  schema["additionalProperties"] = Value(false);
  return schema;
}

}  // namespace gpuplan::json

// Reading a Hugging Face config.json: fields with several names, absent or null alike, problems by name.
// Not for other floors.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"
#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace gpuplan::models {

using Names = std::initializer_list<std::string_view>;

class HfFields {
 public:
  // `path` is that of the object: "config.json: $" or "config.json: $.text_config".
  HfFields(const json::Value& object, std::string path, std::vector<Problem>& problems);

  // The first of `names` that is present and not null.
  [[nodiscard]] const json::Value* find(Names names) const;
  [[nodiscard]] bool has(std::string_view name) const { return find({name}) != nullptr; }

  // A whole number inside `range`; nothing where absent, a problem where it is anything else.
  std::optional<std::int64_t> integer(Names names, json::Range range);
  std::int64_t integer_or(Names names, json::Range range, std::int64_t preset);
  // Absent: a problem that lists the names and the nearest member; then 0.
  std::int64_t required(Names names, json::Range range);
  bool flag(std::string_view name, bool preset);
  std::string text(std::string_view name);

  void problem(std::string_view name, std::string found, std::string expected, std::string suggestion = "");
  [[nodiscard]] const json::Value& object() const { return object_; }

 private:
  const json::Value& object_;
  std::string path_;
  std::vector<Problem>& problems_;
};

}  // namespace gpuplan::models

#include "workloads/models/hf_fields.h"

#include <utility>

namespace gpuplan::models {

HfFields::HfFields(const json::Value& object, std::string path, std::vector<Problem>& problems)
    : object_(object), path_(std::move(path)), problems_(problems) {}

const json::Value* HfFields::find(Names names) const {
  for (const std::string_view name : names) {
    const json::Value* value = object_.find(name);
    if (value != nullptr && !value->is_null()) {
      return value;
    }
  }
  return nullptr;
}

std::optional<std::int64_t> HfFields::integer(Names names, json::Range range) {
  for (const std::string_view name : names) {
    const json::Value* value = object_.find(name);
    if (value == nullptr || value->is_null()) {
      continue;
    }
    std::int64_t number = 0;
    const std::size_t before = problems_.size();
    json::Reader(object_, path_, problems_).read(*value, path_ + "." + std::string(name), number, range);
    return problems_.size() == before ? std::optional(number) : std::nullopt;
  }
  return std::nullopt;
}

std::int64_t HfFields::integer_or(Names names, json::Range range, std::int64_t preset) {
  return integer(names, range).value_or(preset);
}

std::int64_t HfFields::required(Names names, json::Range range) {
  if (find(names) != nullptr) {
    return integer_or(names, range, 0);
  }
  std::string expected = json::describe_range(range, true);
  if (names.size() > 1) {
    expected += "; also read as";
    for (const std::string_view* name = names.begin() + 1; name != names.end(); ++name) {
      expected += (name == names.begin() + 1 ? " " : ", ") + std::string(*name);
    }
  }
  std::vector<std::string> members;
  if (object_.is_object()) {
    for (const json::Member& member : object_.object()) {
      members.push_back(member.first.substr(0, 60));
    }
  }
  const json::Value* given = object_.find(*names.begin());
  problem(*names.begin(), given == nullptr ? "nothing" : "null", expected,
          given == nullptr ? did_you_mean(*names.begin(), members) : "");
  return 0;
}

bool HfFields::flag(std::string_view name, bool preset) {
  const json::Value* value = find({name});
  if (value == nullptr) {
    return preset;
  }
  if (!value->is_bool()) {
    problem(name, json::excerpt(*value), "true or false");
    return preset;
  }
  return value->boolean();
}

std::string HfFields::text(std::string_view name) {
  const json::Value* value = find({name});
  if (value == nullptr) {
    return "";
  }
  if (!value->is_string()) {
    problem(name, json::excerpt(*value), "a string");
    return "";
  }
  return value->string();
}

void HfFields::problem(std::string_view name, std::string found, std::string expected,
                       std::string suggestion) {
  problems_.push_back(
      {path_ + "." + std::string(name), std::move(found), std::move(expected), std::move(suggestion)});
}

}  // namespace gpuplan::models

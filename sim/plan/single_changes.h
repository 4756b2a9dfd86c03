// Single changes that somebody could make to a scenario tomorrow: another setting of the engine or the split,
// another number format, other hardware. What the schema lists as choices is tried, so that a new choice is a
// move without a line here.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

enum class ChangeKind { setting, format, machine };
std::string_view name_of(ChangeKind kind);

struct SingleChange {
  std::string text;               // "tensor_parallel = 2, replicas = 2"
  std::vector<std::string> sets;  // PATH=VALUE, all of them together
  ChangeKind kind = ChangeKind::setting;
};

// Of a resolved scenario. Not all of them are valid: what is refused is no move.
std::vector<SingleChange> single_changes_of(const json::Value& resolved, const Library& library);

}  // namespace gpuplan::sim

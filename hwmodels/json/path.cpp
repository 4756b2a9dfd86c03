#include "hwmodels/json/path.h"

#include <algorithm>
#include <charconv>

#include "hwmodels/json/problem.h"

namespace gpuplan::json {

// The place that `path` names, created where missing; nullptr with the reason in `why`.
Value* place_at(Value& document, const std::string& path, std::string& why) {
  Value* at = &document;
  std::size_t i = path.rfind("$.", 0) == 0 ? 2 : 0;
  while (i < path.size()) {
    if (path[i] == '[') {
      const std::size_t close = path.find(']', i);
      std::size_t index = 0;
      if (close == std::string::npos ||
          std::from_chars(path.data() + i + 1, path.data() + close, index).ptr != path.data() + close) {
        why = "a malformed index";
        return nullptr;
      }
      if (!at->is_array() || index >= at->array().size()) {
        why = "an index outside the array";
        return nullptr;
      }
      at = &at->array()[index];
      i = close + 1;
    } else {
      i += path[i] == '.' ? 1 : 0;
      const std::size_t end = path.find_first_of(".[", i);
      const std::string key = path.substr(i, end == std::string::npos ? end : end - i);
      if (key.empty()) {
        why = "an empty field name";
        return nullptr;
      }
      if (!at->is_object()) {
        // "gpu": "X" becomes {"base": "X"} when a field of it is set.
        const Value name = *at;
        *at = Value(Object{});
        if (name.is_string()) {
          at->object().emplace_back("base", name);
        }
      }
      at = &(*at)[key];
      i = end == std::string::npos ? path.size() : end;
    }
  }
  return at;
}

const Value* find_at(const Value& document, const std::string& path) {
  const Value* at = &document;
  std::size_t i = path.rfind("$.", 0) == 0 ? 2 : 0;
  while (i < path.size() && at != nullptr) {
    if (path[i] == '[') {
      const std::size_t close = path.find(']', i);
      std::size_t index = 0;
      if (close == std::string::npos ||
          std::from_chars(path.data() + i + 1, path.data() + close, index).ptr != path.data() + close ||
          !at->is_array() || index >= at->array().size()) {
        return nullptr;
      }
      at = &at->array()[index];
      i = close + 1;
    } else {
      i += path[i] == '.' ? 1 : 0;
      const std::size_t end = std::min(path.find_first_of(".[", i), path.size());
      at = at->find(path.substr(i, end - i));
      i = end;
    }
  }
  return at;
}

Value value_of(const std::string& text) {
  try {
    return parse(text, "value");
  } catch (const InputError&) {
    return Value(text);
  }
}

void set_path(Value& document, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  std::string why;
  Value* at = nullptr;
  if (equals == std::string::npos || equals == 0) {
    why = equals == 0 ? "no path" : "no '='";
  } else {
    at = place_at(document, assignment.substr(0, equals), why);
  }
  if (at == nullptr) {
    throw InputError(
        Problem{"--set " + assignment.substr(0, 80), why, "PATH=VALUE such as traffic.arrivals.rate=10", ""});
  }
  *at = value_of(assignment.substr(equals + 1));
}

void set_value(Value& document, const std::string& path, const Value& value, const std::string& where) {
  std::string why = "no path";
  Value* at = path.empty() ? nullptr : place_at(document, path, why);
  if (at == nullptr) {
    throw InputError(
        Problem{where, why + ": \"" + path.substr(0, 80) + "\"", "a path such as machine.nodes", ""});
  }
  *at = value;
}

}  // namespace gpuplan::json

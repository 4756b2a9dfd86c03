// Reading a scenario file and applying --set.
#include <cctype>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "sim/scenario/serving_scenario.h"

namespace gpuplan::sim {

namespace {

// The place that `path` names, created where missing; nullptr with the reason in `why`.
json::Value* place_at(json::Value& document, const std::string& path, std::string& why) {
  json::Value* at = &document;
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
        *at = json::Value(json::Object{});  // "gpu": "X" becomes an object when a field of it is set
      }
      at = &(*at)[key];
      i = end == std::string::npos ? path.size() : end;
    }
  }
  return at;
}

}  // namespace

void set_path(json::Value& document, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  std::string why;
  json::Value* at = nullptr;
  if (equals == std::string::npos || equals == 0) {
    why = equals == 0 ? "no path" : "no '='";
  } else {
    at = place_at(document, assignment.substr(0, equals), why);
  }
  if (at == nullptr) {
    throw InputError(
        Problem{"--set " + assignment.substr(0, 80), why, "PATH=VALUE such as traffic.arrivals.rate=10", ""});
  }
  const std::string text = assignment.substr(equals + 1);
  try {
    *at = json::parse(text, "--set");
  } catch (const InputError&) {
    *at = json::Value(text);  // a bare word is a string
  }
}

void set_value(json::Value& document, const std::string& path, const json::Value& value,
               const std::string& where) {
  std::string why = "no path";
  json::Value* at = path.empty() ? nullptr : place_at(document, path, why);
  if (at == nullptr) {
    throw InputError(
        Problem{where, why + ": \"" + path.substr(0, 80) + "\"", "a path such as machine.nodes", ""});
  }
  *at = value;
}

ScenarioFile load_scenario_file(const std::string& path, const std::vector<std::string>& overrides) {
  ScenarioFile file;
  file.name = path == "-" ? "standard input" : path;
  constexpr std::size_t limit = 16u << 20u;
  if (path == "-") {
    std::string text;
    std::string chunk(1u << 16u, '\0');
    while (std::cin.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || std::cin.gcount() > 0) {
      text.append(chunk, 0, static_cast<std::size_t>(std::cin.gcount()));
      if (text.size() > limit) {
        throw InputError(Problem{file.name, "more than 16 MiB", "a scenario", ""});
      }
    }
    file.document = json::parse(text, file.name);
    file.base_dir = ".";
  } else {
    file.document = json::parse_file(path, limit);
    file.base_dir = std::filesystem::path(path).parent_path().string();
    file.base_dir = file.base_dir.empty() ? "." : file.base_dir;
  }
  if (!file.document.is_object()) {
    throw InputError(Problem{file.name + ": $", json::excerpt(file.document), "a scenario object", ""});
  }
  for (const std::string& assignment : overrides) {
    set_path(file.document, assignment);
  }
  const json::Value* kind = file.document.find("kind");
  if (kind == nullptr || !kind->is_string()) {
    throw InputError(Problem{file.name + ": $.kind", kind == nullptr ? "nothing" : json::excerpt(*kind),
                             "a kind of scenario: \"serving\", \"training\", \"kernel\" or \"collective\"",
                             ""});
  }
  file.kind = kind->string();
  return file;
}

}  // namespace gpuplan::sim

#include "sim/sweep/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

namespace gpuplan::sweep {

namespace {

namespace fs = std::filesystem;

// Files that the strings of a value name, relative to `base_dir`.
void find_files(const json::Value& value, const std::string& base_dir,
                std::map<std::string, std::string>& found) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.object()) {
      find_files(member, base_dir, found);
    }
  } else if (value.is_array()) {
    for (const json::Value& element : value.array()) {
      find_files(element, base_dir, found);
    }
  } else if (value.is_string() && !value.string().empty() && value.string().size() < 4096) {
    std::error_code error;
    const fs::path file = fs::path(base_dir) / value.string();
    if (fs::is_regular_file(file, error)) {
      constexpr std::size_t limit = std::size_t{1} << 32u;
      found.emplace(value.string(), fingerprint(json::read_file(file.string(), limit)));
    }
  }
}

json::Value axis_json(const Axis& axis) {
  json::Object out;
  out.emplace_back("path", json::Value(axis.path));
  if (axis.range) {
    out.emplace_back("low", json::Value(axis.range->low));
    out.emplace_back("high", json::Value(axis.range->high));
    out.emplace_back("log", json::Value(axis.range->log));
    out.emplace_back("integer", json::Value(axis.range->integer));
  }
  if (!axis.values.empty()) {
    out.emplace_back("values", json::Value(json::Array(axis.values)));
  }
  return json::Value(std::move(out));
}

std::optional<Axis> axis_of(const json::Value& value) {
  const json::Value *path = value.find("path"), *values = value.find("values"), *low = value.find("low");
  if (path == nullptr || !path->is_string()) {
    return std::nullopt;
  }
  Axis axis{path->string(), {}, {}};
  if (values != nullptr && values->is_array()) {
    axis.values = values->array();
  }
  if (low != nullptr) {
    const json::Value *high = value.find("high"), *log = value.find("log"), *integer = value.find("integer");
    if (!low->is_number() || high == nullptr || !high->is_number() || log == nullptr || !log->is_bool() ||
        integer == nullptr || !integer->is_bool()) {
      return std::nullopt;
    }
    axis.range = Range{low->number(), high->number(), log->boolean(), integer->boolean()};
    if (low->number() >= high->number() || (log->boolean() && low->number() <= 0.0)) {
      return std::nullopt;
    }
  }
  return axis;
}

void compare(const json::Value& theirs, const json::Value& ours, const std::string& path, std::size_t limit,
             std::vector<std::string>& out) {
  if (theirs == ours || out.size() >= limit) {
    return;
  }
  const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (theirs.is_object() && ours.is_object()) {
    for (const auto& [key, value] : theirs.object()) {
      const json::Value* other = ours.find(key);
      compare(value, other != nullptr ? *other : json::Value{}, below(key), limit, out);
    }
    for (const auto& [key, value] : ours.object()) {
      if (theirs.find(key) == nullptr) {
        compare(json::Value{}, value, below(key), limit, out);
      }
    }
    return;
  }
  if (theirs.is_array() && ours.is_array() && theirs.array().size() == ours.array().size()) {
    for (std::size_t i = 0; i < ours.array().size(); ++i) {
      compare(theirs.array()[i], ours.array()[i], fmt::format("{}[{}]", path, i), limit, out);
    }
    return;
  }
  const auto shown = [](const json::Value& value) {
    std::string text = value.is_null() ? "nothing" : json::dump(value);
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
  };
  out.push_back(fmt::format("{}: {}, and here {}", path, shown(theirs), shown(ours)));
}

}  // namespace

json::Value to_json(const Build& build) {
  json::Value out{json::Object{}};
  out["version"] = json::Value(build.version);
  out["executable"] = json::Value(build.executable);
  out["data"] = json::Value(build.data);
  return out;
}

Build build_of(const json::Value& value) {
  const auto text = [&](std::string_view key) {
    const json::Value* member = value.find(key);
    return member != nullptr && member->is_string() ? member->string() : "";
  };
  return {text("version"), text("executable"), text("data")};
}

std::string fingerprint(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return fmt::format("{:016x}", hash);
}

std::string fingerprint_of_folders(const std::vector<std::string>& folders) {
  std::string all;
  for (const std::string& folder : folders) {
    std::map<std::string, std::string> files;  // sorted: directories come in any order
    std::error_code error;                     // a folder that is not there has no files
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, error)) {
      if (entry.is_regular_file() && entry.path().extension() == ".json") {
        const std::string name = fs::relative(entry.path(), folder).string();
        files[name] = fingerprint(json::read_file(entry.path().string()));
      }
    }
    for (const auto& [name, content] : files) {
      all += fmt::format("{} {}\n", name, content);
    }
  }
  return fingerprint(all);
}

json::Value definition_of(const SweepSpec& spec, const Build& build) {
  json::Array axes;
  std::map<std::string, std::string> files;
  find_files(spec.document, spec.base_dir, files);
  for (const Axis& axis : spec.axes) {
    axes.push_back(axis_json(axis));
    for (const json::Value& value : axis.values) {
      find_files(value, spec.base_dir, files);
    }
  }
  json::Object found;
  for (const auto& [name, content] : files) {
    found.emplace_back(name, json::Value(content));
  }
  json::Object out;
  out.emplace_back("program", to_json(build));
  out.emplace_back("document", spec.document);
  out.emplace_back("axes", json::Value(std::move(axes)));
  out.emplace_back("samples", spec.samples ? json::Value(*spec.samples) : json::Value{});
  out.emplace_back("repeat", json::Value(spec.repeat));
  out.emplace_back("files", json::Value(std::move(found)));
  // As it reads back from a journal: bytes that are no UTF-8 are replaced there.
  return json::parse(json::dump(json::Value(std::move(out))), "definition");
}

SweepSpec spec_of(const json::Value& definition, const std::string& where) {
  const json::Value *document = definition.find("document"), *axes = definition.find("axes"),
                    *samples = definition.find("samples"), *repeat = definition.find("repeat");
  SweepSpec spec;
  bool sound = document != nullptr && document->is_object() && axes != nullptr && axes->is_array() &&
               repeat != nullptr && repeat->is_integer() && repeat->integer() >= 1;
  for (std::size_t i = 0; sound && i < axes->array().size(); ++i) {
    const std::optional<Axis> axis = axis_of(axes->array()[i]);
    sound = axis.has_value();
    spec.axes.push_back(axis.value_or(Axis{}));
  }
  if (!sound || (samples != nullptr && samples->is_integer() && samples->integer() < 1)) {
    throw InputError(Problem{where, "no definition of a sweep", "one that gpuplan sweep has written", ""});
  }
  spec.document = *document;
  const json::Value* name = document->find("name");
  spec.name = name != nullptr && name->is_string() ? name->string() : "sweep";
  spec.base_dir = ".";
  spec.repeat = static_cast<std::size_t>(repeat->integer());
  if (samples != nullptr && samples->is_integer()) {
    spec.samples = static_cast<std::size_t>(samples->integer());
  }
  return spec;
}

std::string fingerprint_of(const json::Value& definition) { return fingerprint(json::dump(definition)); }

std::vector<std::string> differences(const json::Value& theirs, const json::Value& ours, std::size_t limit) {
  std::vector<std::string> out;
  compare(theirs, ours, "", limit, out);
  return out;
}

}  // namespace gpuplan::sweep

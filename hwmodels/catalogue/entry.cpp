#include "hwmodels/catalogue/entry.h"

#include <algorithm>

#include "hwmodels/json/folder.h"

namespace gpuplan::catalogue {

namespace {

// "measured" and the like; nothing where it is no standing.
std::optional<Standing> standing_of(const std::string& name) {
  const auto names = enum_names(Standing{});
  const auto at = std::find(names.begin(), names.end(), name);
  if (at == names.end()) {
    return std::nullopt;
  }
  return static_cast<Standing>(at - names.begin());
}

constexpr std::string_view kStandings = "one of datasheet, measured, derived, assumed";

}  // namespace

std::string folder(const std::string& data_dir, std::string_view name) {
  return data_dir + "/hwmodels/catalogue/data/" + std::string(name);
}

std::vector<std::string> json_files(const std::string& directory) {
  return json::files_of(directory, "the catalogue's data folder (is GPUPLAN_DATA right?)");
}

SourceTable read_sources(const std::string& data_dir) {
  const std::string file = folder(data_dir, "sources.json");
  const json::Value root = json::parse_file(file);
  std::vector<Problem> problems;
  SourceTable table;
  const json::Value* tags = root.find("sources");
  if (tags == nullptr || !tags->is_object()) {
    throw InputError(Problem{file + ": $.sources", "no object", "an object of tags", ""});
  }
  for (const auto& [tag, value] : tags->object()) {
    const json::Value* text = value.find("text");
    const json::Value* standing = value.find("standing");
    const auto known =
        standing != nullptr && standing->is_string() ? standing_of(standing->string()) : std::nullopt;
    if (text == nullptr || !text->is_string() || !known) {
      problems.push_back({std::string(file).append(": $.sources.").append(tag), "an incomplete source",
                          "text and " + std::string(kStandings), ""});
      continue;
    }
    table.emplace(tag, Source{text->string(), *known});
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return table;
}

bool is_remark(std::string_view field) { return field == "$schema" || field == "//"; }

void Entry::problem(const std::string& name, std::string found, std::string expected,
                    std::string suggestion) {
  problems_.push_back({path_ + "." + name, std::move(found), std::move(expected), std::move(suggestion)});
}

void Entry::unknown(const std::string& name, const std::vector<std::string>& known) {
  problem(name.substr(0, 60), "an unknown field", "a field of the schema", did_you_mean(name, known));
}

std::string Entry::text(std::string_view field, json::Presence presence) {
  const json::Value* value = root_.find(field);
  if (value == nullptr) {
    if (presence == json::required) {
      problem(std::string(field), "nothing", "a value (the field is required)");
    }
    return "";
  }
  if (!value->is_string()) {
    problem(std::string(field), json::excerpt(*value), "a string");
    return "";
  }
  return value->string();
}

std::vector<std::string> Entry::texts(std::string_view field) {
  std::vector<std::string> out;
  const json::Value* value = root_.find(field);
  if (value == nullptr) {
    return out;
  }
  if (!value->is_array()) {
    problem(std::string(field), json::excerpt(*value), "an array of strings");
    return out;
  }
  for (const json::Value& element : value->array()) {
    if (element.is_string()) {
      out.push_back(element.string());
    } else {
      problem(std::string(field), json::excerpt(element), "a string");
    }
  }
  return out;
}

double Entry::plain_number(std::string_view field, double fallback) {
  const json::Value* value = root_.find(field);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_number()) {
    problem(std::string(field), json::excerpt(*value), "a number");
    return fallback;
  }
  return value->number();
}

const json::Value* Entry::sourced(const json::Value& cell, const std::string& name) {
  const json::Value* value = cell.find("value");
  const json::Value* source = cell.find("source");
  if (value == nullptr || source == nullptr || !source->is_string()) {
    problem(name, json::excerpt(cell), "{\"value\": ..., \"source\": TAG}");
    return nullptr;
  }
  const auto tag = tags_.find(source->string());
  if (tag == tags_.end()) {
    std::vector<std::string> known;
    for (const auto& [text, unused] : tags_) {
      known.push_back(text);
    }
    problem(name + ".source", json::excerpt(*source), "a tag of sources.json",
            did_you_mean(source->string(), known));
    return nullptr;
  }
  Source noted = tag->second;
  for (const auto& [key, member] : cell.object()) {
    if (key == "note" && member.is_string()) {
      noted.text += " (" + member.string() + ")";
    } else if (key == "standing") {
      const auto known = member.is_string() ? standing_of(member.string()) : std::nullopt;
      if (known) {
        noted.standing = *known;
      } else {
        problem(name + ".standing", json::excerpt(member), std::string(kStandings));
      }
    } else if (key != "value" && key != "source") {
      unknown(std::string(name).append(".").append(key), {"value", "source", "note", "standing"});
    }
  }
  sources_.insert_or_assign(name, std::move(noted));
  return value->is_null() ? nullptr : value;
}

bool Entry::number(const json::Value& cell, const std::string& name, json::Range range, bool integer,
                   double& out) {
  const json::Value* value = sourced(cell, name);
  if (value == nullptr) {
    return false;
  }
  const bool good = value->is_number() && json::inside(range, value->number()) &&
                    (!integer || std::nearbyint(value->number()) == value->number());
  if (!good) {
    problem(name, json::excerpt(*value), json::describe_range(range, integer));
    return false;
  }
  out = value->number();
  return true;
}

bool Entry::text(const json::Value& cell, const std::string& name, std::string& out) {
  const json::Value* value = sourced(cell, name);
  if (value == nullptr) {
    return false;
  }
  if (!value->is_string()) {
    problem(name, json::excerpt(*value), "a string");
    return false;
  }
  out = value->string();
  return true;
}

void Entry::facts(const json::Value& facts) {
  if (!facts.is_object()) {
    problem("facts", json::excerpt(facts), "an object");
    return;
  }
  for (const auto& [name, cell] : facts.object()) {
    sourced(cell, "facts." + name);
  }
}

}  // namespace gpuplan::catalogue

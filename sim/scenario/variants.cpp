#include "sim/scenario/variants.h"

#include <fmt/format.h>

#include <algorithm>

namespace gpuplan::sim {

std::vector<std::pair<json::Value, std::string>> documents_of_variants(
    const json::Value& document, const std::vector<json::Value>& variants, const std::string& at,
    const VariantFields& fields, std::vector<Problem>& problems) {
  json::Value base = document;
  std::erase_if(base.object(), [](const json::Member& member) {
    return member.first == "variants" || member.first == "vary";
  });
  std::vector<std::pair<json::Value, std::string>> out;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const std::string path = fmt::format("{}.variants[{}]", at, i);
    const json::Value* name = variants[i].find("name");
    if (name == nullptr || !name->is_string() || name->string().empty()) {
      problems.push_back({path + ".name", name == nullptr ? "nothing" : json::excerpt(*name), "a name", ""});
      continue;
    }
    if (std::find(names.begin(), names.end(), name->string()) != names.end()) {
      problems.push_back({path + ".name", "\"" + name->string() + "\" again", "a name of its own", ""});
    }
    names.push_back(name->string());
    for (const json::Member& member : variants[i].object()) {
      if (std::find(fields.names.begin(), fields.names.end(), member.first) == fields.names.end()) {
        problems.push_back({path + "." + member.first, "a field that all variants share", fields.expected,
                            did_you_mean(member.first, fields.names)});
      }
    }
    json::Value merged = base;
    json::merge(merged, variants[i]);
    out.emplace_back(std::move(merged), path);
  }
  return out;
}

}  // namespace gpuplan::sim

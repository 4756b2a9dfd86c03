// Reading a scenario file and applying --set.
#include "sim/scenario/scenario_file.h"

#include <filesystem>
#include <iostream>
#include <iterator>

#include "hwmodels/json/problem.h"

namespace gpuplan::sim {

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

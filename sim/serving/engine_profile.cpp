#include "sim/serving/engine_profile.h"

#include <algorithm>
#include <filesystem>

namespace gpuplan::sim {

namespace {
std::string folder(const std::string& data_dir) { return data_dir + "/calibrate/profiles/engines"; }
}  // namespace

std::vector<std::string> engine_profile_names(const std::string& data_dir) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder(data_dir), error)) {
    if (entry.path().extension() == ".json") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

EngineProfile load_engine_profile(const std::string& data_dir, const std::string& name) {
  const std::string path = folder(data_dir) + "/" + name + ".json";
  std::vector<Problem> problems;
  EngineProfile profile;
  json::read(json::parse_file(path), path + ": $", profile, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return profile;
}

}  // namespace gpuplan::sim

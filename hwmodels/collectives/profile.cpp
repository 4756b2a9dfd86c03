#include "hwmodels/collectives/profile.h"

#include <algorithm>
#include <filesystem>

namespace gpuplan::collectives {

namespace {

constexpr const char* kFolder = "/calibrate/profiles/collectives/";

// Whether the file is there; problems in it are thrown.
template <class T>
bool read_profile(const std::string& path, T& target) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return false;
  }
  std::vector<Problem> problems;
  json::read(json::parse_file(path), path + ": $", target, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return true;
}

}  // namespace

Profiles Profiles::load(const std::string& data_dir) {
  Profiles out;
  for (const std::string_view name : enum_names(Architecture{})) {
    ArchitectureProfile profile;
    if (read_profile(data_dir + kFolder + std::string(name) + ".json", profile)) {
      out.architectures.push_back(std::move(profile));
    }
  }
  read_profile(data_dir + kFolder + "networks.json", out.networks);
  return out;
}

const ArchitectureProfile& Profiles::architecture(Architecture tag) const {
  static const ArchitectureProfile kAssumed;
  const auto found = std::find_if(architectures.begin(), architectures.end(),
                                  [&](const ArchitectureProfile& p) { return p.architecture == tag; });
  return found == architectures.end() ? kAssumed : *found;
}

const VersionConstants& Profiles::version(Architecture tag, const std::string& version) const {
  static const VersionConstants kAssumed;
  const std::vector<VersionConstants>& versions = architecture(tag).versions;
  if (versions.empty()) {
    return kAssumed;
  }
  const auto found = std::find_if(versions.begin(), versions.end(),
                                  [&](const VersionConstants& one) { return one.version == version; });
  return found == versions.end() ? versions.back() : *found;
}

const MeasuredNetwork& Profiles::network(NetworkKind fabric) const {
  static const MeasuredNetwork kAssumed;
  const auto found = std::find_if(networks.networks.begin(), networks.networks.end(),
                                  [&](const MeasuredNetwork& one) { return one.time.fabric == fabric; });
  return found == networks.networks.end() ? kAssumed : *found;
}

}  // namespace gpuplan::collectives

#include <cstdlib>
#include <filesystem>

#include "hwmodels/catalogue/catalogue.h"

namespace gpuplan {

std::string data_root() {
  if (const char* chosen = std::getenv("GPUPLAN_DATA"); chosen != nullptr && *chosen != '\0') {
    return chosen;
  }
  std::error_code error;
  const std::filesystem::path source_tree = GPUPLAN_SOURCE_DIR;
  if (std::filesystem::is_directory(source_tree / "hwmodels/catalogue/data", error)) {
    return source_tree.string();
  }
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path().parent_path() / "share/gpuplan").string();
}

}  // namespace gpuplan

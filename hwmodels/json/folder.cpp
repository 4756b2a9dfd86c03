#include "hwmodels/json/folder.h"

#include <algorithm>
#include <filesystem>

#include "hwmodels/json/problem.h"

namespace gpuplan::json {

std::vector<std::string> files_of(const std::string& folder, const std::string& what) {
  std::vector<std::string> out;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".json") {
      out.push_back(it->path().string());
    }
  }
  if (error) {
    throw InputError(Problem{folder, error.message(), what, ""});
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace gpuplan::json

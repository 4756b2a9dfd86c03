// The files of a folder of data.
#pragma once

#include <string>
#include <vector>

namespace gpuplan::json {

// The .json files of a folder in the order of their names. Throws InputError, which says that `what` was
// expected, where it cannot be listed.
std::vector<std::string> files_of(const std::string& folder, const std::string& what);

}  // namespace gpuplan::json

// The numbers of a GPU by the names that files and overrides have for them.
#pragma once

#include <optional>
#include <string_view>

#include "hwmodels/catalogue/catalogue.h"

namespace gpuplan {

// "memory_gb" of an H100: 80, in the unit that the name says. Nothing where no such field is a number; peaks
// of matrix units are Gpu::peak's.
std::optional<double> gpu_number(const Gpu& gpu, std::string_view field);

}  // namespace gpuplan

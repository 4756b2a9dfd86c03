// What a metric's name says of it: its unit, and whether less or more of it is better.
#pragma once

#include <string_view>

namespace gpuplan::sim {

enum class Sense { lower, higher, neutral };

Sense sense_of(std::string_view metric);

// "s", "B", "W", "USD", "tokens/s", "%" (the value is a fraction); "" where it counts or is a name.
std::string_view unit_of(std::string_view metric);

// Whether it follows from the scenario by arithmetic alone, so that no error of a model is in it.
bool is_exact(std::string_view metric);

}  // namespace gpuplan::sim

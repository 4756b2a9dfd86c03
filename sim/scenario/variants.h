// Variants of a scenario: documents set beside each other, each the scenario with some fields laid over it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace gpuplan::sim {

// Fields that a variant may lay something over, and what to say of others.
struct VariantFields {
  std::vector<std::string> names;  // "name" among them
  std::string expected;
};

// The document of each variant with its path, `at`.variants[i]; `variants` and `vary` themselves are left out
// of it. Problems are appended: a variant without a name of its own, a field that all must share.
std::vector<std::pair<json::Value, std::string>> documents_of_variants(
    const json::Value& document, const std::vector<json::Value>& variants, const std::string& at,
    const VariantFields& fields, std::vector<Problem>& problems);

}  // namespace gpuplan::sim

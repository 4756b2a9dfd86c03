// A model file, as the catalogue and inline overrides read it. Not for other floors.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/problem.h"
#include "workloads/models/model.h"

namespace gpuplan::models {

// Fills `model` from a file's object; a field that is absent keeps its value. Appends problems below `path`.
void read_entry(const json::Value& root, const std::string& path, Model& model,
                std::vector<Problem>& problems);

// The model as a file of the catalogue has it.
json::Value to_entry(const Model& model);

// A dense decoder as a part of a larger network: the decoder's fields and "tokens", its length. Without a
// vocabulary it has no embedding. False where problems were found.
bool read_decoder_part(const json::Value& shape, const std::string& path, Model& model, std::int64_t& tokens,
                       std::vector<Problem>& problems);

// What no single field shows: shapes that must fit each other.
void check_shapes(const Model& model, const std::string& path, std::vector<Problem>& problems);

}  // namespace gpuplan::models

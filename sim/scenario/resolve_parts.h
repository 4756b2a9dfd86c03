// Parts that scenarios of several kinds name: GPU, node, model. Each looks a name up, lays inline fields over
// it and appends what is wrong to `problems`; what it returns then is only good for finding more problems.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/problem.h"
#include "workloads/models/model.h"

namespace gpuplan::sim {

// Catalogues and data root, loaded once.
struct Library {
  std::string data_dir;
  Catalogue hardware;
  ModelCatalogue models;
  static Library load(const std::string& data_dir);
};

// "`name` is no `what`", with the nearest of `choices`.
void unknown_name(std::vector<Problem>& problems, const std::string& path, const std::string& name,
                  const std::string& what, const std::vector<std::string>& choices);

// A GPU by name, or {"base": name, and fields to override}.
Gpu resolve_gpu(const json::Value& value, const std::string& path, const Library& library,
                std::vector<Problem>& problems);

// The GPU as a resolved scenario shows it: its name, or {"base": its name, and what was laid over}.
json::Value shown_gpu(const json::Value& given, const Gpu& gpu);

// A model by name, {"base": name, and fields to override} or {"hf_config": path}, relative to `base_dir`.
Model resolve_model(const json::Value& value, const std::string& path, const std::string& base_dir,
                    const Library& library, std::vector<Problem>& problems);

// The node asked for, or the first catalogue node sold with the GPU, or (noted) a PCIe box.
Node resolve_node(const std::string& name, const Gpu& gpu, const std::string& path, const Library& library,
                  std::vector<Problem>& problems, std::vector<std::string>& notes);

}  // namespace gpuplan::sim

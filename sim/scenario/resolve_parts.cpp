#include "sim/scenario/resolve_parts.h"

#include <algorithm>
#include <filesystem>
#include <optional>

namespace gpuplan::sim {

using Problems = std::vector<Problem>;

Library Library::load(const std::string& data_dir) {
  return {data_dir, Catalogue::load(data_dir), ModelCatalogue::load(data_dir)};
}

void unknown_name(Problems& problems, const std::string& path, const std::string& name,
                  const std::string& what, const std::vector<std::string>& choices) {
  problems.push_back({path, "\"" + name.substr(0, 60) + "\"", what, did_you_mean(name, choices)});
}

namespace {

// {"base": NAME, fields...}: the name, and the fields without it.
std::optional<std::string> split_base(const json::Value& value, json::Value& overrides) {
  const json::Value* base = value.find("base");
  if (base == nullptr || !base->is_string()) {
    return std::nullopt;
  }
  overrides = json::Value(json::Object{});
  for (const json::Member& member : value.object()) {
    if (member.first != "base") {
      overrides[member.first] = member.second;
    }
  }
  return base->string();
}

std::string find_file(const std::string& path, const std::string& base_dir) {
  std::error_code error;
  if (std::filesystem::exists(path, error) || std::filesystem::path(path).is_absolute()) {
    return path;
  }
  return base_dir + "/" + path;
}

}  // namespace

Gpu resolve_gpu(const json::Value& value, const std::string& path, const Library& library,
                Problems& problems) {
  json::Value overrides;
  const std::optional<std::string> name = value.is_string() ? value.string() : split_base(value, overrides);
  if (!name) {
    problems.push_back(
        {path, json::excerpt(value), "a GPU name, or {\"base\": name, and fields to override}", ""});
    return {};
  }
  const Gpu* gpu = library.hardware.gpu(*name);
  if (gpu == nullptr) {
    unknown_name(problems, path, *name, "a GPU of the catalogue (gpuplan catalog gpus)",
                 library.hardware.gpu_names());
    return {};
  }
  if (overrides.is_null()) {
    return *gpu;
  }
  try {
    return with_overrides(*gpu, overrides, path);
  } catch (const InputError& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    return *gpu;
  }
}

json::Value shown_gpu(const json::Value& given, const Gpu& gpu) {
  if (!given.is_object() || given.find("base") == nullptr) {
    return json::Value(gpu.name);
  }
  json::Value out = given;
  out["base"] = gpu.name;
  return out.object().size() > 1 ? out : json::Value(gpu.name);
}

Model resolve_model(const json::Value& value, const std::string& path, const std::string& base_dir,
                    const Library& library, Problems& problems) {
  try {
    if (const json::Value* hf = value.find("hf_config"); hf != nullptr && hf->is_string()) {
      for (const json::Member& member : value.object()) {
        if (member.first != "hf_config") {
          problems.push_back({path + "." + member.first, "an unknown field", "only hf_config beside it", ""});
        }
      }
      const std::string file = find_file(hf->string(), base_dir);
      return model_from_hf_config(json::parse_file(file, 4u << 20u), file);
    }
    json::Value overrides;
    const std::optional<std::string> name = value.is_string() ? value.string() : split_base(value, overrides);
    if (!name) {
      problems.push_back({path, json::excerpt(value),
                          "a model name, {\"base\": name, and fields to override} or {\"hf_config\": path}",
                          ""});
      return {};
    }
    const Model* model = library.models.model(*name);
    if (model == nullptr) {
      unknown_name(problems, path, *name, "a model of the catalogue (gpuplan catalog models)",
                   library.models.names());
      return {};
    }
    return overrides.is_null() ? *model : with_overrides(*model, overrides, path);
  } catch (const InputError& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    return {};
  }
}

// The node asked for, or the first catalogue node sold with the GPU, or a PCIe box.
Node resolve_node(const std::string& name, const Gpu& gpu, const std::string& path, const Library& library,
                  Problems& problems, std::vector<std::string>& notes) {
  if (!name.empty()) {
    const Node* node = library.hardware.node(name);
    if (node == nullptr) {
      unknown_name(problems, path, name, "a node of the catalogue (gpuplan catalog nodes)",
                   library.hardware.node_names());
      return {};
    }
    return *node;
  }
  for (const Node& node : library.hardware.nodes()) {
    if (std::find(node.gpus.begin(), node.gpus.end(), gpu.name) != node.gpus.end()) {
      return node;
    }
  }
  Node generic;
  generic.name = "generic PCIe node";
  generic.gpus = {gpu.name};
  generic.gpu_count = 8;
  generic.scale_up = gpu.scale_up_links > 0 ? ScaleUp::pairs : ScaleUp::pcie;
  notes.push_back("no catalogue node is sold with " + gpu.name + ": assumed 8 GPUs on PCIe");
  return generic;
}

}  // namespace gpuplan::sim

// The model catalogue: one file a model, found by name or alias.
#include "hwmodels/json/folder.h"
#include "hwmodels/json/problem.h"
#include "workloads/models/model_entry.h"

namespace gpuplan {

ModelCatalogue ModelCatalogue::load(const std::string& data_dir) {
  ModelCatalogue out;
  std::vector<Problem> problems;
  for (const std::string& file : json::files_of(data_dir + "/workloads/models/data",
                                                "the models' data folder (is GPUPLAN_DATA right?)")) {
    json::Value root = json::parse_file(file);
    Model model;
    const std::size_t before = problems.size();
    models::read_entry(root, file + ": $", model, problems);
    model.raw = std::move(root);
    if (problems.size() == before) {
      models::check_shapes(model, file + ": $", problems);
    }
    const std::size_t index = out.models_.size();
    std::vector<std::string> names = model.aliases;
    names.insert(names.begin(), model.name);
    for (const std::string& name : names) {
      const auto [at, fresh] = out.by_name_.emplace(plain_name(name), index);
      if (!fresh && at->second != index) {
        problems.push_back({file + ": $.aliases",
                            "\"" + name + "\", a name of " + out.models_[at->second].name,
                            "a name of its own", ""});
      }
    }
    out.models_.push_back(std::move(model));
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

const Model* ModelCatalogue::model(std::string_view name) const {
  // As it stands ("ViT-S/16"), without an organisation, without a path.
  const std::size_t first = name.find('/');
  for (const std::size_t from : {std::size_t{0}, first + 1, name.rfind('/') + 1}) {
    const auto found = by_name_.find(plain_name(name.substr(from)));
    if (found != by_name_.end()) {
      return &models_[found->second];
    }
  }
  return nullptr;
}

std::vector<std::string> ModelCatalogue::names() const {
  std::vector<std::string> out;
  out.reserve(models_.size());
  for (const Model& model : models_) {
    out.push_back(model.name);
  }
  return out;
}

}  // namespace gpuplan

// Reading the data of the silicon models.
#include <algorithm>
#include <filesystem>

#include "hwmodels/json/folder.h"
#include "hwmodels/silicon/silicon_model.h"

namespace gpuplan::silicon {

namespace {

std::vector<std::string> json_files(const std::filesystem::path& folder) {
  constexpr const char* what = "files of the silicon models";
  std::vector<std::string> out = json::files_of(folder.string(), what);
  if (out.empty()) {
    throw InputError(Problem{folder.string(), "no file", what, ""});
  }
  return out;
}

template <class T>
T read_spec(const std::string& file) {
  T spec;
  std::vector<Problem> problems;
  json::read(json::parse_file(file), file + ": $", spec, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return spec;
}

}  // namespace

SiliconModel SiliconModel::load(const std::string& data_dir) {
  const std::filesystem::path root = std::filesystem::path(data_dir) / "hwmodels/silicon/data";
  SiliconModel model;
  for (const std::string& file : json_files(root / "processes")) {
    model.processes_.push_back(
        {std::filesystem::path(file).stem().string(), read_spec<Process<Uncertain>>(file)});
  }
  for (const std::string& file : json_files(root / "dies")) {
    model.dies_.push_back(read_die(file));
  }
  model.blocks_ = read_spec<Blocks<Uncertain>>((root / "blocks.json").string());
  model.prices_ = read_spec<Prices<Uncertain>>((root / "prices.json").string());
  model.energies_ = read_spec<Energies<Uncertain>>((root / "energies.json").string());

  std::vector<Problem> problems;
  for (const NamedProcess& process : model.processes_) {
    check_inputs(named_inputs(model.inputs(process.name)), root.string() + ": " + process.name, problems);
  }
  for (const DieSpec& die : model.dies_) {
    const auto known = [&](const NamedProcess& p) { return p.name == die.process; };
    if (std::none_of(model.processes_.begin(), model.processes_.end(), known)) {
      problems.push_back({root.string() + "/dies/" + die.name + ".json: $.process", "\"" + die.process + "\"",
                          "a file of data/processes", ""});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return model;
}

}  // namespace gpuplan::silicon

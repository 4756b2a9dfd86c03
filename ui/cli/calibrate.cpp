// gpuplan calibrate fit: the kernel profile of a GPU, from tables measured on it.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "calibrate/fit/fit.h"
#include "sim/scenario/serving_scenario.h"
#include "ui/cli/command.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("gpu", po::value<std::string>(), "NAME of the GPU that the tables were measured on");
  add("data", po::value<std::string>(), "DIR with gemm.csv.gz, attention_prefill.csv.gz, ... (or .csv)");
  add("out", po::value<std::string>(), "FILE to write the profile to");
  add("source", po::value<std::string>()->default_value(""),
      "TEXT saying what the tables are (default: that of the shipped profile)");
  add("quiet", "no report on standard error");
  add("help", "this text");
  return options;
}

std::string required(const po::variables_map& options, const char* name) {
  if (options.count(name) == 0) {
    throw UsageError{fmt::format("calibrate fit needs --{}; see gpuplan calibrate --help", name)};
  }
  return options[name].as<std::string>();
}

const Gpu& gpu_named(const Catalogue& catalogue, const std::string& name) {
  const Gpu* found = catalogue.gpu(name);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const Gpu& gpu : catalogue.gpus()) {
      names.push_back(gpu.name);
    }
    throw InputError({"--gpu", "\"" + name + "\"", "a GPU of the catalogue", did_you_mean(name, names)});
  }
  return *found;
}

std::vector<calibrate::KernelTable> tables_in(const std::string& directory) {
  std::vector<calibrate::KernelTable> tables;
  for (const std::string_view operation : calibrate::enum_names(calibrate::KernelOperation{})) {
    for (const char* ending : {".csv.gz", ".csv"}) {
      const std::string path = fmt::format("{}/{}{}", directory, operation, ending);
      std::error_code error;
      if (std::filesystem::exists(path, error)) {
        tables.push_back(calibrate::read_kernel_table(path));
        break;
      }
    }
  }
  if (tables.empty()) {
    throw InputError({directory, "no table", "gemm.csv.gz, attention_prefill.csv.gz, ... or .csv", ""});
  }
  return tables;
}

// What a fit starts from: what tables do not tell (launches, passes), as in the shipped profile of the GPU.
kernels::KernelProfile initial_profile(const Gpu& gpu, const std::string& data_dir) {
  const kernels::KernelProfile shipped = kernels::KernelModel::for_gpu(gpu, data_dir).profile();
  kernels::KernelProfile initial;
  initial.name = gpu.kernel_profile.empty() ? gpu.name : gpu.kernel_profile;
  initial.source = shipped.source;
  initial.passes = shipped.passes;
  initial.launch_stream = shipped.launch_stream;
  initial.launch_graph = shipped.launch_graph;
  initial.launch_source = shipped.launch_source;
  return initial;
}

}  // namespace

std::vector<std::string> calibrate_options() { return long_options(described()); }

int calibrate_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("calibrate"), described(), "what", options)) {
    return kDone;
  }
  const auto words = texts_of(options, "what");
  if (words.size() != 1 || words[0] != "fit") {
    throw UsageError{"calibrate: say what: fit"};
  }
  const std::string name = required(options, "gpu"), data = required(options, "data"),
                    out = required(options, "out");
  const std::string data_dir = data_root();
  const Catalogue catalogue = Catalogue::load(data_dir);
  const Gpu& gpu = gpu_named(catalogue, name);
  const std::vector<calibrate::KernelTable> tables = tables_in(data);
  kernels::KernelProfile initial = initial_profile(gpu, data_dir);

  calibrate::FitOptions fit;
  fit.source = options["source"].as<std::string>();
  if (fit.source.empty()) {
    fit.source = initial.source;
  }
  if (options.count("quiet") == 0) {
    fit.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  }
  const kernels::KernelProfile profile = calibrate::fit(gpu, tables, std::move(initial), fit);
  std::ofstream file(out, std::ios::binary);
  file << json::dump(json::write(profile), 1) << "\n";
  file.close();
  if (!file) {
    throw InputError({out, std::strerror(errno), "a file that can be written", ""});
  }
  return kDone;
}

}  // namespace gpuplan::cli

// gpuplan calibrate fit: the kernel profile of a GPU, from tables measured on it. gpuplan calibrate engine:
// what an inference engine adds to kernels, from measured serving. gpuplan calibrate collectives: the
// profiles of collectives, from tables of all GPUs and published runs. gpuplan calibrate import: what tools
// measured, beside what is predicted.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "calibrate/fit/collective_fit.h"
#include "calibrate/fit/engine_fit.h"
#include "calibrate/fit/fit.h"
#include "calibrate/import/compare.h"
#include "calibrate/import/text.h"
#include "sim/scenario/serving_scenario.h"
#include "ui/cli/command.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("gpu", po::value<std::string>(),
      "NAME of the GPU measured (import: needed only where the files do not say)");
  add("engine", po::value<std::string>(), "engine: NAME of the engine profile to start from");
  add("out", po::value<std::string>(),
      "FILE to write to: the profile (fit, engine), or the measurements as JSON lines (import); DIR "
      "(collectives)");
  add("data", po::value<std::string>(),
      "fit: DIR with gemm.csv.gz, attention_prefill.csv.gz, ... (or .csv); engine: FILE of measured serving "
      "rows; collectives: DIR with kernels/GPU/collectives.csv.gz and training/collectives_measured.json");
  add("source", po::value<std::string>(),
      "TEXT saying what was measured (fit: default is that of the shipped profile)");
  add("quiet", "fit, engine, collectives: no report on standard error");
  add("json", "import: print one JSON object instead of text");
  add("help", "this text");
  return options;
}

std::string required(const po::variables_map& options, const char* subcommand, const char* name) {
  if (options.count(name) == 0) {
    throw UsageError{fmt::format("calibrate {} needs --{}; see gpuplan calibrate --help", subcommand, name)};
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

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    throw InputError({path, std::strerror(errno), "a file that can be written", ""});
  }
}

// Options of another subcommand are mistakes, not noise.
void refuse(const po::variables_map& options, const char* subcommand,
            std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (options.count(name) > 0) {
      throw UsageError{
          fmt::format("calibrate {} takes no --{}; see gpuplan calibrate --help", subcommand, name)};
    }
  }
}

int fit_command(const po::variables_map& options) {
  refuse(options, "fit", {"json", "engine"});
  const std::string name = required(options, "fit", "gpu"), data = required(options, "fit", "data"),
                    out = required(options, "fit", "out");
  const std::string data_dir = data_root();
  const Catalogue catalogue = Catalogue::load(data_dir);
  const Gpu& gpu = gpu_named(catalogue, name);
  const std::vector<calibrate::KernelTable> tables = tables_in(data);
  kernels::KernelProfile initial = initial_profile(gpu, data_dir);

  calibrate::FitOptions fit;
  fit.source = options.count("source") > 0 ? options["source"].as<std::string>() : "";
  if (fit.source.empty()) {
    fit.source = initial.source;
  }
  if (options.count("quiet") == 0) {
    fit.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  }
  const kernels::KernelProfile profile = calibrate::fit(gpu, tables, std::move(initial), fit);
  write_file(out, json::dump(json::write(profile), 1) + "\n");
  return kDone;
}

// What the shipped profile says beyond the fit: where its memory and its assumed fields come from.
std::string kept_source(const std::string& source) {
  const std::size_t at = source.find("Memory:");
  return at == std::string::npos ? "" : " " + source.substr(at);
}

int engine_command(const po::variables_map& options) {
  refuse(options, "engine", {"json", "gpu"});
  const std::string name = required(options, "engine", "engine"), data = required(options, "engine", "data"),
                    out = required(options, "engine", "out");
  const sim::Library library = sim::Library::load(data_root());
  const std::vector<std::string> names = sim::engine_profile_names(library.data_dir);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw InputError({"--engine", "\"" + name + "\"", "an engine profile", did_you_mean(name, names)});
  }
  calibrate::EngineFitOptions fit;
  if (options.count("quiet") == 0) {
    fit.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  }
  sim::EngineProfile initial = sim::load_engine_profile(library.data_dir, name);
  const std::string kept = kept_source(initial.source);
  calibrate::EngineFit fitted = calibrate::fit_engine(data, std::move(initial), library, fit);
  const auto error_text = [](const calibrate::EngineFitError& e) {
    return fmt::format("{} rows median {:.1f} %, p90 {:.0f} %, bias {:+.1f} %", e.rows, 100.0 * e.median,
                       100.0 * e.p90, 100.0 * e.bias);
  };
  const std::string what = options.count("source") > 0 ? options["source"].as<std::string>()
                                                       : std::filesystem::path(data).filename().string();
  fitted.profile.source = fmt::format(
      "step overheads and widths of intervals: fitted to mean TPOT in {}, two thirds of the "
      "configurations: {}; held out: {}.{}",
      what, error_text(fitted.fitted), error_text(fitted.held_out), kept);
  write_file(out, json::dump(json::write(fitted.profile), 1) + "\n");
  if (options.count("quiet") == 0) {
    std::cerr << fmt::format("{}\nall rows simulated {} times\n", fitted.profile.source,
                             fitted.simulations_of_all);
  }
  return kDone;
}

int collectives_command(const po::variables_map& options) {
  refuse(options, "collectives", {"json", "gpu", "engine"});
  namespace fs = std::filesystem;
  const std::string data = required(options, "collectives", "data"),
                    out = required(options, "collectives", "out");
  const Catalogue catalogue = Catalogue::load(data_root());
  calibrate::CollectiveFitOptions fit;
  fit.source =
      options.count("source") > 0
          ? options["source"].as<std::string>()
          : "aiconfigurator 095f58a (Apache-2.0): nccl-tests and TensorRT-LLM all-reduce on one node";
  if (options.count("quiet") == 0) {
    fit.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  }
  std::vector<calibrate::MeasuredCollective> rows;
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto& folder : fs::directory_iterator(data + "/kernels", error)) {
    if (fs::exists(folder.path() / "collectives.csv.gz")) {
      folders.push_back(folder.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) {
    const auto table = calibrate::read_collective_table((folder / "collectives.csv.gz").string(),
                                                        gpu_named(catalogue, folder.filename().string()));
    rows.insert(rows.end(), table.rows.begin(), table.rows.end());
  }
  if (rows.empty()) {
    throw InputError({data, "no table", "kernels/GPU/collectives.csv.gz", ""});
  }
  collectives::Profiles profiles;
  for (const auto architecture :
       {collectives::Architecture::sm80, collectives::Architecture::sm90, collectives::Architecture::sm100}) {
    profiles.architectures.push_back(calibrate::fit_architecture(architecture, rows, fit));
    write_file(fmt::format("{}/{}.json", out, json::name_of(architecture)),
               json::dump(json::write(profiles.architectures.back()), 1) + "\n");
  }
  const std::string published = data + "/training/collectives_measured.json";
  if (fs::exists(published, error)) {
    fit.source =
        "published nccl-tests runs: awsome-distributed-training 7217859 (EFA), coreweave/nccl-tests "
        "cb86553 (InfiniBand), NVIDIA/nccl issues 1048, 1218, 1368, 1576";
    const auto table = calibrate::read_published_collectives(published, catalogue);
    profiles.networks = calibrate::fit_networks(profiles, table.rows, fit);
    write_file(out + "/networks.json", json::dump(json::write(profiles.networks), 1) + "\n");
  }
  return kDone;
}

std::string signed_percent(double fraction) { return fmt::format("{:+.1f} %", 100.0 * fraction); }

// Distance of the 10th and 90th percentile, over the value.
std::string spread_text(const calibrate::Measurement& m) {
  return m.spread ? percent((m.spread->p90 - m.spread->p10) / m.value) : "-";
}

// A table for each GPU and family, in the order in which they first come up.
std::string rows_text(const calibrate::Comparison& comparison) {
  std::vector<std::pair<std::string, Table>> tables;
  for (const calibrate::ComparedRow& row : comparison.rows) {
    const calibrate::Measurement& m = row.measurement;
    const calibrate::Prediction& p = row.prediction;
    const std::string title = m.gpu + "  " + calibrate::printable(m.family, 40);
    auto table =
        std::find_if(tables.begin(), tables.end(), [&](const auto& entry) { return entry.first == title; });
    if (table == tables.end()) {
      table =
          tables.insert(tables.end(), {title, Table({"shape", "measured", "p90-p10", "predicted", "error"})});
    }
    const std::string unit = calibrate::printable(m.unit, 10);
    table->second.row({calibrate::shape_text(m), si(m.value, unit), spread_text(m),
                       p.reason.empty() ? si(p.value, unit) : "-",
                       p.reason.empty() ? signed_percent(row.error) : "-"});
  }
  std::string out;
  for (const auto& [title, table] : tables) {
    out += styled(title, Style::heading) + "\n" + table.text() + "\n";
  }
  return out;
}

// What several sources measured, and how the later ones compare with the first.
std::string shared_text(const calibrate::Comparison& comparison) {
  if (comparison.shared.empty()) {
    return "";
  }
  std::string out;
  std::vector<std::pair<std::string, std::vector<double>>> ratios;  // by pair of sources
  std::vector<Table> tables;
  for (const calibrate::SharedMeasurement& s : comparison.shared) {
    const std::string pair = s.second + " over " + s.first;
    auto at =
        std::find_if(ratios.begin(), ratios.end(), [&](const auto& entry) { return entry.first == pair; });
    if (at == ratios.end()) {
      at = ratios.insert(ratios.end(), {pair, {}});
      tables.emplace_back(std::vector<std::string>{"measured by both", "first", "second", "ratio"});
    }
    at->second.push_back(s.ratio());
    const calibrate::Measurement& m = s.measurement;
    const std::string unit = calibrate::printable(m.unit, 10);
    tables[static_cast<std::size_t>(at - ratios.begin())].row(
        {calibrate::printable(m.family, 40) + " " + calibrate::shape_text(m), si(s.first_value, unit),
         si(s.second_value, unit), fmt::format("{:.3f}", s.ratio())});
  }
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    std::vector<double>& values = ratios[i].second;
    std::sort(values.begin(), values.end());
    out += styled(wrap(ratios[i].first, 80, 2), Style::heading) + "\n" + tables[i].text();
    out += fmt::format("{} shared, ratio p10 {:.3f}, median {:.3f}, p90 {:.3f}\n\n", values.size(),
                       calibrate::quantile(values, 0.1), calibrate::quantile(values, 0.5),
                       calibrate::quantile(values, 0.9));
  }
  return out;
}

int import_command(const po::variables_map& options, const std::vector<std::string>& paths) {
  refuse(options, "import", {"data", "source", "quiet", "engine"});
  if (paths.empty()) {
    throw UsageError{"calibrate import takes files: output of calibrate/bench, nccl-tests or nvbandwidth"};
  }
  std::vector<calibrate::ImportedFile> files;
  files.reserve(paths.size());
  for (const std::string& path : paths) {
    files.push_back(calibrate::read_measurements(json::read_file(path), path));
  }
  const std::string data_dir = data_root();
  const Catalogue catalogue = Catalogue::load(data_dir);
  const calibrate::Comparison comparison = calibrate::compare(
      std::move(files), {.catalogue = &catalogue,
                         .data_dir = data_dir,
                         .gpu = options.count("gpu") > 0 ? options["gpu"].as<std::string>() : ""});
  if (options.count("out") > 0) {
    write_file(options["out"].as<std::string>(), calibrate::measurement_lines(comparison));
  }
  if (options.count("json") > 0) {
    print(json::dump(calibrate::to_json(comparison), 2) + "\n");
    return kDone;
  }
  std::string out = rows_text(comparison) + shared_text(comparison);
  out += wrap("errors are of time (of a rate its reciprocal): + is predicted slower than measured", 80, 0) +
         "\n";
  out += calibrate::to_text(comparison.summary, "");
  for (const std::string& note : comparison.notes) {
    out += wrap("note  " + note, 80, 6) + "\n";
  }
  print(out);
  return kDone;
}

}  // namespace

std::vector<std::string> calibrate_options() { return long_options(described()); }

int calibrate_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("calibrate"), described(), "what", options)) {
    return kDone;
  }
  const auto words = texts_of(options, "what");
  if (words.size() == 1 && words[0] == "fit") {
    return fit_command(options);
  }
  if (words.size() == 1 && words[0] == "engine") {
    return engine_command(options);
  }
  if (words.size() == 1 && words[0] == "collectives") {
    return collectives_command(options);
  }
  if (!words.empty() && words[0] == "import") {
    return import_command(options, {words.begin() + 1, words.end()});
  }
  throw UsageError{"calibrate: say what: fit, engine, collectives, or import FILE..."};
}

}  // namespace gpuplan::cli

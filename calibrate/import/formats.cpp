#include "calibrate/import/formats.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "calibrate/import/readers.h"

namespace gpuplan::calibrate {

namespace {

// The first that recognises a text reads it.
constexpr std::array kFormats = {
    MeasurementFormat{"gpuplan-bench", "the JSON that calibrate/bench writes", is_bench_suite,
                      read_bench_suite},
    MeasurementFormat{"nvbandwidth-json", "JSON of nvbandwidth", is_nvbandwidth_json, read_nvbandwidth_json},
    MeasurementFormat{"measurements", "JSON lines as import --out writes them", is_measurement_lines,
                      read_measurement_lines},
    MeasurementFormat{"nccl-tests", "text that nccl-tests print", is_nccl_tests, read_nccl_tests},
    MeasurementFormat{"nvbandwidth", "text that nvbandwidth prints", is_nvbandwidth_text,
                      read_nvbandwidth_text},
};

// Text holds values that no double holds once they are in SI units: 1e-320 us, 1e308 GB/s.
void require_representable(const ImportedFile& file) {
  for (const Measurement& m : file.rows) {
    if (!(m.value > 0.0) || !std::isfinite(m.value)) {
      throw InputError({m.where, fmt::format("{} {}", m.value, m.unit), "a finite value above zero", ""});
    }
  }
}

}  // namespace

std::span<const MeasurementFormat> measurement_formats() { return kFormats; }

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

ImportedFile read_measurements(std::string_view text, const std::string& path) {
  for (const MeasurementFormat& format : kFormats) {
    if (!format.recognises(text)) {
      continue;
    }
    ImportedFile file;
    file.path = path;
    file.format = format.name;
    format.read(text, file);
    require_representable(file);
    if (file.rows.empty() && file.skipped.empty()) {
      throw InputError(
          {path, "no measurement in " + std::string(format.content), "at least one measured row", ""});
    }
    return file;
  }
  std::string expected;
  for (const MeasurementFormat& format : kFormats) {
    expected += (expected.empty() ? "" : "; ") + std::string(format.content);
  }
  throw InputError({path, text.empty() ? "an empty file" : "no known format", "one of: " + expected, ""});
}

}  // namespace gpuplan::calibrate

// The formats that measurements are read from, told apart by content. A new format is one file with a reader
// and a line in formats.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/import/measurement.h"

namespace gpuplan::calibrate {

// What a file holds.
struct ImportedFile {
  std::string path;
  std::string format;  // name of the format
  std::vector<Measurement> rows;
  std::map<std::string, std::int64_t> skipped;  // figures of the file that are no measurement, by reason
  std::vector<std::string> notes;               // what a reader of the comparison should know

  void skip(const std::string& reason, std::int64_t count = 1) { skipped[reason] += count; }
};

struct MeasurementFormat {
  std::string_view name;
  std::string_view content;  // what it is, for messages
  bool (*recognises)(std::string_view text);
  // Fills rows, skipped and notes. `file.path` is for messages. Throws InputError.
  void (*read)(std::string_view text, ImportedFile& file);
};
std::span<const MeasurementFormat> measurement_formats();

// The measurements in `text`, which is the content of `path`. Throws InputError: no known format, damaged
// content (file and line or JSON path, found, expected), no measurement at all.
ImportedFile read_measurements(std::string_view text, const std::string& path);

// Name of a file without its folder.
std::string file_name(const std::string& path);

}  // namespace gpuplan::calibrate

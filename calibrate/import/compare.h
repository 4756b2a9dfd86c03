// Measurements beside predictions, and beside each other where several sources measured the same thing.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "calibrate/import/formats.h"
#include "calibrate/import/predict.h"
#include "calibrate/validate/error_summary.h"
#include "hwmodels/catalogue/catalogue.h"

namespace gpuplan::calibrate {

struct CompareOptions {
  const Catalogue* catalogue = nullptr;  // required
  std::string data_dir;                  // root of the product's data, for the kernel profiles
  std::string gpu;                       // name or alias of the GPU measured; empty: as the files say
};

struct ComparedRow {
  Measurement measurement;  // with the GPU's catalogue name
  Prediction prediction;
  std::string label;  // its source: the file, and what measured it where a file holds several
  // Of the time it takes, as a fraction: predicted over measured, less 1. Of rates the reciprocals count, so
  // that positive always means predicted slower than measured. 0 where nothing is predicted.
  double error = 0.0;
};

// The same thing measured by two sources; medians where one has it several times.
struct SharedMeasurement {
  Measurement measurement;  // of the first source
  std::string first, second;
  double first_value = 0.0, second_value = 0.0;
  [[nodiscard]] double ratio() const { return second_value / first_value; }
};

struct Comparison {
  std::vector<ComparedRow> rows;  // in the order of the files
  ErrorSummary summary;  // by family, and by gpu where there are several; skipped: all that has no row or no
                         // prediction
  std::vector<SharedMeasurement> shared;
  std::vector<std::string> notes;
};

// Compares `files`. Throws InputError: a GPU that is not in the catalogue (or not named, without
// options.gpu), a shape that lacks a field.
Comparison compare(std::vector<ImportedFile> files, const CompareOptions& options);

// {"rows": [...], "summary": {...}, "shared": [...], "notes": [...]}
json::Value to_json(const Comparison& comparison);

// The rows as lines of JSON, as read_measurements() reads them.
std::string measurement_lines(const Comparison& comparison);

}  // namespace gpuplan::calibrate

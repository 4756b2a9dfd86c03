// The readers of formats.cpp, each in the file of its name.
#pragma once

#include "calibrate/import/formats.h"

namespace gpuplan::calibrate {

// bench_suite.cpp: {"schema": 1, "suite": "gpuplan-bench", "device": {...}, "records": [...]}.
bool is_bench_suite(std::string_view text);
void read_bench_suite(std::string_view text, ImportedFile& file);

// measurement_lines.cpp: one Measurement a line; empty lines and lines that start with # are skipped.
bool is_measurement_lines(std::string_view text);
void read_measurement_lines(std::string_view text, ImportedFile& file);

// nccl_tests.cpp: any test, several runs in one file, in the column layouts of all versions, with other
// output between the lines. In-place and out-of-place times are a row each.
bool is_nccl_tests(std::string_view text);
void read_nccl_tests(std::string_view text, ImportedFile& file);

// nvbandwidth_text.cpp and nvbandwidth_json.cpp: matrices of bandwidth and latency, one row an entry.
bool is_nvbandwidth_text(std::string_view text);
void read_nvbandwidth_text(std::string_view text, ImportedFile& file);
bool is_nvbandwidth_json(std::string_view text);
void read_nvbandwidth_json(std::string_view text, ImportedFile& file);

}  // namespace gpuplan::calibrate

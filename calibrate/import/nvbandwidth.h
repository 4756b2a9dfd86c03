// What the two outputs of nvbandwidth share: what a test measures.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibrate/import/formats.h"

namespace gpuplan::calibrate {

// The result of one test: an entry for each pair of a row and a column; nothing where it says N/A. Columns
// are GPUs; rows are GPUs too in tests between GPUs, and there is one of them in the others.
struct BandwidthMatrix {
  std::string test;         // "host_to_device_memcpy_ce"
  std::string description;  // "memcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)": names the unit
  std::vector<std::vector<std::optional<double>>> values;
};

// Adds the matrix's entries to `file`, with ids "<id>[row,column]". `gpus`: names by number, may be short or
// empty. Throws InputError at `where` for a unit it does not know.
void add_matrix(const BandwidthMatrix& matrix, const std::string& id, const std::string& where,
                const std::string& source, const std::vector<std::string>& gpus, ImportedFile& file);

}  // namespace gpuplan::calibrate

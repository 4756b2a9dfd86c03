// Measured collectives: tables of one node (library, collective, gpus, bytes, latency_us) and published runs
// over one or several nodes (collectives_measured.json), as groups of ranks and operations of ours.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/validate/error_summary.h"
#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/collectives/collective_model.h"

namespace gpuplan::calibrate {

struct MeasuredCollective {
  collectives::Communicator group;
  collectives::CollectiveOperation operation;
  collectives::CollectiveOptions options;
  std::string gpu;    // as the table names it, or the folder it lies in
  std::string setup;  // library, "nccl-2.27.3", "trtllm-custom"; for published runs what joins the ranks
  double seconds = 0.0;
  std::string id;  // "collectives.csv.gz:17"
};

struct CollectiveTable {
  std::vector<MeasuredCollective> rows;
  std::map<std::string, std::int64_t> skipped;  // by reason
};

// One node whose GPUs share an NVSwitch. Throws InputError (damaged file, unknown columns, bad numbers).
CollectiveTable read_collective_table(const std::string& path, const Gpu& gpu);

// Whether `path` is a list of published runs; false too where it cannot be read.
bool is_published_collectives(const std::string& path);

// Published runs; their GPUs by the catalogue's names and aliases. Throws InputError.
CollectiveTable read_published_collectives(const std::string& path, const Catalogue& catalogue);

// Keys: gpu, op, dtype (the library) and gpus, or for published runs dtype = what joins the ranks.
ValidationRows validate_collectives(const CollectiveTable& table, const collectives::CollectiveModel& model);

}  // namespace gpuplan::calibrate

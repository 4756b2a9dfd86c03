// Measured kernels of mixed origin, one JSON object a line (plain or gzipped): {"gpu", "kernel", "shape",
// "precision", "library", "metric", "value", "unit", "source", "note"}. Unlike the tables that profiles are
// fitted to, these come from many GPUs and other libraries, so they show how far borrowed constants carry.
//
// Expressed: dense and 2:4 sparse GEMM of device-timed libraries, standard attention, all-reduce of NCCL on
// one NVSwitch node, STREAM scale, triad and read, reading by footprint, launches. Narrow formats of GEMM
// arrive quantised (no library here includes that pass). Everything else is counted by reason.
#pragma once

#include <string>

#include "calibrate/validate/error_summary.h"
#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/kernels/standing.h"

namespace gpuplan::calibrate {

// Whether the first line of `path` is such a record; false too where the file cannot be read.
bool is_kernel_records(const std::string& path);

struct KernelRecordOptions {
  std::string gpu;                       // only records of this one, by name or alias; empty: all
  const Catalogue* catalogue = nullptr;  // required
  std::string data_dir;                  // root of the product's data, for the kernel profiles
  // Measurements of the row's own GPU, or of its architecture, that the model does without.
  kernels::LeaveOut leave_out = kernels::LeaveOut::nothing;
};

// Prices every record. Keys: gpu, op, dtype, library. Throws InputError (damaged lines, unknown `gpu`).
ValidationRows validate_kernel_records(const std::string& path, const KernelRecordOptions& options);

}  // namespace gpuplan::calibrate

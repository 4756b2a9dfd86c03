// Measured tables of kernels: what is in them, and how far our prices are from them.
//
// A table is CSV or CSV.gz with `latency_us` and the columns of one operation; which one is told by the
// header:
//   gemm               dtype, m, n, k
//   attention_prefill  dtype, kv_dtype, batch, seq, heads, kv_heads, head_dim, window
//   attention_decode   dtype, kv_dtype, batch, context, heads, kv_heads, head_dim, window
//   moe                dtype, tokens, hidden, inter, topk, experts, tp, ep, distribution
//   collectives        library, collective, gpus, bytes
// Rows that no operation of ours expresses are counted by reason.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "calibrate/validate/error_summary.h"
#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::calibrate {

enum class KernelOperation { gemm, attention_prefill, attention_decode, moe, collectives };
std::span<const std::string_view> enum_names(KernelOperation tag);

// One measured row as an operation of ours. All-reduce rows are of one node whose GPUs share an NVSwitch.
struct MeasuredKernel {
  std::variant<kernels::Gemm, kernels::AttentionPrefill, kernels::AttentionDecode, kernels::GroupedExperts,
               kernels::AllReduce>
      operation;
  std::string dtype;   // as the table names it; for collectives the library
  double seconds = 0;  // measured
  std::int64_t line = 0;
};

struct KernelTable {
  KernelOperation operation = KernelOperation::gemm;
  std::vector<MeasuredKernel> rows;
  std::map<std::string, std::int64_t> skipped;  // by reason
};

// Reads the table at `path`. Throws InputError (damaged file, unknown columns, bad numbers).
KernelTable read_kernel_table(const std::string& path);

// Whether validate_kernel_table() reads `path`: a table with one of the headers above, or kernel records
// (kernel_records.h). False too where the file cannot be read.
bool is_kernel_table(const std::string& path);

// Name of the GPU in a path such as "data/kernels/h100-sxm/gemm.csv.gz": its folder.
std::string gpu_in_path(const std::string& path);

// Price of a measured row's operation.
kernels::Price price(const kernels::KernelModel& model, const MeasuredKernel& row);

struct KernelTableOptions {
  std::string gpu;                              // name or alias; empty: the folder that the table lies in
  const Catalogue* catalogue = nullptr;         // required, unless `model` is given
  std::string data_dir;                         // root of the product's data, for the kernel profile
  const kernels::KernelModel* model = nullptr;  // prices with this one; `gpu` then only names the group
  // Measurements of the row's own GPU, or of its architecture, that the model does without.
  kernels::LeaveOut leave_out = kernels::LeaveOut::nothing;
};

// Prices every row of the table, or of the kernel records that the file holds. Keys: gpu, op, dtype (and gpus
// for collectives); shape: the columns of the operation. Collectives, published runs over nodes among them,
// are priced as collective_tables.h has it; with a model given, or measurements left out, only all-reduce is,
// by the kernel model. Throws InputError, also for a GPU that the catalogue does not know.
ValidationRows validate_kernel_table(const std::string& path, const KernelTableOptions& options);

// The 80 % interval that a price states: time / (1 + spread80) .. time (1 + spread80).
std::pair<double, double> interval80(const kernels::Price& price);

}  // namespace gpuplan::calibrate

// How far predictions are from measurements: per group and over all, in the shape of the validation contract.
//
// Errors are relative to the measurement, as fractions: signed e = predicted / measured - 1. `bias` is the
// median of e, the other figures are of |e|. Quantiles interpolate linearly between order statistics.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hwmodels/json/value.h"

namespace gpuplan::calibrate {

// One measured figure, and what the model says about it.
struct ValidationRow {
  std::string id;                          // "gemm.csv.gz:17"; unique within a validation
  std::map<std::string, std::string> key;  // what groups are made of: {"gpu": ..., "dtype": ...}
  double measured = 0.0;                   // SI
  double predicted = 0.0;                  // SI
  double low80 = 0.0, high80 = 0.0;        // the 80 % interval that the prediction states
  // What else the row says, for choosing rows and not for grouping: {"m", 512}. Names live as long as the
  // program.
  std::vector<std::pair<std::string_view, double>> shape = {};
  // What the prediction is made of, in its unit: {"gemm", 0.8}; for finding where an error comes from.
  std::vector<std::pair<std::string_view, double>> parts = {};
};

// Rows that could be priced, and how many could not, by reason.
struct ValidationRows {
  std::vector<ValidationRow> rows;
  std::map<std::string, std::int64_t> skipped;

  void skip(const std::string& reason, std::int64_t count = 1) { skipped[reason] += count; }
  void append(ValidationRows other);
};

struct ErrorStatistics {
  std::int64_t count = 0;
  double median = 0.0, mean = 0.0, p90 = 0.0, max = 0.0;  // of |e|
  double bias = 0.0;                                      // median of e
  double coverage80 = 0.0;                                // share of rows measured inside [low80, high80]
};

struct ErrorGroup {
  std::map<std::string, std::string> key;
  ErrorStatistics errors;
};

struct WorstRow {
  ValidationRow row;
  double error = 0.0;  // signed
};

struct ErrorSummary {
  ErrorStatistics overall;
  std::vector<ErrorGroup> groups;  // sorted by key
  std::map<std::string, std::int64_t> skipped;
  std::vector<WorstRow> worst;  // largest |e| first; ties by id
};

struct SummaryOptions {
  // Key fields that make a group; empty: all of them. A row without a field groups under "" for it.
  std::vector<std::string> group_by;
  std::size_t worst = 10;
};

// Errors of one set of rows. Rows whose measurement is not above zero, or whose prediction is not finite,
// must have been skipped before (asserted).
ErrorStatistics error_statistics(std::span<const ValidationRow* const> rows);

// The summary; rows that have no relative error (measured <= 0, or a prediction that is not finite) are
// counted under `skipped`.
ErrorSummary summarise(const ValidationRows& rows, const SummaryOptions& options = {});

// Value at share `q` of the sorted values, linear between neighbours; 0 for none.
double quantile(std::span<const double> sorted, double q);

// {"overall", "groups", "skipped", "worst"}; errors as fractions.
json::Value to_json(const ErrorSummary& summary);

// The same as a table of at most 80 columns; errors in per cent. `unit` names what measured and predicted are
// in ("s"); may be empty.
std::string to_text(const ErrorSummary& summary, const std::string& unit = "s");

}  // namespace gpuplan::calibrate

// Pairs of measured runs that differ by one knob: how often the faster of the two is named right.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "calibrate/validate/error_summary.h"

namespace gpuplan::calibrate {

struct MeasuredPair {
  std::string a, b;    // ids of rows
  std::string knob;    // what differs; may be empty
  std::string metric;  // which of their figures; empty: the first that both have
  double ratio = 0.0;  // measured b / a
};

// Reads [{"a", "b", "ratio", "knob", "metric"}, ...]; knob and metric may be missing. Throws InputError.
std::vector<MeasuredPair> read_pairs(const std::string& path);

struct PairStatistics {
  std::int64_t count = 0, right = 0;
  [[nodiscard]] double right_fraction() const {
    return count > 0 ? static_cast<double>(right) / static_cast<double>(count) : 0.0;
  }
};

struct PairSummary {
  PairStatistics overall;
  std::map<std::string, PairStatistics> by_knob;
  std::map<std::string, std::int64_t> skipped;  // by reason
};

// Pairs less than `margin` apart are not counted: no measurement tells which is faster. A row's id may carry
// a suffix "#...".
PairSummary compare_pairs(const std::vector<MeasuredPair>& pairs, const ValidationRows& rows,
                          double margin = 0.03);

// {"count", "right_fraction", "by_knob": {knob: {"count", "right_fraction"}}, "skipped": {reason: count}}
json::Value to_json(const PairSummary& summary);
std::string to_text(const PairSummary& summary);

}  // namespace gpuplan::calibrate

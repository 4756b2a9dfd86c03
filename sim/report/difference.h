// How far two predictions differ beyond what their errors may explain.
//
// Each prediction carries an 80 % interval, value x exp(+-h). The errors of two predictions by the same
// models are alike in part, so that their ratio is known better than either:
//
//   h_ratio^2 = h_a^2 + h_b^2 - 2 rho h_a h_b
//
// rho is measured, by kind of scenario, on pairs of measured runs: the value at which 80 % of the measured
// ratios lie inside (see `error_correlation`).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sim/report/result.h"

namespace gpuplan::sim {

// Correlation of the errors of two predictions. `alike`: of the same model.
//   training   0.6: 633 pairs of measured steps one knob apart (80 % of the ratios inside; 87 % at 0); not
//              alike 0.1: 29,000 pairs of different machines and frameworks
//   serving    0.75: pairs of runs one field apart: TPOT 1,461 in load (88 %), 426 in tensor parallelism
//              (86 %), 1,868 in lengths (82 %), 81 in precision, 155 in GPU (95 %); TTFT 871 in load (82 %);
//              not alike 0.5: 5,000 random pairs (TPOT 82 %, TTFT 79 %, tokens/s 79 %)
//   others     0.5, and 0 where not alike: assumed
double error_correlation(const std::string& kind, bool alike);

enum class Verdict { better, worse, more, less, within_error, equal };
std::string_view name_of(Verdict verdict);

// Whether errors of two resolved scenarios are alike: of the same model, or where there is none on the same
// GPU.
bool errors_alike(const json::Value& a, const json::Value& b);

// What differs between two results in one metric.
struct Difference {
  std::string metric;
  double a = 0.0, b = 0.0;
  std::optional<std::array<double, 2>> interval_a, interval_b;
  std::optional<double> ratio;                   // b / a; none where a is 0
  std::optional<std::array<double, 2>> ratio80;  // none: exact, or no error is known
  // Of b against a. Equal: to 0.1 %; more and less: of what is neither good nor bad.
  Verdict verdict = Verdict::equal;
};

// Every number that both results have, in the order of `a`.
std::vector<Difference> differences(const Result& a, const Result& b, double correlation);

// Half width of a metric's interval as |ln ratio|; nothing where it has none.
std::optional<double> half_width(const Metric& metric);

// Fields of two resolved scenarios that differ: path, value in a, value in b ("-" where there is none).
struct FieldChange {
  std::string path, a, b;
};
std::vector<FieldChange> changed_fields(const json::Value& a, const json::Value& b);

}  // namespace gpuplan::sim

// The naive baselines that a training estimate has to beat: FLOPs over a constant efficiency.
#include <fmt/format.h>

#include <algorithm>

#include "calibrate/validate/training_rows.h"

namespace gpuplan::calibrate {

namespace {

constexpr double kSc21Efficiency = 0.479;  // TRAINING_FACTS: fitted on SC21's ten rows, of hardware FLOPs

double shape_of(const ValidationRow& row, std::string_view name) {
  for (const auto& [field, value] : row.shape) {
    if (field == name) {
      return value;
    }
  }
  return 0.0;
}

// Errors of ideal x bubble / efficiency; efficiency 0: the median of what the rows themselves show.
ErrorStatistics naive(const std::vector<const ValidationRow*>& rows, bool bubble, double efficiency) {
  std::vector<double> shown;
  std::vector<ValidationRow> predicted;
  for (const ValidationRow* row : rows) {
    ValidationRow one = *row;
    one.predicted = shape_of(*row, "ideal") * (bubble ? shape_of(*row, "bubble") : 1.0);
    shown.push_back(one.predicted / one.measured);
    predicted.push_back(std::move(one));
  }
  std::sort(shown.begin(), shown.end());
  const double used = efficiency > 0.0 ? efficiency : quantile(shown, 0.5);
  std::vector<const ValidationRow*> pointers;
  for (ValidationRow& row : predicted) {
    row.predicted /= used;
    row.low80 = row.high80 = row.predicted;
    pointers.push_back(&row);
  }
  return error_statistics(pointers);
}

}  // namespace

std::vector<Baseline> training_baselines(const ValidationRows& rows) {
  std::map<std::string, std::vector<const ValidationRow*>> families;
  for (const ValidationRow& row : rows.rows) {
    if (shape_of(row, "ideal") > 0.0) {
      families[row.key.at("family")].push_back(&row);
    }
  }
  std::vector<Baseline> out;
  out.reserve(families.size());
  for (const auto& [family, members] : families) {
    out.push_back({family, error_statistics(members), naive(members, false, 0.0), naive(members, true, 0.0),
                   naive(members, true, kSc21Efficiency)});
  }
  return out;
}

json::Value to_json(const std::vector<Baseline>& baselines) {
  json::Value out{json::Array{}};
  for (const Baseline& b : baselines) {
    json::Value one;
    one["family"] = b.family;
    one["count"] = b.ours.count;
    one["median"] = b.ours.median;
    one["fitted_median"] = b.fitted.median;
    one["fitted_bubble_median"] = b.fitted_bubble.median;
    one["transfer_median"] = b.transfer.median;
    one["mean"] = b.ours.mean;
    one["fitted_mean"] = b.fitted.mean;
    one["fitted_bubble_mean"] = b.fitted_bubble.mean;
    one["transfer_mean"] = b.transfer.mean;
    out.push_back(std::move(one));
  }
  return out;
}

std::string to_text(const std::vector<Baseline>& baselines) {
  std::string out =
      "\nstep time, mean absolute error in % (median): ours;\n"
      "A: FLOPs / efficiency fitted to the family; B: times the pipeline bubble;\n"
      "C: B with SC21's efficiency of 0.479\n";
  out += fmt::format("{:<26}{:>5}{:>13}{:>12}{:>12}{:>12}\n", "family", "rows", "ours", "A", "B", "C");
  const auto cell = [](const ErrorStatistics& e) {
    return fmt::format("{:.1f} ({:.1f})", 100.0 * e.mean, 100.0 * e.median);
  };
  for (const Baseline& b : baselines) {
    out += fmt::format("{:<26.26}{:>5}{:>13}{:>12}{:>12}{:>12}\n", b.family, b.ours.count, cell(b.ours),
                       cell(b.fitted), cell(b.fitted_bubble), cell(b.transfer));
  }
  return out;
}

}  // namespace gpuplan::calibrate

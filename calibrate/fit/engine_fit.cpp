#include "calibrate/fit/engine_fit.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "calibrate/validate/error_summary.h"
#include "calibrate/validate/serving_rows.h"

namespace gpuplan::calibrate {

namespace {

constexpr const char* kTpot = "serving.tpot.mean";

// CPU time of a step, and of each sequence in it.
struct Overhead {
  double step = 0.0, sequence = 0.0;  // s
};
// What a search starts from, its first moves and when they are small enough.
constexpr Overhead kStart{.step = 0.5e-3, .sequence = 10e-6};
constexpr Overhead kMove{.step = 0.5e-3, .sequence = 10e-6};
constexpr double kSmallestMove = 0.1;  // of the first

// An error beyond this (a factor of two) counts no more than this: what makes it is no CPU time.
constexpr double kMost = 0.7;

double log_ratio(const ValidationRow& row) { return std::log(row.predicted / row.measured); }

// Configurations by a hash of their id, which a row's id begins with.
bool held_out(const ValidationRow& row) {
  const std::string id = row.id.substr(0, row.id.find('#'));
  return crc32(0, reinterpret_cast<const Bytef*>(id.data()), static_cast<uInt>(id.size())) % 3 == 0;
}

// Rows of one engine, simulated with other overheads as often as asked.
class Rows {
 public:
  Rows(const std::string& table, const std::string& engine, const sim::Library& library,
       const EngineFitOptions& options)
      : table_(table), engine_(engine), library_(&library), options_(&options) {}

  // Those of GPUs that a kernel profile was fitted for, in the order of the table.
  std::vector<ValidationRow> simulated(const Overhead& overhead) {
    ++count_;
    ServingTableOptions serving{
        .jobs = options_->jobs,
        .where = {{"framework", engine_}, {"trust", "ok"}},
        .engine = {{"step_overhead", overhead.step}, {"step_overhead_per_sequence", overhead.sequence}}};
    std::vector<ValidationRow> rows = validate_serving_table(table_, *library_, serving).rows;
    std::erase_if(rows, [&](const ValidationRow& row) {
      const Gpu* gpu = library_->hardware.gpu(row.key.at("gpu"));
      return gpu == nullptr || gpu->kernel_profile.empty();
    });
    return rows;
  }

  double loss(const Overhead& overhead) {
    const auto [known, added] = known_.try_emplace({overhead.step, overhead.sequence}, 0.0);
    if (!added) {
      return known->second;
    }
    double sum = 0.0;
    for (const ValidationRow& row : simulated(overhead)) {
      if (row.key.at("metric") == kTpot && !held_out(row)) {
        sum += std::min(kMost, std::abs(log_ratio(row)));
      }
    }
    if (options_->progress) {
      options_->progress(fmt::format("step {:.3f} ms, sequence {:.2f} us: loss {:.3f}", 1e3 * overhead.step,
                                     1e6 * overhead.sequence, sum));
    }
    return known->second = sum;
  }

  [[nodiscard]] int count() const { return count_; }

 private:
  std::string table_, engine_;
  const sim::Library* library_;
  const EngineFitOptions* options_;
  int count_ = 0;
  std::map<std::pair<double, double>, double> known_;  // losses
};

// Moves in one direction at a time, half as far when none is better.
Overhead search(Rows& rows) {
  Overhead best = kStart;
  double least = rows.loss(best);
  for (double scale = 1.0; scale >= kSmallestMove; scale *= 0.5) {
    for (bool better = true; better;) {
      better = false;
      for (const auto& [step, sequence] :
           {std::pair{1.0, 0.0}, std::pair{-1.0, 0.0}, std::pair{0.0, 1.0}, std::pair{0.0, -1.0}}) {
        const Overhead moved{.step = best.step + scale * step * kMove.step,
                             .sequence = best.sequence + scale * sequence * kMove.sequence};
        if (moved.step < -1e-12 || moved.sequence < -1e-12) {
          continue;
        }
        const Overhead clean{.step = std::max(0.0, moved.step), .sequence = std::max(0.0, moved.sequence)};
        const double reached = rows.loss(clean);
        if (reached < least) {
          least = reached;
          best = clean;
          better = true;
        }
      }
    }
  }
  return best;
}

EngineFitError error_of(const std::vector<ValidationRow>& rows, bool held) {
  std::vector<const ValidationRow*> of;
  for (const ValidationRow& row : rows) {
    if (row.key.at("metric") == kTpot && held_out(row) == held) {
      of.push_back(&row);
    }
  }
  const ErrorStatistics e = error_statistics(of);
  return {e.count, e.median, e.p90, e.bias};
}

// The half width that holds 80 % of the fitting rows of these metrics; `otherwise` where there are few.
double half_width(const std::vector<ValidationRow>& rows, std::string_view begins, double otherwise) {
  constexpr std::size_t kFewest = 20;
  std::vector<double> off;
  for (const ValidationRow& row : rows) {
    if (row.key.at("metric").starts_with(begins) && !held_out(row)) {
      off.push_back(std::abs(log_ratio(row)));
    }
  }
  std::sort(off.begin(), off.end());
  return off.size() < kFewest ? otherwise : std::ceil(100.0 * quantile(off, 0.8)) / 100.0;
}

}  // namespace

EngineFit fit_engine(const std::string& table, sim::EngineProfile profile, const sim::Library& library,
                     const EngineFitOptions& options) {
  Rows rows(table, profile.name, library, options);
  const auto measured = rows.simulated(kStart);
  if (std::none_of(measured.begin(), measured.end(), [](const ValidationRow& row) {
        return row.key.at("metric") == kTpot && !held_out(row);
      })) {
    throw InputError({table, "no row of " + profile.name + " with a time per output token",
                      "rows marked trust=ok on a GPU with a kernel profile", ""});
  }
  const Overhead best = search(rows);
  const std::vector<ValidationRow> after = rows.simulated(best);
  profile.step_overhead = Seconds(std::round(best.step * 1e6) / 1e6);
  profile.step_overhead_per_sequence = Seconds(std::round(best.sequence * 1e8) / 1e8);
  sim::ServingUncertainty& widths = profile.uncertainty;
  widths = {.ttft = half_width(after, "serving.ttft", widths.ttft),
            .tpot = half_width(after, kTpot, widths.tpot),
            .throughput = half_width(after, "serving.output_tokens_per_s", widths.throughput)};
  return {std::move(profile), error_of(after, false), error_of(after, true), rows.count()};
}

}  // namespace gpuplan::calibrate

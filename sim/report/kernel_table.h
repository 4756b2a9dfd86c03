// What each kernel of a run used, as a profiler shows it: calls, time, share of the peak of matrix units, HBM
// and L2 (speed of light), occupancy, what limits. Filled from prices by whoever knows what ran; from
// prices, so the time between kernels is not in it.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/value.h"
#include "hwmodels/kernels/price.h"

namespace gpuplan::sim {

// What one kernel used over a run: sums over its calls on one representative GPU.
struct KernelUse {
  std::string name;
  double calls = 0.0;
  double seconds = 0.0;
  double flops = 0.0, hbm_bytes = 0.0, link_bytes = 0.0;
  double peak_flops_seconds = 0.0;  // flops / datasheet peak of the unit that computes: seconds at peak
  double l2_seconds = 0.0;          // Price::l2 summed
  double occupancy_seconds = 0.0;   // achieved occupancy x seconds, where known
  double occupancy_known = 0.0;     // seconds with a known occupancy
  std::array<double, kernels::kLimiters> limited{};  // seconds by limiter
  std::array<double, 4> provenance{};                // seconds by kernels::Provenance
  double error_seconds = 0.0;                        // relative_error x seconds

  // Sums; the name stays.
  KernelUse& operator+=(const KernelUse& other);

  // Shares of the datasheet's peak, over the time of the kernel.
  [[nodiscard]] double compute_share() const { return share(peak_flops_seconds); }
  [[nodiscard]] double hbm_share(BytesPerSecond hbm_bandwidth) const;
  // Of what the model takes L2 to give; nothing where the kernel's model has no L2 term.
  [[nodiscard]] std::optional<double> l2_share() const;
  [[nodiscard]] std::optional<double> occupancy() const;
  [[nodiscard]] kernels::Limiter limiter() const;        // of most of its time
  [[nodiscard]] kernels::Provenance known_from() const;  // likewise

 private:
  [[nodiscard]] double share(double part) const { return seconds > 0.0 ? part / seconds : 0.0; }
};

class KernelTable {
 public:
  // `calls` launches at `price` each; `peak_flops` (FLOP/s) of the unit that computes; `occupancy` achieved,
  // where known.
  void add(std::string_view name, const kernels::Price& price, double peak_flops,
           std::optional<double> occupancy, double calls);

  [[nodiscard]] std::vector<KernelUse> by_time() const;  // longest first, ties by name
  [[nodiscard]] double seconds() const;
  [[nodiscard]] KernelUse total() const;  // of all kernels, by the name "total"

 private:
  std::map<std::string, KernelUse, std::less<>> kernels_;
};

// [{"name", "calls", "seconds", "share", ...}], longest first: the array "kernels" of a run's JSON.
json::Value to_json(const KernelTable& table, BytesPerSecond hbm_bandwidth);

}  // namespace gpuplan::sim

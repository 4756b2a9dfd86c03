// What a change of a die is worth: its area and cost by the silicon models, what it does to each workload by
// running the simulator on the changed GPU, and what both make of the cost of a fleet.
//
//   performance  1 / sum over workloads of (share of hours / gain), a fleet that does the same work
//   removable    share of the base's time that is gone with a thousandfold of the change's effect (Amdahl),
//   by
//                running that too, neither side with a power cap
//   price        unit cost more x USD of price per USD of cost
//   TCO          (USD per GPU hour, owned, with the changed price and power) / (the same of the base) /
//   performance
//
// A gain's 80 % interval is that of measured pairs (difference.h) where the change makes other kernels run.
// Where the same kernels run on a GPU with more of something, errors cancel but for the effect itself, of
// which 0.7 (in logarithms) may be wrong: so it is for pairs measured on H100 and H200. Gains of one change
// err together.
//
// Power: what a change makes the GPU draw beyond its cap is taken back in clock, for the share of the time
// that computes. What new HBM stacks and links may draw raises the limit, but not the clock.
//
// Not felt by the kernel models: the size of L2 (an upper bound of what more of it can do is in the
// interval), of shared memory and of register files. Not modelled: design, masks and software of a variant; a
// lower price of the base when a better one exists; bins.
#pragma once

#include <functional>

#include "hwmodels/uncertainty/uncertain.h"
#include "sim/run/evaluate_all.h"
#include "sim/scenario/silicon_scenario.h"

namespace gpuplan::sim {

// One workload on a changed GPU.
struct SiliconGain {
  bool runs = true;
  std::string why_not;
  double metric = 0.0;      // on the changed GPU
  double gain = 1.0;        // > 1: better
  double half_width = 0.0;  // 80 % interval of the gain: x exp(+-this)
  double slowed = 1.0;      // by the power cap, in time; `gain` has it
  std::optional<double>
      bound;           // gain at a thousandfold of the change's effect; none: nothing on the die helps
  double watts = 0.0;  // of the GPU
};

struct SiliconBaseRun {
  std::string name;  // of the metric
  double metric = 0.0, watts = 0.0;
  double clock = 1.0;  // share of the highest that the power cap leaves
  std::string bottleneck;
};

// An assumption at its P10 and P90, and the TCO ratio there.
struct SiliconSwing {
  std::string input;
  double low = 0.0, high = 0.0;
  double at_low = 0.0, at_high = 0.0;
  [[nodiscard]] double width() const { return std::abs(at_high - at_low); }
};

struct SiliconOutcome {
  silicon::Comparison silicon;
  std::vector<SiliconGain> gains;  // by workload
  bool runs = true;                // all workloads
  double performance = 1.0;        // over the base's
  Spread performance80;
  bool scales = true;      // it changes something that work can feel
  double removable = 0.0;  // share of the base's time
  double bound = 1.0;      // performance at best
  double watts = 0.0;      // mean of the GPU in its work
  double perf_per_watt = 1.0;
  Spread price_usd;                         // that a buyer pays more
  Spread tco;                               // over the base's; p50 at the medians of all inputs
  double tco_price = 1.0, tco_power = 1.0;  // what price and power alone make of it
  std::vector<SiliconSwing> swings;         // of `tco`, widest first
  std::vector<std::string> over_budget;     // what it takes more than there is
  [[nodiscard]] bool within_budget() const { return over_budget.empty(); }
};

// An assumption that makes another change the best one.
struct SiliconFlip {
  std::string input;
  bool high = false;
  double value = 0.0;
  std::size_t winner = 0;
};

struct SiliconStudy {
  silicon::Assessment base;
  std::vector<SiliconBaseRun> runs;  // by workload
  double base_watts = 0.0;
  double fleet_usd_per_year = 0.0;      // of the base
  double usd_per_gpu_hour = 0.0;        // of the base, owned
  std::vector<SiliconOutcome> changes;  // in the order of the scenario
  std::vector<std::size_t> ranking;     // by TCO, or by area without workloads; what breaks the budget last
  std::optional<std::size_t> winner;    // within the budget, better than the base
  std::vector<SiliconFlip> flips;

  // What a report speaks of: the winner, else the cheapest that runs, within the budget or not. Changes only.
  [[nodiscard]] std::size_t foremost() const;
};

struct SiliconStudyOptions {
  int jobs = 1;
  std::function<void(double)> progress;
};

// Throws InputError where a workload is refused or does not fit on the base.
SiliconStudy study_silicon(const SiliconScenario& scenario, const Library& library,
                           const SiliconStudyOptions& options = {});

// What a change's catalogue fields would be with a thousandfold of its effect.
json::Value exaggerated(const json::Value& overrides, const Gpu& base);

}  // namespace gpuplan::sim

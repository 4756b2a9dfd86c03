// What a die is worth: area, yield, cost and power of a GPU's silicon, and of a changed GPU.
//
//   const SiliconModel model = SiliconModel::load(data_root());
//   const Design h100 = model.design_of("H100-SXM5-80GB");
//   const Comparison more = model.compare(h100, {.l2_mib = 10.0});
//   more.delta(Metric::die_cost_usd).p50;  // USD that 10 MiB of L2 cost a die
//
// Every result is a spread (P10, P50, P90) over draws of the inputs; a die and a changed die are drawn in
// pairs, so that a difference has a spread of its own. An unchanged die has the area that was published: what
// the model does not explain stands as a block of its own, and only differences are the model's (`anchored`).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/silicon/assessment.h"
#include "hwmodels/silicon/change.h"
#include "hwmodels/silicon/power.h"

namespace gpuplan::silicon {

class SiliconModel {
 public:
  // Reads hwmodels/silicon/data below the product's data root. Throws InputError.
  static SiliconModel load(const std::string& data_dir);

  [[nodiscard]] const std::vector<DieSpec>& dies() const { return dies_; }
  // The die and the product that a catalogue GPU is cut from. Throws InputError with the nearest names, at
  // `path`.
  [[nodiscard]] Design design_of(std::string_view gpu, const std::string& path = "$.gpu") const;
  [[nodiscard]] std::vector<std::string> gpu_names() const;

  // The changed design. Throws InputError for what cannot be: nothing left, no room at the die edge.
  [[nodiscard]] Design apply(const Design& base, const SiliconChange& change,
                             const std::string& path = "$.change") const;
  // Catalogue fields that make `gpu` the changed GPU (for with_overrides). Throws InputError as apply() does.
  [[nodiscard]] json::Value catalogue_overrides(const Gpu& gpu, const SiliconChange& change,
                                                const std::string& path = "$.change") const;

  [[nodiscard]] Assessment assess(const Design& design, const SiliconOptions& options = {}) const;
  [[nodiscard]] Comparison compare(const Design& base, const Design& changed,
                                   const SiliconOptions& options = {}) const;
  [[nodiscard]] Comparison compare(const Design& base, const SiliconChange& change,
                                   const SiliconOptions& options = {}) const;

  // Which inputs move a metric most, or the difference of a metric between two designs.
  [[nodiscard]] std::vector<TornadoBar> tornado(const Design& design, Metric metric,
                                                const SiliconOptions& options = {}) const;
  [[nodiscard]] std::vector<TornadoBar> tornado(const Design& base, const Design& changed, Metric metric,
                                                const SiliconOptions& options = {}) const;

  // How much of a change fits into `mm2` of the die: `mm2` over the area that `unit` (one of something) adds.
  [[nodiscard]] Spread amount_for_area(const Design& base, const SiliconChange& unit, double mm2,
                                       const SiliconOptions& options = {}) const;

  // Mean power of `activity` at a clock (0: the highest), and the clock at which `activity`, which is for the
  // highest clock, fits under `cap`.
  [[nodiscard]] PowerAssessment power(const Design& design, const Activity& activity, Hertz clock = Hertz(),
                                      const SiliconOptions& options = {}) const;
  [[nodiscard]] Spread clock_under_cap_mhz(const Design& design, const Activity& at_full_clock, Watts cap,
                                           const SiliconOptions& options = {}) const;

  // Inputs for a process, as the files have them.
  [[nodiscard]] Inputs<Uncertain> inputs(const std::string& process) const;

 private:
  struct NamedProcess {
    std::string name;
    Process<Uncertain> process;
  };
  [[nodiscard]] Inputs<double> middle(const std::string& process) const;
  [[nodiscard]] double anchored_area_mm2(const Design& design) const;

  std::vector<NamedProcess> processes_;
  std::vector<DieSpec> dies_;
  Blocks<Uncertain> blocks_;
  Prices<Uncertain> prices_;
  Energies<Uncertain> energies_;
};

}  // namespace gpuplan::silicon

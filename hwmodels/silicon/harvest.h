// Dies that sell although something on them is broken.
//
// A die is usable for a product if enough TPCs work (with all GPCs but `gpcs_lost`, the best ones), enough L2
// groups, enough HBM sites, and nothing else is hit. A defect kills the unit that it falls into; a share of
// those in SRAM is repaired by spare rows. Given the density of defects on the die the units fail
// independently, so the usable yield is the mean, over the yield model's distribution of densities (wafer.h),
// of a product of binomial tails: exact, and fast enough for sampling. simulate_harvest() throws the defects
// one by one instead, and is the check on it.
//
// Not modelled: speed and power bins, parts that several defects disable in software, an HBM site that takes
// its neighbouring L2 along (the two are counted as independent: slightly hopeful), dies sold as a lesser
// product.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hwmodels/silicon/area.h"
#include "hwmodels/silicon/die.h"
#include "hwmodels/silicon/wafer.h"

namespace gpuplan::silicon {

// Areas in which a defect kills (cm2), and how many units there are and must work.
struct HarvestAreas {
  double fatal_cm2 = 0.0;     // crossbar, links and uncore
  double tpc_cm2 = 0.0;       // one TPC
  double l2_group_cm2 = 0.0;  // one group
  double hbm_site_cm2 = 0.0;  // PHY and controller of one site
  double repaired_cm2 = 0.0;  // where a defect does no harm
  [[nodiscard]] double die_cm2(const struct HarvestCounts& counts) const;
};

struct HarvestCounts {
  int gpcs = 1, tpcs = 1, tpcs_needed = 1;
  int gpcs_lost = 0;
  int l2_groups = 1, l2_needed = 1;
  int hbm_sites = 0, hbm_needed = 0;
};
HarvestCounts harvest_counts(const DieSpec& die, const ProductSpec& product);
// Splits a die's areas; `sram_repair` is the share of SRAM defects that are repaired.
HarvestAreas harvest_areas(const DieSpec& die, const DieAreas& areas, double sram_repair);

// Probability that enough of a die's units work, as a function of areas and density. Build once for a
// product: the table over GPCs costs milliseconds.
class Harvest {
 public:
  Harvest(const HarvestCounts& counts, YieldModel model, double clustering);

  // Share of dies that sell.
  [[nodiscard]] double usable(const HarvestAreas& areas, double defects_per_cm2) const;
  // Probability that enough TPCs work where each has `defects` on average.
  [[nodiscard]] double enough_tpcs(double defects) const;

 private:
  HarvestCounts counts_;
  Mixture mixture_;
  std::vector<double> table_;  // enough_tpcs over the square root of defects; empty: no GPC may be lost
};

// P(at least `needed` of `count` units work), each with probability exp(-defects).
double enough_units(int count, int needed, double defects);

struct HarvestTally {
  double perfect = 0.0;  // share of dies that no defect hit
  double usable = 0.0;
};
// Throws defects at `dies` dies, the same ones for the same seed.
HarvestTally simulate_harvest(const HarvestCounts& counts, const HarvestAreas& areas, double defects_per_cm2,
                              YieldModel model, double clustering, int dies, std::uint64_t seed);

}  // namespace gpuplan::silicon

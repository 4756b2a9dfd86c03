// Dies of a wafer, yields by closed form, and dies that sell with something broken.
#include <cmath>

#include "hwmodels/silicon/cost.h"
#include "hwmodels/silicon/harvest.h"
#include "tests/hwmodels/silicon_testing.h"

using namespace gpuplan;
using namespace gpuplan::silicon;

namespace {

constexpr YieldModel kModels[] = {YieldModel::negative_binomial, YieldModel::murphy, YieldModel::poisson,
                                  YieldModel::seeds};

// A die of the data with its published area, split for harvesting.
HarvestAreas areas_of(const DieSpec& die, double repair) {
  DieAreas areas = die_areas(die, medians(die.process));
  const double scale = die.area_mm2 / areas.total();
  for (double& area : areas.mm2) {
    area *= scale;
  }
  return harvest_areas(die, areas, repair);
}

}  // namespace

TEST_CASE("wafer: dies of 814 mm2, by hand") {
  // pi 150^2 / 814 - pi 300 / sqrt(1628) = 86.84 - 23.36 = 63.48
  CHECK(dies_per_wafer({}, 814.0) == Approx(63.48).epsilon(1e-3));
  CHECK(dies_per_wafer({}, 826.0) == Approx(85.575 - 23.188).epsilon(1e-3));
  // 3 mm less on both sides: pi 147^2 / 814 - pi 294 / sqrt(1628) = 83.40 - 22.89
  WaferSpec excluded;
  excluded.edge_exclusion_mm = 3.0;
  CHECK(dies_per_wafer(excluded, 814.0) == Approx(83.40 - 22.89).epsilon(1e-3));
  CHECK(dies_per_wafer({}, 1e6) == 0.0);
}

TEST_CASE("wafer: more area is fewer dies and less yield") {
  double dies = 1e9;
  for (double area = 10.0; area < 1000.0; area += 10.0) {
    CHECK(dies_per_wafer({}, area) < dies);
    dies = dies_per_wafer({}, area);
  }
  for (const YieldModel model : kModels) {
    double yield = 1.0;
    for (double area = 0.5; area < 20.0; area += 0.5) {
      CHECK(closed_form_yield(model, 3.0, area, 0.1) < yield);
      yield = closed_form_yield(model, 3.0, area, 0.1);
    }
  }
}

TEST_CASE("yield: closed forms, by hand") {
  // One defect on the mean die, x = 1: 1/e; (1 - 1/e)^2; 1/2; (4/3)^-3.
  CHECK(closed_form_yield(YieldModel::poisson, 3.0, 10.0, 0.1) == Approx(0.36788).epsilon(1e-4));
  CHECK(closed_form_yield(YieldModel::murphy, 3.0, 10.0, 0.1) == Approx(0.39958).epsilon(1e-4));
  CHECK(closed_form_yield(YieldModel::seeds, 3.0, 10.0, 0.1) == Approx(0.5));
  CHECK(closed_form_yield(YieldModel::negative_binomial, 3.0, 10.0, 0.1) == Approx(27.0 / 64.0));
  for (const YieldModel model : kModels) {
    CHECK(closed_form_yield(model, 3.0, 10.0, 0.0) == 1.0);
  }
  // Whole dies without a defect at 0.09 to 0.10 per cm2: 49 to 51 % of GA100 and GH100.
  CHECK(closed_form_yield(YieldModel::negative_binomial, 3.0, 8.26, 0.09) == Approx(0.51).margin(0.01));
  CHECK(closed_form_yield(YieldModel::negative_binomial, 3.0, 8.14, 0.10) == Approx(0.49).margin(0.01));
}

TEST_CASE("yield: many clusters are Poisson, one is Seeds") {
  CHECK(closed_form_yield(YieldModel::negative_binomial, 1e6, 8.0, 0.1) ==
        Approx(std::exp(-0.8)).epsilon(1e-5));
  CHECK(closed_form_yield(YieldModel::negative_binomial, 1.0, 8.0, 0.1) ==
        Approx(closed_form_yield(YieldModel::seeds, 3.0, 8.0, 0.1)));
}

TEST_CASE("yield: the nodes of a mixture give its closed form") {
  for (const double clustering : {0.5, 1.0, 2.0, 3.0, 10.0, 300.0}) {
    for (const YieldModel model : kModels) {
      const Mixture mixture = mixture_of(model, clustering);
      double mass = 0.0, mean = 0.0;
      for (std::size_t i = 0; i < mixture.ratio.size(); ++i) {
        mass += mixture.weight[i];
        mean += mixture.weight[i] * mixture.ratio[i];
      }
      CHECK(mass == Approx(1.0).epsilon(1e-9));
      CHECK(mean == Approx(1.0).epsilon(1e-7));
      for (const double x : {0.1, 0.8, 3.0}) {
        double yield = 0.0;
        for (std::size_t i = 0; i < mixture.ratio.size(); ++i) {
          yield += mixture.weight[i] * std::exp(-x * mixture.ratio[i]);
        }
        INFO(clustering << " " << x);
        CHECK(yield == Approx(closed_form_yield(model, clustering, x, 1.0)).epsilon(1e-7));
      }
    }
  }
}

TEST_CASE("harvest: units that must work, by hand") {
  // Two of three, each with probability 1/2: 3/8 + 1/8.
  CHECK(enough_units(3, 2, std::log(2.0)) == Approx(0.5));
  CHECK(enough_units(3, 3, std::log(2.0)) == Approx(0.125));
  CHECK(enough_units(3, 0, 9.0) == 1.0);
  CHECK(enough_units(5, 3, 0.0) == 1.0);
  // A large unit with many defects: what is left is exp(-9) of three, but two.
  CHECK(enough_units(3, 1, 9.0) == Approx(1.0 - std::pow(1.0 - std::exp(-9.0), 3.0)).epsilon(1e-6));
}

TEST_CASE("harvest: the best GPCs but one, by enumeration") {
  // Three GPCs of 2, 2 and 1 TPCs (32 cases), of which the best two must have three; each works with 0.7.
  const HarvestCounts counts{.gpcs = 3, .tpcs = 5, .tpcs_needed = 3, .gpcs_lost = 1};
  double expected = 0.0;
  for (int bits = 0; bits < 32; ++bits) {
    const auto bit = [&](int i) { return (bits >> i) & 1; };
    const int good[] = {bit(0) + bit(1), bit(2) + bit(3), bit(4)};
    const int all = good[0] + good[1] + good[2], worst = std::min({good[0], good[1], good[2]});
    expected += all - worst >= 3 ? std::pow(0.7, all) * std::pow(0.3, 5 - all) : 0.0;
  }
  const Harvest harvest(counts, YieldModel::poisson, 3.0);
  CHECK(harvest.enough_tpcs(-std::log(0.7)) == Approx(expected).epsilon(2e-3));
  CHECK(harvest.enough_tpcs(0.0) == Approx(1.0));
}

TEST_CASE("harvest: A100 and H100, beside the published 73 to 74 %") {
  // With nothing to spare but SMs, as those figures were made: at 0.09 to 0.10 per cm2.
  for (const char* gpu : {"A100-80GB-SXM4", "H100-SXM5-80GB"}) {
    const Design design = shipped().design_of(gpu);
    HarvestCounts counts = harvest_counts(design.die, design.product);
    const HarvestAreas areas = areas_of(design.die, 0.0);
    const Harvest all(counts, YieldModel::negative_binomial, 3.0);
    counts.l2_needed = counts.l2_groups;
    counts.hbm_needed = counts.hbm_sites;
    const Harvest sms_only(counts, YieldModel::negative_binomial, 3.0);
    INFO(gpu);
    CHECK(sms_only.usable(areas, 0.095) == Approx(0.735).margin(0.015));
    // L2 groups and the sixth HBM site are spare as well: 87 to 88 %.
    CHECK(all.usable(areas, 0.095) == Approx(0.877).margin(0.01));
  }
}

TEST_CASE("harvest: throwing defects one by one agrees with the sum of binomials") {
  for (const char* gpu : {"A100-80GB-SXM4", "A30", "H100-PCIe-80GB", "H200-SXM-141GB", "MI210"}) {
    const Design design = shipped().design_of(gpu);
    const HarvestCounts counts = harvest_counts(design.die, design.product);
    const HarvestAreas areas = areas_of(design.die, 0.8);
    for (const YieldModel model : kModels) {
      const double defects = model == YieldModel::murphy ? 0.5 : 0.12;
      const int dies = 8000;
      const HarvestTally tally = simulate_harvest(counts, areas, defects, model, 3.0, dies, 5);
      const double exact = Harvest(counts, model, 3.0).usable(areas, defects);
      const double perfect = closed_form_yield(model, 3.0, areas.die_cm2(counts), defects);
      // Four standard errors of 8000 dies: at most 4 sqrt(0.25 / 8000) = 0.022.
      INFO(gpu << " " << enum_names(model)[static_cast<std::size_t>(model)]);
      CHECK(tally.usable == Approx(exact).margin(4.0 * std::sqrt(exact * (1 - exact) / dies) + 1e-3));
      CHECK(tally.perfect == Approx(perfect).margin(4.0 * std::sqrt(perfect * (1 - perfect) / dies)));
      CHECK(tally.usable >= tally.perfect);
    }
  }
}

TEST_CASE("harvest: the same seed, the same dies") {
  const Design design = shipped().design_of("A100-80GB-SXM4");
  const HarvestCounts counts = harvest_counts(design.die, design.product);
  const HarvestAreas areas = areas_of(design.die, 0.8);
  const auto tally = [&](std::uint64_t seed) {
    return simulate_harvest(counts, areas, 0.1, YieldModel::negative_binomial, 3.0, 2000, seed).usable;
  };
  CHECK(tally(9) == tally(9));
  CHECK((tally(9) != tally(10) || tally(9) != tally(11)));
}

TEST_CASE("harvest: no areas lost, more defects sell fewer, spares sell more") {
  const Design design = shipped().design_of("H100-SXM5-80GB");
  HarvestCounts counts = harvest_counts(design.die, design.product);
  const HarvestAreas areas = areas_of(design.die, 0.8);
  CHECK(areas.die_cm2(counts) == Approx(8.14));
  const Harvest harvest(counts, YieldModel::negative_binomial, 3.0);
  double before = 1.0 + 1e-12;
  for (double defects = 0.0; defects < 3.0; defects += 0.05) {
    const double usable = harvest.usable(areas, defects);
    const double perfect = closed_form_yield(YieldModel::negative_binomial, 3.0, 8.14, defects);
    CHECK(usable <= before);
    CHECK(usable >= perfect - 1e-12);
    before = usable;
  }
  double spare = 0.0;
  for (int needed = 72; needed >= 40; needed -= 4) {
    counts.tpcs_needed = needed;
    const double usable = Harvest(counts, YieldModel::negative_binomial, 3.0).usable(areas, 1.0);
    CHECK(usable >= spare);
    spare = usable;
  }
}

TEST_CASE("cost: a die and a unit, by hand") {
  // 16988 USD over 63.48 dies of which 0.87 sell: 307.6 USD.
  CHECK(die_cost_usd(16988.0, 63.48, 0.87) == Approx(307.6).epsilon(1e-3));
  CHECK(std::isinf(die_cost_usd(1.0, 0.0, 1.0)));
  ProductSpec product;
  product.dies = 2;
  product.memory_gb = 80;
  product.memory = Hbm::HBM3;
  const Prices<double> prices{7, 15, 16, 600, 900, 0.96};
  const UnitCost cost = unit_cost(product, 300.0, prices);
  // 600 + 1200 + 600 + 900 = 3300, over 0.96: 3437.5
  CHECK(cost.hbm == 1200.0);
  CHECK(cost.total() == Approx(3437.5));
  CHECK(cost.losses == Approx(137.5));
}

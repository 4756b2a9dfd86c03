#include "hwmodels/silicon/harvest.h"

#include <algorithm>
#include <cmath>

#include "hwmodels/uncertainty/draws.h"

namespace gpuplan::silicon {

namespace {

// TPCs of each GPC, as even as they come.
std::vector<int> tpcs_by_gpc(const HarvestCounts& counts) {
  std::vector<int> out(static_cast<std::size_t>(counts.gpcs), counts.tpcs / counts.gpcs);
  for (int i = 0; i < counts.tpcs % counts.gpcs; ++i) {
    ++out[static_cast<std::size_t>(i)];
  }
  return out;
}

// Binomial probabilities of k of n working, k from 0, with those below `least` set to 0.
std::vector<double> binomial_from(int n, double p, int least) {
  std::vector<double> out(static_cast<std::size_t>(n) + 1, 0.0);
  double term = std::pow(1.0 - p, n);
  if (p >= 1.0 - 1e-15) {
    out[static_cast<std::size_t>(n)] = n >= least ? 1.0 : 0.0;
    return out;
  }
  for (int k = 0; k <= n; ++k) {
    out[static_cast<std::size_t>(k)] = k >= least ? term : 0.0;
    term *= p / (1.0 - p) * (n - k) / (k + 1.0);
  }
  return out;
}

// P(the sum over all GPCs is at least `sum`, and each GPC has at least `least`).
double sum_with_least(const std::vector<int>& gpcs, double p, int least, int sum) {
  std::vector<double> total{1.0};
  for (const int n : gpcs) {
    const std::vector<double> one = binomial_from(n, p, least);
    std::vector<double> next(total.size() + one.size() - 1, 0.0);
    for (std::size_t i = 0; i < total.size(); ++i) {
      for (std::size_t j = 0; j < one.size(); ++j) {
        next[i + j] += total[i] * one[j];
      }
    }
    total = std::move(next);
  }
  double probability = 0.0;
  for (std::size_t i = static_cast<std::size_t>(std::max(0, sum)); i < total.size(); ++i) {
    probability += total[i];
  }
  return probability;
}

// P(the GPCs without the worst one have at least `needed` TPCs): over the TPCs that the worst has.
double best_but_one(const HarvestCounts& counts, double p) {
  const std::vector<int> gpcs = tpcs_by_gpc(counts);
  double probability = 0.0;
  for (int worst = 0; worst <= gpcs.back(); ++worst) {
    const int sum = counts.tpcs_needed + worst;
    probability += sum_with_least(gpcs, p, worst, sum) - sum_with_least(gpcs, p, worst + 1, sum);
  }
  return std::clamp(probability, 0.0, 1.0);
}

constexpr double kTableEnd = 4.0;  // defects per TPC beyond which none of these products exists
constexpr std::size_t kTableSize = 161;

}  // namespace

double HarvestAreas::die_cm2(const HarvestCounts& counts) const {
  return fatal_cm2 + repaired_cm2 + counts.tpcs * tpc_cm2 + counts.l2_groups * l2_group_cm2 +
         counts.hbm_sites * hbm_site_cm2;
}

HarvestCounts harvest_counts(const DieSpec& die, const ProductSpec& product) {
  const int per_tpc = static_cast<int>(die.sms_per_tpc);
  return {.gpcs = static_cast<int>(die.gpcs),
          .tpcs = die.tpcs(),
          .tpcs_needed = (product.sm_enabled + per_tpc - 1) / per_tpc,
          .gpcs_lost = product.gpcs_lost,
          .l2_groups = static_cast<int>(die.l2_groups),
          .l2_needed = product.l2_groups_enabled,
          .hbm_sites = static_cast<int>(die.hbm_sites),
          .hbm_needed = product.hbm_enabled};
}

HarvestAreas harvest_areas(const DieSpec& die, const DieAreas& areas, double sram_repair) {
  constexpr double kCm2 = 0.01;  // of a mm2
  const double repair = std::clamp(sram_repair, 0.0, 1.0);
  const double sm_repaired = repair * (areas.of(Block::register_files) + areas.of(Block::l1));
  const double l2_repaired = repair * areas.of(Block::l2);
  const double hbm = areas.of(Block::hbm_phys) + areas.of(Block::hbm_controllers);
  HarvestAreas out;
  out.repaired_cm2 = kCm2 * (sm_repaired + l2_repaired);
  out.tpc_cm2 = kCm2 * (areas.sms() - sm_repaired) / die.tpcs();
  out.l2_group_cm2 = kCm2 * (areas.of(Block::l2) - l2_repaired) / die.l2_groups;
  out.hbm_site_cm2 = die.hbm_sites > 0.0 ? kCm2 * hbm / die.hbm_sites : 0.0;
  const double rest = areas.total() - areas.sms() - areas.of(Block::l2) - hbm;
  out.fatal_cm2 = std::max(0.0, kCm2 * rest);
  return out;
}

double enough_units(int count, int needed, double defects) {
  const double p = std::exp(-defects);
  if (needed <= 0 || p >= 1.0) {
    return 1.0;
  }
  const double odds = std::expm1(defects);  // (1 - p) / p
  double term = std::exp(-defects * count), sum = term;
  for (int dead = 1; dead <= count - needed; ++dead) {
    term *= odds * (count - dead + 1) / dead;
    sum += term;
  }
  return std::min(1.0, sum);
}

Harvest::Harvest(const HarvestCounts& counts, YieldModel model, double clustering)
    : counts_(counts), mixture_(mixture_of(model, clustering)) {
  if (counts_.gpcs_lost > 0 && counts_.gpcs > 1) {
    for (std::size_t i = 0; i < kTableSize; ++i) {
      const double place = static_cast<double>(i) / (kTableSize - 1);
      table_.push_back(best_but_one(counts_, std::exp(-kTableEnd * place * place)));
    }
  }
}

double Harvest::enough_tpcs(double defects) const {
  if (table_.empty()) {
    return enough_units(counts_.tpcs, counts_.tpcs_needed, defects);
  }
  const double place = std::sqrt(std::max(0.0, defects) / kTableEnd) * (kTableSize - 1);
  const auto below = static_cast<std::size_t>(place);
  if (below + 1 >= table_.size()) {
    return table_.back();
  }
  return table_[below] + (place - static_cast<double>(below)) * (table_[below + 1] - table_[below]);
}

double Harvest::usable(const HarvestAreas& areas, double defects_per_cm2) const {
  double yield = 0.0;
  for (std::size_t i = 0; i < mixture_.ratio.size(); ++i) {
    const double density = defects_per_cm2 * mixture_.ratio[i];
    yield += mixture_.weight[i] * std::exp(-density * areas.fatal_cm2) *
             enough_tpcs(density * areas.tpc_cm2) *
             enough_units(counts_.l2_groups, counts_.l2_needed, density * areas.l2_group_cm2) *
             enough_units(counts_.hbm_sites, counts_.hbm_needed, density * areas.hbm_site_cm2);
  }
  return std::min(1.0, yield);
}

namespace {

// One die: which units the defects left whole.
class DieUnderTest {
 public:
  explicit DieUnderTest(const HarvestCounts& counts) : counts_(counts), sizes_(tpcs_by_gpc(counts)) {
    for (std::size_t g = 0; g < sizes_.size(); ++g) {
      tpc_gpc_.insert(tpc_gpc_.end(), static_cast<std::size_t>(sizes_[g]), g);
    }
  }

  void clear() {
    good_ = sizes_;
    tpc_dead_.assign(tpc_gpc_.size(), false);
    l2_dead_.assign(static_cast<std::size_t>(counts_.l2_groups), false);
    hbm_dead_.assign(static_cast<std::size_t>(counts_.hbm_sites), false);
    fatal_ = false;
  }

  // A defect at a place in [0, die area).
  void hit(const HarvestAreas& areas, double place) {
    const auto within = [&place](double unit, int count, std::size_t& at) {
      if (unit > 0.0 && place < unit * count) {
        at = std::min(static_cast<std::size_t>(place / unit), static_cast<std::size_t>(count) - 1);
        return true;
      }
      place -= unit * count;
      return false;
    };
    std::size_t at = 0;
    if (within(areas.tpc_cm2, counts_.tpcs, at)) {
      if (!tpc_dead_[at]) {
        tpc_dead_[at] = true;
        --good_[tpc_gpc_[at]];
      }
    } else if (within(areas.l2_group_cm2, counts_.l2_groups, at)) {
      l2_dead_[at] = true;
    } else if (within(areas.hbm_site_cm2, counts_.hbm_sites, at)) {
      hbm_dead_[at] = true;
    } else {
      fatal_ = fatal_ || place < areas.fatal_cm2;
    }
  }

  [[nodiscard]] bool sells() const {
    int tpcs = 0;
    for (const int good : good_) {
      tpcs += good;
    }
    if (counts_.gpcs_lost > 0) {
      tpcs -= *std::min_element(good_.begin(), good_.end());
    }
    const auto good = [](const std::vector<bool>& dead) {
      return std::count(dead.begin(), dead.end(), false);
    };
    return !fatal_ && tpcs >= counts_.tpcs_needed && good(l2_dead_) >= counts_.l2_needed &&
           good(hbm_dead_) >= counts_.hbm_needed;
  }

 private:
  HarvestCounts counts_;
  std::vector<int> sizes_, good_;
  std::vector<std::size_t> tpc_gpc_;
  std::vector<bool> tpc_dead_, l2_dead_, hbm_dead_;
  bool fatal_ = false;
};

}  // namespace

HarvestTally simulate_harvest(const HarvestCounts& counts, const HarvestAreas& areas, double defects_per_cm2,
                              YieldModel model, double clustering, int dies, std::uint64_t seed) {
  Draws draws(seed);
  DieUnderTest die(counts);
  const double area = areas.die_cm2(counts);
  int perfect = 0, usable = 0;
  for (int i = 0; i < dies; ++i) {
    const double density = defects_per_cm2 * draw_density(model, clustering, draws);
    const int defects = draws.poisson(density * area);
    die.clear();
    for (int k = 0; k < defects; ++k) {
      die.hit(areas, area * draws.uniform());
    }
    perfect += defects == 0 ? 1 : 0;
    usable += die.sells() ? 1 : 0;
  }
  return {.perfect = static_cast<double>(perfect) / dies, .usable = static_cast<double>(usable) / dies};
}

}  // namespace gpuplan::silicon

#include "hwmodels/silicon/cost.h"

#include <algorithm>
#include <limits>

namespace gpuplan::silicon {

namespace {

double usd_per_gb(Hbm kind, const Prices<double>& prices) {
  switch (kind) {
    case Hbm::HBM2:
    case Hbm::HBM2e:
      return prices.hbm2e_usd_per_gb;
    case Hbm::HBM3:
      return prices.hbm3_usd_per_gb;
    case Hbm::HBM3e:
      return prices.hbm3e_usd_per_gb;
  }
  return 0.0;
}

}  // namespace

double die_cost_usd(double wafer_usd, double dies_per_wafer, double usable_yield) {
  const double good = dies_per_wafer * usable_yield;
  return good > 0.0 ? wafer_usd / good : std::numeric_limits<double>::infinity();
}

UnitCost unit_cost(const ProductSpec& product, double die_usd, const Prices<double>& prices) {
  UnitCost cost{.dies = product.dies * die_usd,
                .hbm = product.memory_gb * usd_per_gb(product.memory, prices),
                .packaging = prices.packaging_usd,
                .test_and_assembly = prices.test_and_assembly_usd};
  const double good = std::clamp(prices.package_yield, 0.1, 1.0);
  cost.losses = cost.total() * (1.0 / good - 1.0);
  return cost;
}

}  // namespace gpuplan::silicon

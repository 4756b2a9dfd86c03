// What a unit costs to make: the wafer over the dies that sell, HBM by the gigabyte, packaging, test and
// assembly, all over the packages that come out good. Manufacturing cost alone: no design, masks, margin,
// board, warranty. HBM and packaging are secondary estimates of few sources, and dominate: the die is a tenth
// of an H100.
#pragma once

#include "hwmodels/silicon/die.h"
#include "hwmodels/silicon/inputs.h"

namespace gpuplan::silicon {

// USD of one die that sells; infinity where none does.
double die_cost_usd(double wafer_usd, double dies_per_wafer, double usable_yield);

// Parts of the cost of one unit, USD; the losses of packaging are spread over them in `total`.
struct UnitCost {
  double dies = 0.0, hbm = 0.0, packaging = 0.0, test_and_assembly = 0.0, losses = 0.0;
  [[nodiscard]] double total() const { return dies + hbm + packaging + test_and_assembly + losses; }
};
UnitCost unit_cost(const ProductSpec& product, double die_usd, const Prices<double>& prices);

}  // namespace gpuplan::silicon

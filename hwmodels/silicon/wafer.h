// Dies of a wafer and the share of them without a defect.
//
// A yield model is an assumption about how the density of killing defects varies from die to die around its
// mean D: all dies alike (Poisson), a triangle from 0 to 2 D (Murphy), an exponential (Seeds), a gamma of
// shape alpha (negative binomial; small alpha: defects cluster). Given the density, defects of a die are
// Poisson, so the yield of an area A is the mean of exp(-A d) over that distribution; the closed forms below
// are those means. The same distribution serves dies that may lose units (harvest.h). Known to fail where
// defects are systematic (a layout that prints badly), which no density describes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan {
class Draws;
}

namespace gpuplan::silicon {

enum class YieldModel { negative_binomial, murphy, poisson, seeds };
std::span<const std::string_view> enum_names(YieldModel tag);

// How a wafer is counted.
struct WaferSpec {
  double diameter_mm = 300.0;
  double edge_exclusion_mm = 0.0;  // ring without good dies; the formula's edge loss is in addition
  YieldModel yield = YieldModel::negative_binomial;
  double clustering = 3.0;  // alpha of the negative binomial; 3 as ttm-cas (Ning et al., ISCA 2023) has it
};
template <class V>
void describe(V& v, WaferSpec& w) {
  v.field("diameter_mm", w.diameter_mm, "wafer (mm)", json::Range{.min = 25.0, .max = 450.0});
  v.field("edge_exclusion_mm", w.edge_exclusion_mm, "ring at the edge without good dies (mm)",
          json::Range{.min = 0.0, .max = 10.0});
  v.field("yield", w.yield, "how defects vary from die to die");
  v.field("clustering", w.clustering, "alpha of the negative binomial: small, defects cluster",
          json::Range{.min = 0.3, .max = 1000.0});
}

// Whole dies of `area_mm2` on a wafer: pi (d/2)^2 / A - pi d / sqrt(2 A), d less the exclusion on both sides;
// not below 0.
double dies_per_wafer(const WaferSpec& wafer, double area_mm2);

// Share of dies of `area_cm2` without a defect at mean density `defects_per_cm2`: with x = A D, exp(-x);
// ((1 - exp(-x)) / x)^2; 1 / (1 + x); (1 + x / alpha)^-alpha.
double closed_form_yield(YieldModel model, double clustering, double area_cm2, double defects_per_cm2);

// The distribution of a model as nodes: densities over their mean, with weights that sum to 1.
struct Mixture {
  std::vector<double> ratio, weight;
};
Mixture mixture_of(YieldModel model, double clustering);

// One density over its mean, drawn from the same distribution.
double draw_density(YieldModel model, double clustering, Draws& draws);

}  // namespace gpuplan::silicon

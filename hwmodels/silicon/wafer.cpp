#include "hwmodels/silicon/wafer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "hwmodels/uncertainty/draws.h"

namespace gpuplan::silicon {

std::span<const std::string_view> enum_names(YieldModel /*tag*/) {
  static constexpr std::array<std::string_view, 4> kNames = {"negative_binomial", "murphy", "poisson",
                                                             "seeds"};
  return kNames;
}

double dies_per_wafer(const WaferSpec& wafer, double area_mm2) {
  const double d = wafer.diameter_mm - 2.0 * wafer.edge_exclusion_mm;
  const double count =
      std::numbers::pi * d * d / 4.0 / area_mm2 - std::numbers::pi * d / std::sqrt(2.0 * area_mm2);
  return std::max(0.0, count);
}

double closed_form_yield(YieldModel model, double clustering, double area_cm2, double defects_per_cm2) {
  const double x = area_cm2 * defects_per_cm2;
  switch (model) {
    case YieldModel::poisson:
      return std::exp(-x);
    case YieldModel::murphy:
      return x > 0.0 ? std::pow(-std::expm1(-x) / x, 2.0) : 1.0;
    case YieldModel::seeds:
      return 1.0 / (1.0 + x);
    case YieldModel::negative_binomial:
      return std::pow(1.0 + x / clustering, -clustering);
  }
  return 0.0;
}

namespace {

// Nodes of a gamma distribution of mean 1: the trapezoidal rule in the logarithm of the density, where the
// integrand is smooth and falls off on both sides, converges exponentially.
Mixture gamma_nodes(double shape) {
  constexpr double kTail = 36.0;  // exp(-36): what is left out on either side
  const double step = std::min(0.4, 0.8 / std::sqrt(shape));
  const double width = std::sqrt(2.0 * kTail / shape);
  const double lowest = -kTail / shape - width, highest = std::log1p(kTail / shape + width);
  Mixture out;
  double sum = 0.0;
  for (double t = lowest; t <= highest; t += step) {
    // density x^shape exp(-shape x) in t = log x, relative to its peak at x = 1
    const double x = std::exp(t), weight = std::exp(shape * (t - x + 1.0));
    if (weight > 1e-16) {
      out.ratio.push_back(x);
      out.weight.push_back(weight);
      sum += weight;
    }
  }
  for (double& weight : out.weight) {
    weight /= sum;
  }
  return out;
}

// Nodes of the triangle from 0 over 1 to 2: Gauss and Legendre's eight on either half.
Mixture triangle_nodes() {
  static constexpr std::array<double, 4> kAt = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267,
                                                0.9602898564975363};
  static constexpr std::array<double, 4> kWeight = {0.3626837833783620, 0.3137066458778873,
                                                    0.2223810344533745, 0.1012285362903763};
  Mixture out;
  for (std::size_t i = 0; i < kAt.size(); ++i) {
    for (const double sign : {-1.0, 1.0}) {
      const double x = 0.5 + 0.5 * sign * kAt[i];
      for (const double ratio : {x, 2.0 - x}) {
        out.ratio.push_back(ratio);
        out.weight.push_back(0.5 * kWeight[i] * x);
      }
    }
  }
  return out;
}

}  // namespace

Mixture mixture_of(YieldModel model, double clustering) {
  switch (model) {
    case YieldModel::poisson:
      return {.ratio = {1.0}, .weight = {1.0}};
    case YieldModel::murphy:
      return triangle_nodes();
    case YieldModel::seeds:
      return gamma_nodes(1.0);
    case YieldModel::negative_binomial:
      return gamma_nodes(clustering);
  }
  return {};
}

double draw_density(YieldModel model, double clustering, Draws& draws) {
  switch (model) {
    case YieldModel::poisson:
      return 1.0;
    case YieldModel::murphy:
      return draws.uniform() + draws.uniform();
    case YieldModel::seeds:
      return -std::log(draws.uniform());
    case YieldModel::negative_binomial:
      return draws.gamma(clustering);
  }
  return 1.0;
}

}  // namespace gpuplan::silicon

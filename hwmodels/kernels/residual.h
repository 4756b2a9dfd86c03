// What a physics model leaves unexplained, as smooth curves: ln(measured / physics) over a few features of an
// operation, multilinear between the knots of a product grid and constant beyond its ends. Several grids over
// different features add up. The curves come from calibrate/fit and live in a GPU's kernel profile.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"
#include "hwmodels/kernels/operations.h"

namespace gpuplan::kernels {

// Features that corrections depend on; an operation gives them in the order of its names.
inline constexpr std::array<std::string_view, 3> kGemmFeatures = {"log2_m", "log2_n", "log2_k"};
inline constexpr std::array<std::string_view, 7> kPrefillFeatures = {
    "log2_batch", "log2_tokens", "log2_ctas", "log2_kv_heads", "log2_group", "head_dim", "log2_window_share"};
inline constexpr std::array<std::string_view, 8> kDecodeFeatures = {
    "log2_batch", "log2_context", "log2_ctas",         "log2_kv_heads",
    "log2_group", "head_dim",     "log2_window_share", "log2_head_ctas"};
inline constexpr std::array<std::string_view, 7> kExpertFeatures = {
    "log2_tokens", "log2_rows", "log2_local", "log2_imbalance", "log2_hidden", "log2_ffn", "log2_top_k"};

std::array<double, 3> features(const Gemm& op);
std::array<double, 7> features(const AttentionPrefill& op);  // ctas: sequences x query heads
std::array<double, 8> features(const AttentionDecode& op);   // ctas: sequences x KV heads; head_ctas: x heads
std::array<double, 7> features(const GroupedExperts& op);    // rows: tokens per local expert

struct ResidualAxis {
  std::string feature;
  std::vector<double> knots;  // rising
};
template <class V>
void describe(V& v, ResidualAxis& s) {
  v.field("feature", s.feature, "feature of the operation", json::required);
  v.field("knots", s.knots, "values of the feature, rising", json::required);
}

struct ResidualGrid {
  std::vector<ResidualAxis> axes;
  // ln(measured / physics) in steps of kResidualStep, the first axis running fastest. How many numbers stand
  // in a text does not matter; the fit writes a plane of the first two axes.
  std::vector<std::string> values;
};
inline constexpr double kResidualStep = 0.005;
template <class V>
void describe(V& v, ResidualGrid& s) {
  v.field("axes", s.axes, "features and knots", json::required);
  v.field("values", s.values, "ln(measured / physics) in steps of 0.005, the first axis fastest",
          json::required);
}

// A sum of grids, ready for use. Thread-safe, allocates nothing once built.
class ResidualField {
 public:
  ResidualField() = default;
  // Throws InputError where a grid names no feature of `names`, knots do not rise or values do not fit.
  ResidualField(const std::vector<ResidualGrid>& grids, std::span<const std::string_view> names);

  [[nodiscard]] bool empty() const { return grids_.empty(); }
  // ln(measured / physics); 0 where empty. `features` in the order of the names.
  [[nodiscard]] double at(std::span<const double> features) const;

 private:
  static constexpr std::size_t kMostAxes = 5;
  struct Axis {
    std::size_t feature = 0, stride = 1, first = 0, count = 0;  // knots_[first, first + count)
  };
  struct Grid {
    std::array<Axis, kMostAxes> axes{};
    std::size_t dimensions = 0, first = 0;  // values_[first ...)
  };
  std::vector<Grid> grids_;
  std::vector<double> knots_;
  std::vector<float> values_;
};

}  // namespace gpuplan::kernels

#include "hwmodels/kernels/residual.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gpuplan::kernels {

namespace {

double log2_of(double value) { return std::log2(std::max(value, 1e-6)); }

// Share of a context that a sliding window leaves, as log2; 0 without one.
double window_share(std::int64_t window, double context) {
  return window > 0 ? std::min(0.0, log2_of(static_cast<double>(window) / std::max(1.0, context))) : 0.0;
}

[[noreturn]] void refuse(std::size_t grid, const std::string& where, const std::string& found,
                         const std::string& expected) {
  throw InputError({fmt::format("correction[{}].{}", grid, where), found, expected, ""});
}

// Appends the whole numbers of `line`; false where there is anything else.
bool append_numbers(const std::string& line, std::vector<float>& out) {
  const char* at = line.data();
  const char* const end = at + line.size();
  while (at < end) {
    if (*at == ' ') {
      ++at;
      continue;
    }
    int value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) {
      return false;
    }
    out.push_back(static_cast<float>(value * kResidualStep));
    at = next;
  }
  return true;
}

}  // namespace

std::array<double, 3> features(const Gemm& op) {
  return {log2_of(static_cast<double>(op.m)), log2_of(static_cast<double>(op.n)),
          log2_of(static_cast<double>(op.k))};
}

std::array<double, 7> features(const AttentionPrefill& op) {
  // A chunk of a prompt counts as the share of whole prompts that has as many tiles, each as long.
  const double context = static_cast<double>(op.context);
  const double batch = static_cast<double>(op.batch * op.queries) / std::max(1.0, context);
  return {log2_of(batch),
          log2_of(context),
          log2_of(batch * op.heads),
          log2_of(op.kv_heads),
          log2_of(static_cast<double>(op.heads) / std::max(1, op.kv_heads)),
          static_cast<double>(op.head_dim),
          window_share(op.window, context)};
}

std::array<double, 8> features(const AttentionDecode& op) {
  const double batch = static_cast<double>(op.batch);
  return {log2_of(batch),
          log2_of(op.context),
          log2_of(batch * op.kv_heads),
          log2_of(op.kv_heads),
          log2_of(static_cast<double>(op.heads) / std::max(1, op.kv_heads)),
          static_cast<double>(op.head_dim),
          window_share(op.window, op.context),
          log2_of(batch * op.heads)};
}

std::array<double, 7> features(const GroupedExperts& op) {
  const double tokens = static_cast<double>(op.tokens);
  return {log2_of(tokens),
          log2_of(tokens * op.top_k / std::max(1, op.experts) * op.rank_load),
          log2_of(op.local_experts),
          log2_of(op.imbalance),
          log2_of(static_cast<double>(op.hidden)),
          log2_of(static_cast<double>(op.expert_ffn)),
          log2_of(op.top_k)};
}

ResidualField::ResidualField(const std::vector<ResidualGrid>& grids,
                             std::span<const std::string_view> names) {
  for (std::size_t g = 0; g < grids.size(); ++g) {
    const ResidualGrid& source = grids[g];
    if (source.axes.empty() || source.axes.size() > kMostAxes) {
      refuse(g, "axes", fmt::format("{} axes", source.axes.size()), fmt::format("1 to {}", kMostAxes));
    }
    Grid grid;
    grid.dimensions = source.axes.size();
    grid.first = values_.size();
    std::size_t stride = 1;
    for (std::size_t d = 0; d < grid.dimensions; ++d) {
      const ResidualAxis& axis = source.axes[d];
      const auto found = std::find(names.begin(), names.end(), axis.feature);
      if (found == names.end()) {
        refuse(g, fmt::format("axes[{}].feature", d), axis.feature, "a feature of the operation");
      }
      const std::vector<double>& knots = axis.knots;
      const auto falls = std::adjacent_find(knots.begin(), knots.end(), std::greater_equal<>());
      if (knots.size() < 2 || falls != knots.end()) {
        refuse(g, fmt::format("axes[{}].knots", d), fmt::format("{} knots", knots.size()),
               "at least two, rising");
      }
      grid.axes[d] = {static_cast<std::size_t>(found - names.begin()), stride, knots_.size(), knots.size()};
      knots_.insert(knots_.end(), knots.begin(), knots.end());
      stride *= knots.size();
    }
    for (std::size_t line = 0; line < source.values.size(); ++line) {
      if (!append_numbers(source.values[line], values_)) {
        refuse(g, fmt::format("values[{}]", line), "\"" + source.values[line].substr(0, 30) + "\"",
               "whole numbers");
      }
    }
    if (values_.size() - grid.first != stride) {
      refuse(g, "values", fmt::format("{} numbers", values_.size() - grid.first),
             fmt::format("{}, the product of the numbers of knots", stride));
    }
    grids_.push_back(grid);
  }
}

double ResidualField::at(std::span<const double> features) const {
  double sum = 0.0;
  for (const Grid& grid : grids_) {
    // The corners of the cell, one dimension at a time: offsets into the values, and their weights.
    std::array<std::size_t, std::size_t{1} << kMostAxes> offsets{};
    std::array<double, std::size_t{1} << kMostAxes> weights{};
    offsets[0] = grid.first;
    weights[0] = 1.0;
    std::size_t corners = 1;
    for (std::size_t d = 0; d < grid.dimensions; ++d) {
      const Axis& axis = grid.axes[d];
      const double* knots = knots_.data() + axis.first;
      const double x = std::clamp(features[axis.feature], knots[0], knots[axis.count - 1]);
      const auto above = static_cast<std::size_t>(std::upper_bound(knots, knots + axis.count, x) - knots);
      const std::size_t low = std::min(above - 1, axis.count - 2);
      const double share = (x - knots[low]) / (knots[low + 1] - knots[low]);
      for (std::size_t i = 0; i < corners; ++i) {
        offsets[i] += low * axis.stride;
      }
      if (share <= 0.0) {
        continue;
      }
      for (std::size_t i = 0; i < corners; ++i) {
        offsets[corners + i] = offsets[i] + axis.stride;
        weights[corners + i] = weights[i] * share;
        weights[i] *= 1.0 - share;
      }
      corners *= 2;
    }
    for (std::size_t i = 0; i < corners; ++i) {
      sum += weights[i] * static_cast<double>(values_[offsets[i]]);
    }
  }
  return sum;
}

}  // namespace gpuplan::kernels

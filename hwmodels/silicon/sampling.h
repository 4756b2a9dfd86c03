// Draws of the inputs, and samples of results. Internal to the silicon model.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "hwmodels/silicon/assessment.h"
#include "hwmodels/silicon/inputs.h"

namespace gpuplan::silicon {

// Draws the inputs of one process as the options ask: seed, count, inputs replaced.
class Sampling {
 public:
  // Throws InputError for options that cannot be.
  Sampling(const Inputs<Uncertain>& inputs, const SiliconOptions& options);

  [[nodiscard]] const std::vector<NamedInput>& inputs() const { return inputs_; }

  // Calls `take(inputs)` once for each draw.
  template <class Take>
  void draw(Take take) {
    const std::vector<double> scores = draw_scores(inputs_, samples_, seed_);
    for (std::size_t s = 0; s < samples_; ++s) {
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        values_[i] = inputs_[i].value.at(scores[s * inputs_.size() + i]);
      }
      take(inputs_of(values_));
    }
  }

  // All inputs at their medians, but input `which` at `score`.
  Inputs<double> one_at_a_time(std::size_t which, double score);
  // All inputs at their medians.
  Inputs<double> medians() { return one_at_a_time(inputs_.size(), 0.0); }

 private:
  std::size_t samples_;
  std::uint64_t seed_;
  std::vector<NamedInput> inputs_;
  std::vector<double> values_;
};

// Samples of n results, turned into spreads.
template <std::size_t n>
class Columns {
 public:
  void add(const std::array<double, n>& row) {
    for (std::size_t i = 0; i < n; ++i) {
      columns_[i].push_back(row[i]);
    }
  }
  std::array<Spread, n> spreads() {
    std::array<Spread, n> out;
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = spread_of(columns_[i]);
    }
    return out;
  }

 private:
  std::array<std::vector<double>, n> columns_;
};

}  // namespace gpuplan::silicon

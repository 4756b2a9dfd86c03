// Shares a time limit among sections by weight. What a section leaves over, or takes too much, is shared
// among those after it, so that the whole ends in time.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace gpubench {

class Budget {
 public:
  // `clock` tells seconds and never goes back; the limit counts from now.
  Budget(double total_s, std::vector<double> weights, std::function<double()> clock)
      : weights_(std::move(weights)), clock_(std::move(clock)), end_s_(clock_() + total_s) {}

  // Starts the next section; returns the seconds it has.
  double begin_section() {
    double remaining_weight = 0;
    for (std::size_t i = next_; i < weights_.size(); ++i) remaining_weight += weights_[i];
    const double left = end_s_ - clock_();
    const double share = next_ < weights_.size() && remaining_weight > 0 && left > 0
                             ? left * weights_[next_] / remaining_weight
                             : 0;
    ++next_;
    section_start_s_ = clock_();
    section_end_s_ = section_start_s_ + share;
    return share;
  }
  bool has_time() const { return clock_() < section_end_s_; }
  double section_used_s() const { return clock_() - section_start_s_; }

 private:
  std::vector<double> weights_;
  std::function<double()> clock_;
  double end_s_;
  std::size_t next_ = 0;
  double section_start_s_ = 0, section_end_s_ = 0;
};

}  // namespace gpubench

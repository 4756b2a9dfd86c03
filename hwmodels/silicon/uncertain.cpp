#include "hwmodels/silicon/uncertain.h"

#include <algorithm>

namespace gpuplan::silicon {

namespace {

constexpr double kNormal99 = 2.3263478740408408;

}  // namespace

double Uncertain::at(double score) const {
  return std::max(0.0, split_distribution(low, mid, high, std::clamp(score, -kNormal99, kNormal99)));
}

}  // namespace gpuplan::silicon

// How sure a price is whose constants come from another GPU, or whose shape nobody measured; and which
// measurements a model may rest on.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/kernels/price.h"

namespace gpuplan::kernels {

// Measurements that a model of a GPU may not use: none is left out, those of the GPU itself, or those of all
// GPUs of its architecture. The latter two price a GPU as though nobody had ever measured it.
enum class LeaveOut { nothing, gpu, architecture };

// Whether what was measured on `gpu_measured`, of an architecture with the first word `architecture`, is left
// out for `gpu`.
inline bool left_out(LeaveOut leave_out, const std::string& gpu_measured, const std::string& architecture,
                     const Gpu& gpu) {
  return leave_out != LeaveOut::nothing &&
         (gpu_measured == gpu.name || (leave_out == LeaveOut::architecture && !architecture.empty() &&
                                       gpu.architecture.starts_with(architecture)));
}

// Whether two datasheet values are the same but for rounding.
inline bool same(double a, double b) { return std::abs(a - b) <= 1e-3 * std::max(std::abs(a), std::abs(b)); }

// How much wider errors are with constants of another GPU, and what they are at least.
struct Borrowed {
  double factor, least;
};

inline void widen(Price& price, const Borrowed& borrowed) {
  price.relative_error = std::max(borrowed.least, borrowed.factor * price.relative_error);
  price.spread80 = std::max(2.0 * borrowed.least, borrowed.factor * price.spread80);
}

// Outside the measured range errors count double (assumed).
inline void mark_range(Price& price, bool outside) {
  price.outside_measured_range = outside;
  if (outside) {
    price.relative_error *= 2.0;
    price.spread80 *= 2.0;
  }
}

}  // namespace gpuplan::kernels

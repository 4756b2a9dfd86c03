// A copy beside a kernel (copy.cpp prices the copy itself).
#pragma once

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

struct Overlap {
  Seconds together;             // until both are done, started at once
  Seconds exposed;              // of the copy: `together` less the kernel alone
  double kernel_stretch = 1.0;  // of the kernel's time while both run, by the memory bandwidth they share
};

// `copy` beside `kernel` (whose HBM bytes and time say how much of the bandwidth it takes). Pageable copies
// block the host, and so run before it.
Overlap overlap(const KernelModel& model, const Copy& copy, const Price& kernel);

// The size at which a copy reaches half of its asymptotic rate: fixed time x rate.
Bytes half_speed_size(const KernelModel& model, Copy copy);

}  // namespace gpuplan::kernels

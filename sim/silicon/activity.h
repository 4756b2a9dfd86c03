// What a GPU does in a second, as the power model needs it, from the metrics of a run.
#pragma once

#include "hwmodels/silicon/power.h"
#include "sim/report/result.h"

namespace gpuplan::sim {

// Of one GPU. Matrix work from utilisation (serving), hardware FLOPs (training) or FLOPs over time (kernels);
// HBM and links from their utilisation; L2 traffic is taken as that of HBM, which is least (assumed).
silicon::Activity activity_of(const Result& result, const Gpu& gpu);

}  // namespace gpuplan::sim

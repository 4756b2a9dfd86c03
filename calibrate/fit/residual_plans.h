// What the correction of each family of kernels may depend on.
#pragma once

#include "calibrate/fit/residual_fit.h"

namespace gpuplan::calibrate {

ResidualPlan gemm_plan();
ResidualPlan prefill_plan();
ResidualPlan decode_plan(bool grouped);  // whether in the kernel that shares K and V in a group
ResidualPlan expert_plan();

// What the expected error of a family may depend on: coarse, for few rows say how large an error is.
ResidualPlan gemm_error_plan();
ResidualPlan prefill_error_plan();
ResidualPlan decode_error_plan();
ResidualPlan expert_error_plan();

}  // namespace gpuplan::calibrate

// Which constants of a family are fitted, and within what bounds.
#pragma once

#include <span>

#include "calibrate/fit/minimise.h"
#include "hwmodels/kernels/profile.h"

namespace gpuplan::calibrate {

template <class Constants>
struct FittedField {
  double Constants::*member;
  double min, max;
  bool logarithmic = false;
};

std::span<const FittedField<kernels::GemmConstants>> fitted_fields(const kernels::GemmConstants& constants);
std::span<const FittedField<kernels::PrefillConstants>> fitted_fields(
    const kernels::PrefillConstants& constants);
std::span<const FittedField<kernels::DecodeConstants>> fitted_fields(
    const kernels::DecodeConstants& constants);
std::span<const FittedField<kernels::ExpertConstants>> fitted_fields(
    const kernels::ExpertConstants& constants);

}  // namespace gpuplan::calibrate

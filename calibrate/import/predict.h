// What gpuplan's kernel models say about a measurement: the same operation priced, in the measurement's unit.
#pragma once

#include <string>

#include "calibrate/import/measurement.h"
#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::calibrate {

// The value predicted with the 80 % interval that the model states, or the reason why there is none.
struct Prediction {
  std::string reason;  // empty: predicted
  double value = 0.0, low80 = 0.0, high80 = 0.0;
  kernels::Provenance provenance = kernels::Provenance::assumed;
  bool outside_measured_range = false;
};

// `node` is what the GPU sits in, for collectives; may be null. Throws InputError where the shape lacks a
// field of its family, or has another kind of value there.
Prediction predict(const Measurement& measurement, const kernels::KernelModel& model, const Node* node);

}  // namespace gpuplan::calibrate

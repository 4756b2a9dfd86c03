// Counting by kind of network. Not for other floors: they call count_parameters.
#pragma once

#include "workloads/models/model.h"

namespace gpuplan {

ParameterCount count_decoder(const Model& model);

}  // namespace gpuplan

// Counting by kind of network. Not for other floors: they call count_parameters.
#pragma once

#include "workloads/models/model.h"

namespace gpuplan {

ParameterCount count_decoder(const Model& model);
// The layers of any other network, summed. Throws InputError where its shape cannot be read.
ParameterCount count_layers(const Model& model);

}  // namespace gpuplan

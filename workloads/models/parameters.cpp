#include "workloads/models/parameters.h"

namespace gpuplan {

ParameterCount count_parameters(const Model& model) { return count_decoder(model); }

}  // namespace gpuplan

#include "workloads/models/parameters.h"

namespace gpuplan {

ParameterCount count_parameters(const Model& model) {
  return model.kind == ModelKind::decoder ? count_decoder(model) : count_layers(model);
}

}  // namespace gpuplan

// Lowering of a convolutional network's inference to the kernels it runs. Bottleneck ResNets (catalogue
// models of shape type "resnet").
//
// Fused (TensorRT, AITemplate): batch norm folded into the weights; bias, ReLU and the residual add in the
// convolution's epilogue, so that a block is its convolutions. Not fused (eager framework): batch norm, ReLU
// and the residual add are a pass each over the activations.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "hwmodels/kernels/operations.h"
#include "workloads/models/model.h"

namespace gpuplan {

struct NetworkSpec {
  std::int64_t batch = 1;
  Precision precision = Precision::fp16;
  kernels::Convolution::Layout layout = kernels::Convolution::Layout::nhwc;
  bool fused = true;
};

struct NetworkKernel {
  std::string name;  // "layer1.0.conv2"
  std::variant<kernels::Convolution, kernels::Elementwise, kernels::Gemm> operation;
};

// Whether lower_network knows the model's shape.
bool is_network(const Model& model);
// Kernels in order. Precondition: is_network(model).
std::vector<NetworkKernel> lower_network(const Model& model, const NetworkSpec& spec);

}  // namespace gpuplan

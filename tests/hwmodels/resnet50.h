// ResNet-50's convolutions (He et al. 2015, table 1; stride in the 3x3, as torchvision has it) at 224 x 224.
#pragma once

#include <vector>

#include "hwmodels/kernels/operations.h"

namespace gpuplan::kernels {

inline std::vector<Convolution> resnet50_convolutions(std::int64_t batch, Precision precision) {
  std::vector<Convolution> layers;
  const auto add = [&](std::int64_t size, std::int64_t in, std::int64_t out, std::int64_t kernel,
                       std::int64_t stride, double residual) {
    layers.push_back({.batch = batch,
                      .height = size,
                      .width = size,
                      .in_channels = in,
                      .out_channels = out,
                      .kernel = kernel,
                      .stride = stride,
                      .padding = kernel / 2,
                      .precision = precision,
                      .epilogue_reads = residual});
  };
  add(224, 3, 64, 7, 2, 0.0);
  std::int64_t size = 56, in = 64;
  const int blocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    const std::int64_t middle = std::int64_t{64} << stage, out = 4 * middle;
    for (int block = 0; block < blocks[stage]; ++block) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      add(size, in, middle, 1, 1, 0.0);
      add(size, middle, middle, 3, stride, 0.0);
      if (block == 0) {
        add(size, in, out, 1, stride, 0.0);
      }
      size /= stride;
      add(size, middle, out, 1, 1, 1.0);
      in = out;
    }
  }
  return layers;
}

}  // namespace gpuplan::kernels

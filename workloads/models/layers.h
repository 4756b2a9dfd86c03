// Networks that are no decoders, as a list of layers: what their parameters and their arithmetic are made
// of. A model file has in "shape" either one network of a known grammar (vit, resnet, yolov8, bert, whisper,
// flux, unet), a single layer, or a sum of such parts; all of them unroll into the same few layers here.
// Activations, pooling, resampling, residual additions and softmax have no parameters and are left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/models/model.h"

namespace gpuplan {

struct NetworkLayer {
  // convolution: kernel_h x kernel_w, grouped. linear: a matrix. attention: scores and their product with the
  // values (its projections are linear layers of their own). norm: batch, layer or group norm of width `out`.
  // embedding: `in` rows of width `out`. table: `out` learned values (tokens, positions, scales).
  enum class Kind { convolution, linear, attention, norm, embedding, table };
  // Which field of a ParameterCount it belongs to.
  enum class Role { attention, mlp, norms, embedding, other };

  std::string name;  // "backbone.stage2.conv1"
  Kind kind = Kind::linear;
  Role role = Role::other;
  std::int64_t in = 0, out = 0;  // channels or features
  std::int64_t kernel_h = 1, kernel_w = 1, groups = 1;
  bool bias = false;
  // Outputs for one input at the resolution of the model file: pixels of a feature map, or tokens; 0: none
  // stated, and no arithmetic is derived.
  double positions = 0.0;
  double keys = 0.0;    // attention: tokens attended to; `out` is heads x head width
  double repeat = 1.0;  // identical layers in a row

  [[nodiscard]] double parameters() const;     // of all repeats
  [[nodiscard]] double multiply_adds() const;  // of all repeats, one input; norms and tables: 0
};

// The layers of a model that is no decoder, in order. Throws InputError where "shape" is wrong.
std::vector<NetworkLayer> layers_of(const Model& model);

}  // namespace gpuplan

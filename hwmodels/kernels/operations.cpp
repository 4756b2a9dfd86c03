#include "hwmodels/kernels/operations.h"

namespace gpuplan::kernels {

std::span<const std::string_view> enum_names(Elementwise::Kind /*tag*/) {
  static constexpr std::array<std::string_view, 6> names = {"norm",     "activation", "rotary",
                                                            "residual", "copy",       "quantise"};
  return names;
}

std::span<const std::string_view> enum_names(FlashAttention::Version /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"native", "fa2", "fa3"};
  return names;
}

std::span<const std::string_view> enum_names(Convolution::Layout /*tag*/) {
  static constexpr std::array<std::string_view, 2> names = {"nhwc", "nchw"};
  return names;
}

std::span<const std::string_view> enum_names(Convolution::Pass /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"forward", "data_gradient", "weight_gradient"};
  return names;
}

std::span<const std::string_view> enum_names(Copy::Path /*tag*/) {
  static constexpr std::array<std::string_view, 3> names = {"device_to_device", "host_to_device",
                                                            "device_to_host"};
  return names;
}

std::span<const std::string_view> enum_names(RowPass::Step /*tag*/) {
  static constexpr std::array<std::string_view, 6> names = {"residual",   "norm",     "softmax",
                                                            "activation", "quantise", "dequantise"};
  return names;
}

}  // namespace gpuplan::kernels

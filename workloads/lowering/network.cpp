#include "workloads/lowering/network.h"

#include "hwmodels/kernels/convolution.h"
#include "workloads/models/resnet.h"
#include "workloads/models/shape.h"

namespace gpuplan {

namespace {

using kernels::Convolution;
using kernels::Elementwise;

// The kernels of one network under construction, and the size of what flows.
class Builder {
 public:
  explicit Builder(const NetworkSpec& spec) : spec_(spec) {}

  // A convolution with its batch norm, then ReLU; a residual of the output's size is added before the ReLU.
  // Returns the output's side.
  std::int64_t convolution(const std::string& name, std::int64_t side, std::int64_t in, std::int64_t out,
                           std::int64_t kernel, std::int64_t stride, bool relu, bool residual) {
    const Convolution op{.batch = spec_.batch,
                         .height = side,
                         .width = side,
                         .in_channels = in,
                         .out_channels = out,
                         .kernel = kernel,
                         .stride = stride,
                         .padding = kernel / 2,
                         .layout = spec_.layout,
                         .precision = spec_.precision,
                         .epilogue_reads = spec_.fused && residual ? 1.0 : 0.0};
    kernels_.push_back({name, op});
    const std::int64_t side_out = op.out(side);
    if (!spec_.fused) {
      const double elements = images() * static_cast<double>(out * side_out * side_out);
      kernels_.push_back({name + ".norm", kernels::batch_norm(elements, spec_.precision)});
      if (residual) {
        kernels_.push_back({name + ".add", pass(Elementwise::Kind::residual, elements, 2.0)});
      }
      if (relu) {
        kernels_.push_back({name + ".relu", pass(Elementwise::Kind::activation, elements, 1.0)});
      }
    }
    return side_out;
  }

  void pool(const std::string& name, std::int64_t channels, std::int64_t side, std::int64_t side_out) {
    const double in = images() * static_cast<double>(channels * side * side);
    const double out = images() * static_cast<double>(channels * side_out * side_out);
    kernels_.push_back({name, kernels::pooling(in, out, spec_.precision)});
  }

  void linear(const std::string& name, std::int64_t in, std::int64_t out) {
    kernels_.push_back({name, kernels::Gemm{.m = spec_.batch,
                                            .n = out,
                                            .k = in,
                                            .activations = spec_.precision,
                                            .weights = spec_.precision}});
  }

  std::vector<NetworkKernel> take() { return std::move(kernels_); }

 private:
  [[nodiscard]] double images() const { return static_cast<double>(spec_.batch); }
  // A pass that reads `inputs` tensors of `elements` and writes one.
  [[nodiscard]] Elementwise pass(Elementwise::Kind kind, double elements, double inputs) const {
    const Bytes tensor(elements * bytes_per_element(spec_.precision));
    return {.kind = kind, .elements = elements, .read = tensor * inputs, .written = tensor};
  }

  const NetworkSpec& spec_;
  std::vector<NetworkKernel> kernels_;
};

const json::Value* resnet_shape(const Model& model) {
  const json::Value* shape = model.raw.find("shape");
  const json::Value* type = shape != nullptr ? shape->find("type") : nullptr;
  return type != nullptr && type->is_string() && type->string() == "resnet" ? shape : nullptr;
}

}  // namespace

bool is_network(const Model& model) { return resnet_shape(model) != nullptr; }

std::vector<NetworkKernel> lower_network(const Model& model, const NetworkSpec& spec) {
  models::Resnet shape;
  std::vector<Problem> problems;
  if (!models::read_shape(*resnet_shape(model), model.name, shape, problems)) {
    throw InputError(std::move(problems));
  }
  Builder build(spec);
  std::int64_t side = build.convolution("conv1", shape.image, 3, shape.stem, 7, 2, true, false);
  build.pool("maxpool", shape.stem, side, side / 2);
  side /= 2;
  std::int64_t in = shape.stem, width = shape.stem;
  for (std::size_t stage = 0; stage < shape.blocks.size(); ++stage, width *= 2) {
    const std::int64_t out = width * shape.expansion;
    for (std::int64_t block = 0; block < shape.blocks[stage]; ++block) {
      const std::string at = "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".";
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      build.convolution(at + "conv1", side, in, width, 1, 1, true, false);
      const std::int64_t inner = build.convolution(at + "conv2", side, width, width, 3, stride, true, false);
      if (block == 0) {
        build.convolution(at + "downsample", side, in, out, 1, stride, false, false);
      }
      side = inner;
      build.convolution(at + "conv3", side, width, out, 1, 1, true, true);
      in = out;
    }
  }
  build.pool("avgpool", in, side, 1);
  if (shape.classes > 0) {
    build.linear("fc", in, shape.classes);
  }
  return build.take();
}

}  // namespace gpuplan

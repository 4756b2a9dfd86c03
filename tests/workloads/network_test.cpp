// Lowering of ResNet-50 to kernels.
#include "workloads/lowering/network.h"

#include <catch2/catch.hpp>
#include <map>

#include "../hwmodels/resnet50.h"
#include "hwmodels/catalogue/catalogue.h"

using namespace gpuplan;

namespace {

const Model& resnet50() {
  static const ModelCatalogue models = ModelCatalogue::load(data_root());
  return *models.model("resnet50");
}

}  // namespace

TEST_CASE("Fused ResNet-50 is its 53 convolutions, two pools and a classifier") {
  const std::vector<NetworkKernel> kernels = lower_network(resnet50(), {.batch = 8});
  REQUIRE(kernels.size() == 56);
  // Layer by layer as the paper's table has them.
  const auto expected = kernels::resnet50_convolutions(8, Precision::fp16);
  std::size_t at = 0;
  for (const NetworkKernel& kernel : kernels) {
    const auto* mine = std::get_if<kernels::Convolution>(&kernel.operation);
    if (mine == nullptr) {
      continue;
    }
    const kernels::Convolution& theirs = expected[at++];
    INFO(kernel.name);
    CHECK(mine->height == theirs.height);
    CHECK(mine->in_channels == theirs.in_channels);
    CHECK(mine->out_channels == theirs.out_channels);
    CHECK(mine->kernel == theirs.kernel);
    CHECK(mine->stride == theirs.stride);
    CHECK(mine->padding == theirs.padding);
    CHECK(mine->epilogue_reads == theirs.epilogue_reads);
  }
  CHECK(at == 53);
  const auto& classifier = std::get<kernels::Gemm>(kernels.back().operation);
  CHECK(classifier.m == 8);
  CHECK(classifier.n == 1000);
  CHECK(classifier.k == 2048);
}

TEST_CASE("Unfused ResNet-50 has a pass for every norm, ReLU and addition") {
  const std::vector<NetworkKernel> kernels = lower_network(resnet50(), {.batch = 2, .fused = false});
  // 53 convolutions, 53 norms, 49 ReLUs (not after the 4 projections), 16 additions, 2 pools, 1 classifier.
  CHECK(kernels.size() == 174);
  std::map<kernels::Elementwise::Kind, int> passes;
  for (const NetworkKernel& kernel : kernels) {
    if (const auto* pass = std::get_if<kernels::Elementwise>(&kernel.operation)) {
      ++passes[pass->kind];
    }
  }
  CHECK(passes[kernels::Elementwise::Kind::norm] == 53);
  CHECK(passes[kernels::Elementwise::Kind::activation] == 49 + 2);
  CHECK(passes[kernels::Elementwise::Kind::residual] == 16);
  // The first block's addition: 2 images of 256 channels of 56 x 56 in fp16, two read and one written.
  for (const NetworkKernel& kernel : kernels) {
    if (kernel.name == "layer1.0.conv3.add") {
      const double tensor = 2.0 * 256.0 * 56.0 * 56.0 * 2.0;
      CHECK(std::get<kernels::Elementwise>(kernel.operation).read.si() == 2.0 * tensor);
      CHECK(std::get<kernels::Elementwise>(kernel.operation).written.si() == tensor);
    }
  }
}

TEST_CASE("Only bottleneck ResNets are networks so far") {
  const ModelCatalogue models = ModelCatalogue::load(data_root());
  CHECK(is_network(*models.model("resnet50")));
  CHECK_FALSE(is_network(*models.model("llama-2-7b")));
  CHECK_FALSE(is_network(*models.model("vit-base-patch16-224")));
}

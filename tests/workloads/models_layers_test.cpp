// Networks that are no decoders, as layers: parameters by hand, arithmetic against published multiply-adds.
#include <catch2/catch.hpp>

#include "hwmodels/json/problem.h"
#include "workloads/models/layers.h"

namespace gpuplan {
namespace {

const Model& model(const std::string& name) {
  static const ModelCatalogue kAll = ModelCatalogue::load(GPUPLAN_SOURCE_DIR);
  const Model* found = kAll.model(name);
  INFO(name);
  REQUIRE(found != nullptr);
  return *found;
}

double multiply_adds(const std::string& name) {
  double sum = 0.0;
  for (const NetworkLayer& layer : layers_of(model(name))) {
    sum += layer.multiply_adds();
  }
  return sum;
}

const NetworkLayer& layer(const std::vector<NetworkLayer>& layers, const std::string& name) {
  for (const NetworkLayer& one : layers) {
    if (one.name == name) {
      return one;
    }
  }
  FAIL("no layer " << name);
  return layers.front();
}

Model made_of(const std::string& shape) {
  Model out;
  out.name = "test";
  out.kind = ModelKind::cnn;
  out.raw["shape"] = json::parse(shape, "test");
  return out;
}

std::string complaint(const std::string& shape) {
  try {
    static_cast<void>(layers_of(made_of(shape)));
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("layers: multiply-adds of one image against published figures") {
  // timm's benchmark tables, 1e9 multiply-adds (results/benchmark-infer-amp-nhwc-pt113-cu117-rtx3090.csv and
  // benchmark-infer-amp-nchw-pt240-cu124-rtx4090.csv); ultralytics' GFLOPs are 2 per multiply-add.
  const std::pair<const char*, double> published[] = {{"resnet50", 4.11e9},
                                                      {"deit-small-patch16-224", 4.61e9},
                                                      {"vit-base-patch16-224", 17.58e9},
                                                      {"vit-base-patch16-384", 55.54e9},
                                                      {"vit-large-patch16-224", 61.6e9},
                                                      {"vit-large-patch14-336-clip", 191.11e9},
                                                      {"vit-huge-patch14-224", 167.4e9},
                                                      {"vit-giant-patch14-224", 267.18e9},
                                                      {"vit-gigantic-patch14-224", 483.95e9},
                                                      {"siglip-so400m-patch14-224", 109.57e9},
                                                      {"yolov8n", 8.7e9 / 2},
                                                      {"yolov8s", 28.6e9 / 2},
                                                      {"yolov8m", 78.9e9 / 2},
                                                      {"yolov8l", 165.2e9 / 2},
                                                      {"yolov8x", 257.8e9 / 2}};
  for (const auto& [name, gmacs] : published) {
    INFO(name);
    CHECK(multiply_adds(name) == Approx(gmacs).epsilon(0.02));
  }
}

TEST_CASE("layers: a bottleneck of ResNet-50 by hand") {
  const auto layers = layers_of(model("resnet50"));
  CHECK(layer(layers, "resnet.stem").parameters() == 64.0 * 3 * 7 * 7);
  CHECK(layer(layers, "resnet.stem").multiply_adds() == 112.0 * 112 * 64 * 3 * 49);
  // The first block of the second stage halves the picture in its 3x3.
  CHECK(layer(layers, "resnet.stage2.block1.conv1").positions == 56.0 * 56);
  CHECK(layer(layers, "resnet.stage2.block1.conv2").positions == 28.0 * 28);
  CHECK(layer(layers, "resnet.stage4.block.conv2").parameters() == 2.0 * 512 * 512 * 9);
  CHECK(layer(layers, "resnet.classifier").parameters() == 2048.0 * 1000 + 1000);
}

TEST_CASE("layers: attention of a vision transformer by hand") {
  const auto layers = layers_of(model("vit-base-patch16-224"));
  const NetworkLayer& attention = layer(layers, "vit.block.self.attention");
  CHECK(attention.repeat == 12.0);
  CHECK(attention.parameters() == 0.0);
  // Scores and values: 2 x 197 x 197 x 768 each block.
  CHECK(attention.multiply_adds() == 12.0 * 2 * 197 * 197 * 768);
  CHECK(layer(layers, "vit.positions").parameters() == 197.0 * 768);
}

TEST_CASE("layers: grouped and depthwise convolutions count their groups") {
  const auto layers = layers_of(made_of(R"({"type": "sum", "name": "net", "parts": [
      {"type": "convolution", "name": "depthwise", "in": 32, "out": 32, "kernel": 3, "groups": 32, "bias": false,
       "norm": true, "positions": 100},
      {"type": "convolution", "name": "flat", "in": 8, "out": 4, "kernel": 1, "kernel_w": 5, "repeat": 3}]})"));
  REQUIRE(layers.size() == 3);
  CHECK(layers[0].parameters() == 32.0 * 9);
  CHECK(layers[0].multiply_adds() == 100.0 * 32 * 9);
  CHECK(layers[1].parameters() == 2.0 * 32);
  CHECK(layers[2].parameters() == 3.0 * (4 * 8 * 5 + 4));
  CHECK(layers[2].multiply_adds() == 0.0);  // no positions stated
}

TEST_CASE("layers: wrong shapes are named") {
  const std::pair<const char*, const char*> wrong[] = {
      {R"({"type": "vitt", "hidden": 1})", "did you mean vit?"},
      {R"({"type": 3})", "$.shape.type: found 3"},
      {R"({"hidden": 3})", "$.shape.type: found nothing"},
      {R"({"type": "vit", "hidden": 384, "layers": 12, "heads": 6})", "$.shape.ffn: found nothing"},
      {R"({"type": "vit", "hidden": 384, "layers": 12, "heads": 7, "ffn": 1536})", "$.shape.heads: found 7"},
      {R"({"type": "vit", "hidden": 384, "layers": 12, "heads": 6, "ffn": 1536, "patch": 13})",
       "$.shape.patch"},
      {R"({"type": "vit", "hidden": -1, "layers": 12, "heads": 6, "ffn": 1536})", "$.shape.hidden: found -1"},
      {R"({"type": "vit", "hidden": 1e18, "layers": 12, "heads": 6, "ffn": 1536})", "$.shape.hidden"},
      {R"({"type": "sum", "parts": []})", "$.shape.parts"},
      {R"({"type": "sum", "parts": [{"type": "linear", "in": 3}]})", "$.shape.parts[0].out"},
      {R"({"type": "sum", "parts": [{"type": "linear", "out": 3}]})", "$.shape.parts[0].in"},
      {R"({"type": "convolution", "in": 6, "out": 4, "groups": 4})", "$.shape.groups"},
      {R"({"type": "unet", "channels": [320, 640], "transformer_depth": [1], "context_dim": 1})",
       "transformer_depth"},
      {R"({"type": "flux", "hidden": 10, "heads": 3, "double_blocks": 1, "single_blocks": 1})",
       "$.shape.heads"},
      {R"({"type": "decoder", "layers": 2})", "$.shape.hidden"},
      {R"({"type": "linear", "in": 1, "out": 1, "repeat": 0})", "$.shape.repeat"},
      {R"({"type": "yolov8", "depth": 0, "width": 1, "max_channels": 8})", "$.shape.depth"},
      {R"([])", "$.shape: found an array"},
  };
  for (const auto& [shape, words] : wrong) {
    INFO(shape);
    CHECK(complaint(shape).find(words) != std::string::npos);
  }
  Model empty;
  empty.kind = ModelKind::cnn;
  CHECK_THROWS_AS(count_parameters(empty), InputError);
}

}  // namespace gpuplan

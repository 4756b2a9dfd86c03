// Vision transformers (ViT, DeiT, CLIP, DINOv2, SigLIP) and bottleneck ResNets.
#include "workloads/models/resnet.h"
#include "workloads/models/shape.h"
#include "workloads/models/vit.h"

namespace gpuplan::models {

namespace {

double square(std::int64_t side) { return static_cast<double>(side) * static_cast<double>(side); }

}  // namespace

void unroll_vit(const json::Value& shape, const std::string& path, Layers& layers,
                std::vector<Problem>& problems) {
  Vit s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  if (s.image % s.patch != 0 || s.hidden % s.heads != 0) {
    const bool image = s.image % s.patch != 0;
    problems.push_back({path + (image ? ".patch" : ".heads"), std::to_string(image ? s.patch : s.heads),
                        image ? "a divisor of the image" : "a divisor of the width", ""});
    return;
  }
  const std::int64_t patches = s.patches(), prefix = s.prefix();
  const double tokens = static_cast<double>(s.tokens());
  layers.convolution("patch", s.channels, s.hidden, s.patch, static_cast<double>(patches), !s.pre_norm);
  if (prefix > 0) {
    layers.table("tokens", prefix * s.hidden);
  }
  layers.embedding("positions", s.positions(), s.hidden);
  if (s.pre_norm) {
    layers.norm("pre_norm", s.hidden);
  }
  {
    const Part part(layers, "block", static_cast<double>(s.layers));
    encoder_block(layers, {.hidden = s.hidden, .ffn = s.ffn, .tokens = tokens, .keys = tokens});
    if (s.layer_scale) {
      layers.table("scales", 2 * s.hidden);
    }
  }
  if (s.final_norm) {
    layers.norm("norm", s.hidden);
  }
  if (s.attention_pool) {  // the block's first norm stands for none here: one query, keys of all patches
    const Part part(layers, "pool");
    layers.table("query_token", s.hidden);
    layers.linear("query", s.hidden, s.hidden, 1.0).role = NetworkLayer::Role::attention;
    layers.linear("key_value", s.hidden, 2 * s.hidden, tokens).role = NetworkLayer::Role::attention;
    layers.attention("attention", s.hidden, 1.0, tokens);
    layers.linear("out", s.hidden, s.hidden, 1.0).role = NetworkLayer::Role::attention;
    layers.norm("norm", s.hidden);
    layers.linear("up", s.hidden, s.ffn, 1.0).role = NetworkLayer::Role::mlp;
    layers.linear("down", s.ffn, s.hidden, 1.0).role = NetworkLayer::Role::mlp;
  }
  if (s.classes > 0) {
    layers.linear("classifier", s.hidden, s.classes, 1.0);
  }
}

// Bottleneck ResNet (v1.5: the stride is on the 3x3): 1x1, 3x3, 1x1 with batch norms; a projection where the
// shape changes.
void unroll_resnet(const json::Value& shape, const std::string& path, Layers& layers,
                   std::vector<Problem>& problems) {
  Resnet s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  const auto convolution = [&](std::string_view name, std::int64_t in, std::int64_t out, std::int64_t kernel,
                               std::int64_t side) {
    layers.convolution(name, in, out, kernel, square(side));
    layers.norm(std::string(name) + "_norm", out);
  };
  std::int64_t side = s.image / 2;
  convolution("stem", 3, s.stem, 7, side);
  side /= 2;  // max pool
  std::int64_t in = s.stem;
  std::int64_t width = s.stem;
  for (std::size_t stage = 0; stage < s.blocks.size(); ++stage) {
    const Part part(layers, "stage" + std::to_string(stage + 1));
    const std::int64_t out = width * s.expansion;
    const std::int64_t side_in = side;
    side = stage == 0 ? side : side / 2;
    {
      const Part first(layers, "block1");
      convolution("conv1", in, width, 1, side_in);
      convolution("conv2", width, width, 3, side);
      convolution("conv3", width, out, 1, side);
      convolution("projection", in, out, 1, side);
    }
    if (s.blocks[stage] > 1) {
      const Part others(layers, "block", static_cast<double>(s.blocks[stage] - 1));
      convolution("conv1", out, width, 1, side);
      convolution("conv2", width, width, 3, side);
      convolution("conv3", width, out, 1, side);
    }
    in = out;
    width *= 2;
  }
  if (s.classes > 0) {
    layers.linear("classifier", in, s.classes, 1.0);
  }
}

}  // namespace gpuplan::models

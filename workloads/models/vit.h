// Shape of a vision transformer (ViT, DeiT, CLIP, DINOv2, SigLIP), as a model file has it.
#pragma once

#include <cstdint>

#include "hwmodels/json/describe.h"

namespace gpuplan::models {

// As timm's VisionTransformer counts: patch convolution, class token and registers, learned positions,
// encoder blocks, final norm, then an attention pool (SigLIP) or a classifier or neither.
struct Vit {
  std::int64_t image = 224, patch = 16, channels = 3;
  std::int64_t hidden = 0, layers = 0, heads = 0, ffn = 0;
  std::int64_t classes = 0, registers = 0;
  bool class_token = true, pre_norm = false, layer_scale = false, attention_pool = false;
  bool position_of_class_token = true, final_norm = true;

  [[nodiscard]] std::int64_t patches() const { return (image / patch) * (image / patch); }
  [[nodiscard]] std::int64_t prefix() const { return (class_token ? 1 : 0) + registers; }
  [[nodiscard]] std::int64_t tokens() const { return patches() + prefix(); }
  [[nodiscard]] std::int64_t positions() const {
    return patches() + (class_token && position_of_class_token ? 1 : 0);
  }
};

template <class V>
void describe(V& v, Vit& s) {
  v.field("image", s.image, "pixels on a side", json::Range{.min = 1, .max = 1 << 20});
  v.field("patch", s.patch, "pixels on a side of a patch", json::Range{.min = 1, .max = 1 << 20});
  v.field("channels", s.channels, "colours", json::Range{.min = 1, .max = 1 << 20});
  v.field("hidden", s.hidden, "width", json::Range{.min = 1, .max = 1 << 20}, json::required);
  v.field("layers", s.layers, "blocks", json::Range{.min = 1, .max = 1 << 12}, json::required);
  v.field("heads", s.heads, "attention heads", json::Range{.min = 1, .max = 1 << 20}, json::required);
  v.field("ffn", s.ffn, "width of the MLP", json::Range{.min = 1, .max = 1 << 20}, json::required);
  v.field("classes", s.classes, "outputs of the classifier; 0: none", json::Range{.min = 0, .max = 1 << 20});
  v.field("registers", s.registers, "register tokens", json::Range{.min = 0, .max = 1 << 20});
  v.field("class_token", s.class_token, "a class token");
  v.field("pre_norm", s.pre_norm, "CLIP: a norm before the blocks, no bias on the patch convolution");
  v.field("layer_scale", s.layer_scale, "DINOv2: a learned scale after attention and MLP");
  v.field("attention_pool", s.attention_pool, "SigLIP: pooling by one attention query and an MLP");
  v.field("position_of_class_token", s.position_of_class_token, "the class token has a position too");
  v.field("final_norm", s.final_norm, "a norm after the blocks");
}

}  // namespace gpuplan::models

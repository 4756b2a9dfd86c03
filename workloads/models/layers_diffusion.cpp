// FLUX.1 (a diffusion transformer of double- and single-stream blocks) and the U-Net of latent diffusion.
#include "workloads/models/shape.h"

namespace gpuplan::models {

using Role = NetworkLayer::Role;

namespace {

// As black-forest-labs/flux builds it (src/flux/model.py); the norms around the blocks have no parameters.
struct Flux {
  std::int64_t hidden = 0, heads = 0, mlp_ratio = 4, double_blocks = 0, single_blocks = 0;
  std::int64_t in_channels = 64, context_dim = 4096, vector_dim = 768, time_dim = 256;
  bool guidance = true;
  std::int64_t image_tokens = 4096, text_tokens = 512;
};

template <class V>
void describe(V& v, Flux& s) {
  v.field("hidden", s.hidden, "width", kChannels, json::required);
  v.field("heads", s.heads, "attention heads", kChannels, json::required);
  v.field("mlp_ratio", s.mlp_ratio, "MLP width over hidden", json::Range{1, 64});
  v.field("double_blocks", s.double_blocks, "blocks with a stream each for image and text", kRepeats,
          json::required);
  v.field("single_blocks", s.single_blocks, "blocks with one stream", kRepeats, json::required);
  v.field("in_channels", s.in_channels, "channels of a latent patch", kChannels);
  v.field("context_dim", s.context_dim, "width of the text embedding", kChannels);
  v.field("vector_dim", s.vector_dim, "width of the pooled text embedding", kChannels);
  v.field("time_dim", s.time_dim, "width of the time step's sinusoids", kChannels);
  v.field("guidance", s.guidance, "the guidance scale is an input (dev, not schnell)");
  v.field("image_tokens", s.image_tokens, "latent patches of one image", kChannels);
  v.field("text_tokens", s.text_tokens, "tokens of the prompt", kChannels);
}

// As Stability-AI/generative-models and diffusers' UNet2DConditionModel build it.
struct Unet {
  std::vector<std::int64_t> channels, transformer_depth;  // by level
  std::int64_t in_channels = 4, out_channels = 4, blocks = 2, context_dim = 0, context_tokens = 77;
  std::int64_t added_dim = 0, latent = 128;
};

template <class V>
void describe(V& v, Unet& s) {
  v.field("channels", s.channels, "channels of each level", kChannels, json::required);
  v.field("transformer_depth", s.transformer_depth, "transformer blocks after each residual block, by level",
          kSome, json::required);
  v.field("in_channels", s.in_channels, "latent channels in", kChannels);
  v.field("out_channels", s.out_channels, "latent channels out", kChannels);
  v.field("blocks", s.blocks, "residual blocks of a level on the way down; one more on the way up", kRepeats);
  v.field("context_dim", s.context_dim, "width of the text embedding", kChannels, json::required);
  v.field("context_tokens", s.context_tokens, "tokens of the prompt", kChannels);
  v.field("added_dim", s.added_dim, "width of the pooled text and size embedding; 0: none", kSome);
  v.field("latent", s.latent, "latent pixels on a side", kChannels);
}

class UnetBuilder {
 public:
  UnetBuilder(Layers& layers, const Unet& spec)
      : layers_(layers), spec_(spec), time_width_(4 * spec.channels.front()) {}

  [[nodiscard]] double pixels(std::size_t level) const {
    const double side = static_cast<double>(spec_.latent) / static_cast<double>(std::int64_t{1} << level);
    return side * side;
  }
  void embeddings() {
    layers_.linear("time1", spec_.channels.front(), time_width_, 1.0);
    layers_.linear("time2", time_width_, time_width_, 1.0);
    if (spec_.added_dim > 0) {
      layers_.linear("added1", spec_.added_dim, time_width_, 1.0);
      layers_.linear("added2", time_width_, time_width_, 1.0);
    }
  }
  void residual(std::string_view name, std::int64_t in, std::int64_t out, std::size_t level) {
    const Part part(layers_, name);
    layers_.norm("norm1", in);
    layers_.convolution("conv1", in, out, 3, pixels(level), true);
    layers_.linear("time", time_width_, out, 1.0);
    layers_.norm("norm2", out);
    layers_.convolution("conv2", out, out, 3, pixels(level), true);
    if (in != out) {
      layers_.convolution("skip", in, out, 1, pixels(level), true);
    }
  }
  void transformer(std::string_view name, std::int64_t width, std::size_t level) {
    const std::int64_t depth = spec_.transformer_depth[level];
    if (depth == 0) {
      return;
    }
    const Part part(layers_, name);
    const double tokens = pixels(level);
    layers_.norm("norm", width);
    layers_.linear("in", width, width, tokens);
    {
      const Part block(layers_, "block", static_cast<double>(depth));
      attend("self", width, width, tokens, tokens);
      attend("cross", width, spec_.context_dim, tokens, static_cast<double>(spec_.context_tokens));
      layers_.norm("norm", width);
      layers_.linear("up", width, 8 * width, tokens).role = Role::mlp;  // GEGLU: value and gate
      layers_.linear("down", 4 * width, width, tokens).role = Role::mlp;
    }
    layers_.linear("out", width, width, tokens);
  }

 private:
  void attend(std::string_view name, std::int64_t width, std::int64_t key_width, double tokens, double keys) {
    const Part part(layers_, name);
    layers_.norm("norm", width);
    layers_.linear("query", width, width, tokens, false).role = Role::attention;
    layers_.linear("key", key_width, width, keys, false).role = Role::attention;
    layers_.linear("value", key_width, width, keys, false).role = Role::attention;
    layers_.attention("attention", width, tokens, keys);
    layers_.linear("out", width, width, tokens).role = Role::attention;
  }

  Layers& layers_;
  const Unet& spec_;
  std::int64_t time_width_;
};

}  // namespace

void unroll_flux(const json::Value& shape, const std::string& path, Layers& layers,
                 std::vector<Problem>& problems) {
  Flux s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  if (s.hidden % s.heads != 0) {
    problems.push_back({path + ".heads", std::to_string(s.heads), "a divisor of the width", ""});
    return;
  }
  const double image = static_cast<double>(s.image_tokens);
  const double text = static_cast<double>(s.text_tokens);
  const double all = image + text;
  const std::int64_t head_width = s.hidden / s.heads;
  const std::int64_t ffn = s.hidden * s.mlp_ratio;
  const auto embedder = [&](std::string_view name, std::int64_t in) {
    const Part part(layers, name);
    layers.linear("in", in, s.hidden, 1.0);
    layers.linear("out", s.hidden, s.hidden, 1.0);
  };
  layers.linear("image_in", s.in_channels, s.hidden, image);
  layers.linear("text_in", s.context_dim, s.hidden, text);
  embedder("time_in", s.time_dim);
  embedder("vector_in", s.vector_dim);
  if (s.guidance) {
    embedder("guidance_in", s.time_dim);
  }
  {
    const Part block(layers, "double_block", static_cast<double>(s.double_blocks));
    const auto stream = [&](std::string_view name, double tokens) {
      const Part part(layers, name);
      layers.linear("modulation", s.hidden, 6 * s.hidden, 1.0);
      layers.linear("qkv", s.hidden, 3 * s.hidden, tokens).role = Role::attention;
      layers.norm("qk_norm", 2 * head_width, false);
      layers.linear("out", s.hidden, s.hidden, tokens).role = Role::attention;
      layers.linear("up", s.hidden, ffn, tokens).role = Role::mlp;
      layers.linear("down", ffn, s.hidden, tokens).role = Role::mlp;
    };
    stream("image", image);
    stream("text", text);
    layers.attention("attention", s.hidden, all, all);
  }
  {
    const Part block(layers, "single_block", static_cast<double>(s.single_blocks));
    layers.linear("modulation", s.hidden, 3 * s.hidden, 1.0);
    layers.linear("qkv_and_up", s.hidden, 3 * s.hidden + ffn, all).role = Role::mlp;
    layers.norm("qk_norm", 2 * head_width, false);
    layers.attention("attention", s.hidden, all, all);
    layers.linear("out_and_down", s.hidden + ffn, s.hidden, all).role = Role::mlp;
  }
  layers.linear("final_modulation", s.hidden, 2 * s.hidden, 1.0);
  layers.linear("final", s.hidden, s.in_channels, image);
}

void unroll_unet(const json::Value& shape, const std::string& path, Layers& layers,
                 std::vector<Problem>& problems) {
  Unet s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  const std::size_t levels = s.channels.size();
  if (levels == 0 || levels > 8 || s.transformer_depth.size() != levels) {
    problems.push_back({path + ".transformer_depth", std::to_string(s.transformer_depth.size()) + " levels",
                        "one to eight levels, as many as channels", ""});
    return;
  }
  UnetBuilder b(layers, s);
  b.embeddings();
  layers.convolution("in", s.in_channels, s.channels[0], 3, b.pixels(0), true);
  std::vector<std::int64_t> skips = {s.channels[0]};  // what the way up takes over, last first
  std::int64_t width = s.channels[0];
  for (std::size_t level = 0; level < levels; ++level) {
    const Part part(layers, "down" + std::to_string(level));
    for (std::int64_t i = 0; i < s.blocks; ++i) {
      const std::string number = std::to_string(i);
      b.residual("residual" + number, width, s.channels[level], level);
      width = s.channels[level];
      b.transformer("transformer" + number, width, level);
      skips.push_back(width);
    }
    if (level + 1 < levels) {
      layers.convolution("downsample", width, width, 3, b.pixels(level + 1), true);
      skips.push_back(width);
    }
  }
  {
    const Part part(layers, "middle");
    b.residual("residual0", width, width, levels - 1);
    b.transformer("transformer", width, levels - 1);
    b.residual("residual1", width, width, levels - 1);
  }
  for (std::size_t level = levels; level-- > 0;) {
    const Part part(layers, "up" + std::to_string(level));
    for (std::int64_t i = 0; i <= s.blocks; ++i) {
      const std::string number = std::to_string(i);
      b.residual("residual" + number, width + skips.back(), s.channels[level], level);
      skips.pop_back();
      width = s.channels[level];
      b.transformer("transformer" + number, width, level);
    }
    if (level > 0) {
      layers.convolution("upsample", width, width, 3, b.pixels(level - 1), true);
    }
  }
  layers.norm("norm", width);
  layers.convolution("out", width, s.out_channels, 3, b.pixels(0), true);
}

}  // namespace gpuplan::models

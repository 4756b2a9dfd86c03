// Unrolling of "shape" by grammar. Not for other floors: they call layers_of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"
#include "workloads/models/layers.h"

namespace gpuplan::models {

// Appends layers; remembers the prefix of names and how often the part is repeated.
class Layers {
 public:
  explicit Layers(std::vector<NetworkLayer>& out) : out_(out) {}

  // Each returns the layer appended, so that a caller can set what is rare.
  NetworkLayer& convolution(std::string_view name, std::int64_t in, std::int64_t out, std::int64_t kernel,
                            double positions, bool bias = false);
  NetworkLayer& linear(std::string_view name, std::int64_t in, std::int64_t out, double positions,
                       bool bias = true);
  NetworkLayer& attention(std::string_view name, std::int64_t width, double positions, double keys);
  NetworkLayer& norm(std::string_view name, std::int64_t width, bool bias = true);
  NetworkLayer& embedding(std::string_view name, std::int64_t rows, std::int64_t width);
  NetworkLayer& table(std::string_view name, std::int64_t values);

  void enter(std::string_view part) { prefix_ += std::string(part) + "."; }
  void leave();
  double repeat = 1.0;  // given to every layer appended

 private:
  NetworkLayer& append(std::string_view name, NetworkLayer::Kind kind, NetworkLayer::Role role);
  std::vector<NetworkLayer>& out_;
  std::string prefix_;
};

// Sets the prefix and the repeat of a part for as long as it lives.
class Part {
 public:
  Part(Layers& layers, std::string_view name, double repeat = 1.0) : layers_(layers), before_(layers.repeat) {
    layers_.enter(name);
    layers_.repeat *= repeat;
  }
  ~Part() {
    layers_.repeat = before_;
    layers_.leave();
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

 private:
  Layers& layers_;
  double before_;
};

// A block of self-attention and MLP as encoders have it: biases everywhere, two norms.
struct EncoderBlock {
  std::int64_t hidden = 0, ffn = 0;
  double tokens = 0.0, keys = 0.0;
  bool key_bias = true;          // Whisper's keys have none
  std::int64_t cross_width = 0;  // > 0: a cross-attention over that width, of `cross_tokens`
  double cross_tokens = 0.0;
};
void encoder_block(Layers& layers, const EncoderBlock& block);

// One grammar each; a shape that cannot be read appends problems and no layers.
using Unroll = void(const json::Value& shape, const std::string& path, Layers& layers,
                    std::vector<Problem>& problems);
Unroll unroll_vit, unroll_resnet, unroll_yolov8, unroll_bert, unroll_whisper, unroll_flux, unroll_unet,
    unroll_decoder, unroll_any;

// Reads a described spec; false where problems were found. "type" and "name" are the caller's.
template <class Spec>
bool read_shape(const json::Value& shape, const std::string& path, Spec& spec,
                std::vector<Problem>& problems) {
  const std::size_t before = problems.size();
  json::Value fields = shape;
  if (fields.is_object()) {
    std::erase_if(fields.object(), [](const json::Member& member) {
      return member.first == "type" || member.first == "name" || member.first == "repeat";
    });
  }
  json::read(fields, path, spec, problems);
  return problems.size() == before;
}

// Bounds that keep counts inside 2^53.
inline constexpr json::Range kChannels{.min = 1, .max = 1 << 20};
inline constexpr json::Range kRepeats{.min = 1, .max = 1 << 12};
inline constexpr json::Range kSome{.min = 0, .max = 1 << 20};

}  // namespace gpuplan::models

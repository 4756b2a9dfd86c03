// Layers and their counts; the sum of parts, the single layers of a model file and the choice of a grammar.
#include "workloads/models/layers.h"

#include <array>
#include <utility>

#include "workloads/models/parameters.h"
#include "workloads/models/shape.h"

namespace gpuplan {

using Kind = NetworkLayer::Kind;
using Role = NetworkLayer::Role;

double NetworkLayer::parameters() const {
  const auto each = [this]() -> double {
    const double inputs = static_cast<double>(in);
    const double outputs = static_cast<double>(out);
    const double offsets = bias ? outputs : 0.0;
    switch (kind) {
      case Kind::convolution:
        return outputs * (inputs / static_cast<double>(groups)) * static_cast<double>(kernel_h) *
                   static_cast<double>(kernel_w) +
               offsets;
      case Kind::linear:
        return inputs * outputs + offsets;
      case Kind::attention:
        return 0.0;
      case Kind::norm:
        return outputs + offsets;
      case Kind::embedding:
        return inputs * outputs;
      case Kind::table:
        return outputs;
    }
    return 0.0;
  };
  return repeat * each();
}

double NetworkLayer::multiply_adds() const {
  switch (kind) {
    case Kind::convolution:
    case Kind::linear:
      return positions * (parameters() - (bias ? repeat * static_cast<double>(out) : 0.0));
    case Kind::attention:  // scores, then their product with the values
      return repeat * 2.0 * positions * keys * static_cast<double>(out);
    case Kind::norm:
    case Kind::embedding:
    case Kind::table:
      return 0.0;
  }
  return 0.0;
}

namespace models {

NetworkLayer& Layers::append(std::string_view name, Kind kind, Role role) {
  NetworkLayer layer;
  layer.name = prefix_ + std::string(name);
  layer.kind = kind;
  layer.role = role;
  layer.repeat = repeat;
  return out_.emplace_back(std::move(layer));
}

void Layers::leave() {
  prefix_.pop_back();
  const std::size_t dot = prefix_.rfind('.');
  prefix_.resize(dot == std::string::npos ? 0 : dot + 1);
}

NetworkLayer& Layers::convolution(std::string_view name, std::int64_t in, std::int64_t out,
                                  std::int64_t kernel, double positions, bool bias) {
  NetworkLayer& layer = append(name, Kind::convolution, Role::other);
  layer.in = in;
  layer.out = out;
  layer.kernel_h = layer.kernel_w = kernel;
  layer.positions = positions;
  layer.bias = bias;
  return layer;
}

NetworkLayer& Layers::linear(std::string_view name, std::int64_t in, std::int64_t out, double positions,
                             bool bias) {
  NetworkLayer& layer = append(name, Kind::linear, Role::other);
  layer.in = in;
  layer.out = out;
  layer.positions = positions;
  layer.bias = bias;
  return layer;
}

NetworkLayer& Layers::attention(std::string_view name, std::int64_t width, double positions, double keys) {
  NetworkLayer& layer = append(name, Kind::attention, Role::attention);
  layer.in = layer.out = width;
  layer.positions = positions;
  layer.keys = keys;
  return layer;
}

NetworkLayer& Layers::norm(std::string_view name, std::int64_t width, bool bias) {
  NetworkLayer& layer = append(name, Kind::norm, Role::norms);
  layer.in = layer.out = width;
  layer.bias = bias;
  return layer;
}

NetworkLayer& Layers::embedding(std::string_view name, std::int64_t rows, std::int64_t width) {
  NetworkLayer& layer = append(name, Kind::embedding, Role::embedding);
  layer.in = rows;
  layer.out = width;
  return layer;
}

NetworkLayer& Layers::table(std::string_view name, std::int64_t values) {
  NetworkLayer& layer = append(name, Kind::table, Role::other);
  layer.out = values;
  return layer;
}

void encoder_block(Layers& layers, const EncoderBlock& b) {
  const auto attention = [&](std::string_view name, std::int64_t key_width, double key_tokens) {
    const Part part(layers, name);
    layers.norm("norm", b.hidden);
    layers.linear("query", b.hidden, b.hidden, b.tokens).role = Role::attention;
    layers.linear("key", key_width, b.hidden, key_tokens, b.key_bias).role = Role::attention;
    layers.linear("value", key_width, b.hidden, key_tokens).role = Role::attention;
    layers.attention("attention", b.hidden, b.tokens, key_tokens);
    layers.linear("out", b.hidden, b.hidden, b.tokens).role = Role::attention;
  };
  attention("self", b.hidden, b.keys);
  if (b.cross_width > 0) {
    attention("cross", b.cross_width, b.cross_tokens);
  }
  const Part part(layers, "mlp");
  layers.norm("norm", b.hidden);
  layers.linear("up", b.hidden, b.ffn, b.tokens).role = Role::mlp;
  layers.linear("down", b.ffn, b.hidden, b.tokens).role = Role::mlp;
}

namespace {

// A single layer written out in a model file.
struct Single {
  std::int64_t in = 0, out = 0, kernel = 1, kernel_w = 0, groups = 1;
  bool bias = true, norm = false;
  double positions = 0.0;
};

template <class V>
void describe(V& v, Single& s) {
  v.field("in", s.in, "channels, features or rows", json::Range{0, 1 << 28});
  v.field("out", s.out, "channels, features or values", json::Range{1, 1 << 28}, json::required);
  v.field("kernel", s.kernel, "size of a convolution's kernel", json::Range{1, 1 << 10});
  v.field("kernel_w", s.kernel_w, "width of that kernel where it is not square", json::Range{0, 1 << 10});
  v.field("groups", s.groups, "groups of a convolution", json::Range{1, 1 << 20});
  v.field("bias", s.bias, "with a bias");
  v.field("norm", s.norm, "followed by a batch norm");
  v.field("positions", s.positions, "outputs for one input", json::Range{0, 1e12});
}

void unroll_single(std::string_view type, const json::Value& shape, const std::string& path, Layers& layers,
                   std::vector<Problem>& problems) {
  Single s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  if (s.in == 0 && type != "norm" && type != "table") {
    problems.push_back({path + ".in", "nothing", "a whole number >= 1", ""});
  } else if (s.in % s.groups != 0 || s.out % s.groups != 0) {
    problems.push_back({path + ".groups", std::to_string(s.groups), "a divisor of in and out", ""});
  } else if (type == "convolution") {
    NetworkLayer& layer = layers.convolution("", s.in, s.out, s.kernel, s.positions, s.bias);
    layer.kernel_w = s.kernel_w > 0 ? s.kernel_w : s.kernel;
    layer.groups = s.groups;
  } else if (type == "linear") {
    layers.linear("", s.in, s.out, s.positions, s.bias);
  } else if (type == "norm") {
    layers.norm("", s.out, s.bias);
  } else if (type == "embedding") {
    layers.embedding("", s.in, s.out);
  } else {
    layers.table("", s.out);
  }
  if (s.norm) {
    layers.norm("norm", s.out);
  }
}

constexpr std::array<std::string_view, 5> kSingles = {"convolution", "linear", "norm", "embedding", "table"};
// A new grammar is a function and a line here.
constexpr std::array<std::pair<std::string_view, Unroll*>, 8> kGrammars = {{{"vit", unroll_vit},
                                                                            {"resnet", unroll_resnet},
                                                                            {"yolov8", unroll_yolov8},
                                                                            {"bert", unroll_bert},
                                                                            {"whisper", unroll_whisper},
                                                                            {"flux", unroll_flux},
                                                                            {"unet", unroll_unet},
                                                                            {"decoder", unroll_decoder}}};

void unroll_sum(const json::Value& shape, const std::string& path, Layers& layers,
                std::vector<Problem>& problems) {
  const json::Value* parts = shape.find("parts");
  if (parts == nullptr || !parts->is_array() || parts->array().empty()) {
    problems.push_back(
        {path + ".parts", parts == nullptr ? "nothing" : json::excerpt(*parts), "an array of shapes", ""});
    return;
  }
  for (std::size_t i = 0; i < parts->array().size(); ++i) {
    unroll_any(parts->array()[i], path + ".parts[" + std::to_string(i) + "]", layers, problems);
  }
}

}  // namespace

void unroll_any(const json::Value& shape, const std::string& path, Layers& layers,
                std::vector<Problem>& problems) {
  const json::Value* type = shape.find("type");
  const json::Value* name = shape.find("name");
  std::int64_t repeat = 1;
  if (const json::Value* times = shape.find("repeat")) {
    json::Reader(shape, path, problems).read(*times, path + ".repeat", repeat, kRepeats);
  }
  const std::string kind = type != nullptr && type->is_string() ? type->string() : "";
  const Part part(layers, name != nullptr && name->is_string() ? name->string() : kind,
                  static_cast<double>(repeat));
  if (kind == "sum") {
    unroll_sum(shape, path, layers, problems);
    return;
  }
  std::vector<std::string> choices = {"sum"};
  for (const auto& [grammar, unroll] : kGrammars) {
    if (grammar == kind) {
      unroll(shape, path, layers, problems);
      return;
    }
    choices.emplace_back(grammar);
  }
  for (const std::string_view single : kSingles) {
    if (single == kind) {
      unroll_single(single, shape, path, layers, problems);
      return;
    }
    choices.emplace_back(single);
  }
  problems.push_back({path + ".type", type == nullptr ? "nothing" : json::excerpt(*type),
                      "a network grammar or a layer", did_you_mean(kind, choices)});
}

}  // namespace models

std::vector<NetworkLayer> layers_of(const Model& model) {
  std::vector<NetworkLayer> out;
  std::vector<Problem> problems;
  const json::Value* shape = model.raw.find("shape");
  if (shape == nullptr || !shape->is_object()) {
    problems.push_back(
        {model.name + ": $.shape", shape == nullptr ? "nothing" : json::excerpt(*shape), "an object", ""});
  } else {
    models::Layers layers(out);
    models::unroll_any(*shape, model.name + ": $.shape", layers, problems);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

ParameterCount count_layers(const Model& model) {
  ParameterCount count;
  for (const NetworkLayer& layer : layers_of(model)) {
    const double parameters = layer.parameters();
    count.total += parameters;
    switch (layer.role) {
      case Role::attention:
        count.attention += parameters;
        break;
      case Role::mlp:
        count.mlp += parameters;
        break;
      case Role::norms:
        count.norms += parameters;
        break;
      case Role::embedding:
        count.embedding += parameters;
        break;
      case Role::other:
        count.other += parameters;
        break;
    }
  }
  count.active = count.total;
  return count;
}

}  // namespace gpuplan

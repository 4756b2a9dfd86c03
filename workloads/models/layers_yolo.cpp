// YOLOv8 as ultralytics builds it (cfg/models/v8/yolov8.yaml): a CSP backbone of C2f blocks, SPPF, a PAN neck
// and a decoupled head on three scales. Widths are scaled, capped and rounded up to multiples of 8, depths
// scaled and rounded. A Conv is a convolution without bias, a batch norm and SiLU.
#include <algorithm>
#include <cmath>

#include "workloads/models/shape.h"

namespace gpuplan::models {

namespace {

struct Yolo {
  double depth = 1.0, width = 1.0;
  std::int64_t max_channels = 1024, image = 640, classes = 80, bins = 16;
};

template <class V>
void describe(V& v, Yolo& s) {
  v.field("depth", s.depth, "factor on the repeats of a block",
          json::Range{.min = 0, .max = 16, .open_min = true}, json::required);
  v.field("width", s.width, "factor on the channels", json::Range{.min = 0, .max = 16, .open_min = true},
          json::required);
  v.field("max_channels", s.max_channels, "cap on the channels before scaling", kChannels, json::required);
  v.field("image", s.image, "pixels on a side", kChannels);
  v.field("classes", s.classes, "classes of the head", kChannels);
  v.field("bins", s.bins, "bins of a box side's distribution", kChannels);
}

class Builder {
 public:
  Builder(Layers& layers, const Yolo& spec) : layers_(layers), spec_(spec) {}

  [[nodiscard]] std::int64_t channels(std::int64_t base) const {
    const double scaled = static_cast<double>(std::min(base, spec_.max_channels)) * spec_.width;
    return static_cast<std::int64_t>(std::ceil(scaled / 8.0)) * 8;
  }
  [[nodiscard]] double repeats(double base) const {
    return std::max(1.0, std::nearbyint(base * spec_.depth));
  }
  void conv(std::string_view name, std::int64_t in, std::int64_t out, std::int64_t kernel,
            std::int64_t side) {
    layers_.convolution(name, in, out, kernel, static_cast<double>(side) * static_cast<double>(side));
    layers_.norm(std::string(name) + "_norm", out);
  }
  // Split in two halves, `n` bottlenecks of two 3x3 on one half, all halves concatenated and mixed.
  void c2f(std::string_view name, std::int64_t in, std::int64_t out, double base_repeats, std::int64_t side) {
    const Part part(layers_, name);
    const std::int64_t half = out / 2;
    const double n = repeats(base_repeats);
    conv("split", in, 2 * half, 1, side);
    {
      const Part bottleneck(layers_, "bottleneck", n);
      conv("conv1", half, half, 3, side);
      conv("conv2", half, half, 3, side);
    }
    conv("mix", (2 + static_cast<std::int64_t>(n)) * half, out, 1, side);
  }
  void sppf(std::int64_t width, std::int64_t side) {
    const Part part(layers_, "sppf");
    conv("reduce", width, width / 2, 1, side);
    conv("mix", 4 * (width / 2), width, 1, side);
  }
  // Box distribution and class scores of one scale.
  void head(std::string_view name, std::int64_t in, std::int64_t first_in, std::int64_t side) {
    const Part part(layers_, name);
    const double cells = static_cast<double>(side) * static_cast<double>(side);
    const std::int64_t box = std::max<std::int64_t>({16, first_in / 4, 4 * spec_.bins});
    const std::int64_t score = std::max(first_in, std::min<std::int64_t>(spec_.classes, 100));
    conv("box1", in, box, 3, side);
    conv("box2", box, box, 3, side);
    layers_.convolution("box", box, 4 * spec_.bins, 1, cells, true);
    conv("class1", in, score, 3, side);
    conv("class2", score, score, 3, side);
    layers_.convolution("class", score, spec_.classes, 1, cells, true);
  }

 private:
  Layers& layers_;
  const Yolo& spec_;
};

}  // namespace

void unroll_yolov8(const json::Value& shape, const std::string& path, Layers& layers,
                   std::vector<Problem>& problems) {
  Yolo s;
  if (!read_shape(shape, path, s, problems)) {
    return;
  }
  Builder b(layers, s);
  const std::int64_t c1 = b.channels(64), c2 = b.channels(128), c3 = b.channels(256), c4 = b.channels(512),
                     c5 = b.channels(1024);
  const auto side = [&](std::int64_t stride) { return s.image / stride; };
  {
    const Part part(layers, "backbone");
    b.conv("p1", 3, c1, 3, side(2));
    b.conv("p2", c1, c2, 3, side(4));
    b.c2f("c2f2", c2, c2, 3, side(4));
    b.conv("p3", c2, c3, 3, side(8));
    b.c2f("c2f3", c3, c3, 6, side(8));
    b.conv("p4", c3, c4, 3, side(16));
    b.c2f("c2f4", c4, c4, 6, side(16));
    b.conv("p5", c4, c5, 3, side(32));
    b.c2f("c2f5", c5, c5, 3, side(32));
    b.sppf(c5, side(32));
  }
  {
    const Part part(layers, "neck");
    b.c2f("up4", c5 + c4, c4, 3, side(16));
    b.c2f("up3", c4 + c3, c3, 3, side(8));
    b.conv("down4", c3, c3, 3, side(16));
    b.c2f("out4", c3 + c4, c4, 3, side(16));
    b.conv("down5", c4, c4, 3, side(32));
    b.c2f("out5", c4 + c5, c5, 3, side(32));
  }
  const Part part(layers, "detect");
  b.head("p3", c3, c3, side(8));
  b.head("p4", c4, c3, side(16));
  b.head("p5", c5, c3, side(32));
  layers.table("bins", s.bins);  // the fixed weights that turn bins into distances
}

}  // namespace gpuplan::models

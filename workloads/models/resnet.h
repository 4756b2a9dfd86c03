// Shape of a bottleneck ResNet (v1.5: the stride is on the 3x3), as a model file has it.
#pragma once

#include <cstdint>
#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan::models {

struct Resnet {
  std::vector<std::int64_t> blocks;  // by stage
  std::int64_t image = 224, stem = 64, expansion = 4, classes = 1000;
};

template <class V>
void describe(V& v, Resnet& s) {
  v.field("blocks", s.blocks, "bottleneck blocks of each stage", json::Range{.min = 1, .max = 1 << 12},
          json::required);
  v.field("image", s.image, "pixels on a side", json::Range{.min = 1, .max = 1 << 20});
  v.field("stem", s.stem, "channels of the first convolution", json::Range{.min = 1, .max = 1 << 20});
  v.field("expansion", s.expansion, "output over inner width of a block", json::Range{1, 64});
  v.field("classes", s.classes, "outputs of the classifier", json::Range{.min = 0, .max = 1 << 20});
}

}  // namespace gpuplan::models

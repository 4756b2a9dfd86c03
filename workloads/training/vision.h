// Training on images. A vision transformer is the layers of a decoder that sees both ways, between a patch
// convolution and a classifier (vit.cpp). A ResNet is a chain of blocks that differ (convnet.cpp); it is
// split over data alone.
#pragma once

#include "workloads/training/rules.h"
#include "workloads/training/stages.h"
#include "workloads/training/step.h"

namespace gpuplan {

// Takes the shape of a model that looks at images into the job, with its image size and what its software
// defaults to; does nothing the second time. Problems carry paths below `path`.
void resolve_images(TrainingJob& job, const std::string& path, std::vector<Problem>& problems);

void check_vit(const TrainingJob& job, Rules& rules);
RankParameters vit_parameters(const TrainingJob& job, int stage);
LayerWork lower_patches(const TrainingJob& job);
LayerWork lower_classifier(const TrainingJob& job);

// Elements in front of the layers and behind them, of the whole model.
struct VitEnds {
  double front = 0.0, back = 0.0;
};
VitEnds vit_ends(const models::Vit& shape);

// A convolution with its batch norm. Counts are for one image.
struct ConvnetLayer {
  std::string_view name;  // "conv1"
  std::int64_t side = 0, in = 0, out = 0, kernel = 1, stride = 1;
  bool relu = true;       // behind the norm (and the addition)
  bool residual = false;  // the block's input is added in front of the ReLU
  [[nodiscard]] std::int64_t side_out() const { return (side - 1) / stride + 1; }
  [[nodiscard]] double inputs() const { return static_cast<double>(in * side * side); }
  [[nodiscard]] double outputs() const { return static_cast<double>(out * side_out() * side_out()); }
  [[nodiscard]] double weights() const { return static_cast<double>(in * out * kernel * kernel); }
  [[nodiscard]] double parameters() const { return weights() + 2.0 * static_cast<double>(out); }
};
// Stem or bottleneck block.
struct ConvnetUnit {
  std::string name;  // "stem", "stage 1"
  std::vector<ConvnetLayer> layers;
  [[nodiscard]] double parameters() const;
};
std::vector<ConvnetUnit> convnet_units(const models::Resnet& shape);  // stem first
std::int64_t convnet_features(const models::Resnet& shape);           // channels in front of the classifier
double classifier_parameters(const models::Resnet& shape);

void check_convnet(const TrainingJob& job, Rules& rules);
RankParameters convnet_parameters(const TrainingJob& job);
LayerWork lower_stem(const TrainingJob& job);
LayerWork lower_convnet_head(const TrainingJob& job);

}  // namespace gpuplan

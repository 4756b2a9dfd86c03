#include "workloads/memory/convnet_memory.h"

#include <algorithm>

#include "workloads/training/vision.h"

namespace gpuplan {

namespace {

// What a unit keeps of one image, its input left out: the unit before keeps that.
double kept(const TrainingJob& job, const ConvnetUnit& unit) {
  const double e = job.activation_bytes();
  double out = 0.0;
  for (const ConvnetLayer& layer : unit.layers) {
    out += e * layer.outputs();                     // input of the norm
    out += layer.relu ? e * layer.outputs() : 0.0;  // output of the ReLU
    out += *job.software.convnet->fused_norms && layer.relu ? layer.outputs() / 8.0 : 0.0;
  }
  return out;
}

// Statistics of a unit's norms, for all images together.
double statistics(const ConvnetUnit& unit) {
  double out = 0.0;
  for (const ConvnetLayer& layer : unit.layers) {
    out += 8.0 * static_cast<double>(layer.out);
  }
  return out;
}

// Tensors that live while a unit is differentiated, of one image: the gradient of its output, and the widest
// pair of gradients inside; channels first, a layer's input and output once more, for the tensor cores.
double in_flight(const TrainingJob& job, const ConvnetUnit& unit) {
  const double e = job.activation_bytes();
  double pair = 0.0, transposed = 0.0;
  for (const ConvnetLayer& layer : unit.layers) {
    pair = std::max(pair, e * (layer.inputs() + layer.outputs()));
    transposed = std::max(transposed, e * (layer.inputs() + layer.outputs()));
  }
  return pair + e * unit.layers.back().outputs() + (*job.software.convnet->channels_last ? 0.0 : transposed);
}

}  // namespace

std::vector<Bytes> convnet_bytes_per_image(const TrainingJob& job) {
  const models::Resnet& shape = *job.convnet();
  const double e = job.activation_bytes();
  std::vector<Bytes> out;
  for (const ConvnetUnit& unit : convnet_units(shape)) {
    const ConvnetLayer& first = unit.layers.front();
    if (!out.empty()) {
      out.emplace_back(kept(job, unit));
      continue;
    }
    const double pooled = unit.layers.back().outputs() / 4.0;
    // The images as they came and as they are computed with; the max pool's output and indices.
    out.emplace_back(kept(job, unit) + (4.0 + e) * first.inputs() + (e + 8.0) * pooled);
  }
  out.emplace_back(e * static_cast<double>(convnet_features(shape)) +
                   (e + 4.0) * static_cast<double>(shape.classes));
  return out;
}

ConvnetActivations convnet_activations(const TrainingJob& job) {
  const std::vector<ConvnetUnit> units = convnet_units(*job.convnet());
  const std::vector<Bytes> bytes = convnet_bytes_per_image(job);
  const double images = static_cast<double>(job.batch.micro_batch), e = job.activation_bytes();
  const int again = job.recompute == Recompute::none ? 0
                    : job.recompute_layers > 0       ? job.recompute_layers
                                                     : job.model.layers;
  double stored = 0.0, peak = 0.0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const bool recomputed = i > 0 && static_cast<int>(i) <= again;
    const double all = images * bytes[i].si() + statistics(units[i]);
    const double output = images * e * units[i].layers.back().outputs();
    stored += recomputed ? output : all;
    // Backward passes run from the last: what lies behind a unit is gone when its turn comes.
    peak = std::max(peak, stored + (recomputed ? all - output : 0.0) + images * in_flight(job, units[i]));
  }
  stored += images * bytes.back().si();
  peak = std::max(peak, stored);
  return {Bytes(stored), Bytes(peak - stored)};
}

}  // namespace gpuplan

// A ResNet's training step, block by block. A convolution takes three products: forward, the gradient of its
// input (not of the images) and of its weights, each priced as a convolution. Batch norm reads its input
// twice forward (statistics, then normalising) and input and gradient twice backward (sums, then the
// gradient).
//
//   not fused  norm, addition and ReLU a kernel each (eager PyTorch); the ReLU is in place, its output its
//   mask fused      norm, addition and ReLU one kernel each way (torch.compile; cuDNN's, with a mask of a bit
//   an
//              element, as in MXNet)
//
// Synchronised norms exchange mean, variance and count forward, and two sums backward, channel by channel
// (torch.nn.SyncBatchNorm: an all-gather and an all-reduce). FLOPs are three times the forward pass'.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "workloads/training/passes.h"
#include "workloads/training/vision.h"

namespace gpuplan {

using Kind = kernels::Elementwise::Kind;
using Pass = kernels::Convolution::Pass;

double ConvnetUnit::parameters() const {
  return std::accumulate(layers.begin(), layers.end(), 0.0,
                         [](double sum, const ConvnetLayer& layer) { return sum + layer.parameters(); });
}

std::vector<ConvnetUnit> convnet_units(const models::Resnet& shape) {
  std::vector<ConvnetUnit> out;
  out.push_back({"stem", {{"conv1", shape.image, 3, shape.stem, 7, 2, true, false}}});
  std::int64_t side = shape.image / 4, in = shape.stem, width = shape.stem;  // behind the max pool
  for (std::size_t stage = 0; stage < shape.blocks.size(); ++stage, width *= 2) {
    const std::int64_t outputs = width * shape.expansion;
    for (std::int64_t block = 0; block < shape.blocks[stage]; ++block) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1, side_out = side / stride;
      ConvnetUnit unit{fmt::format("stage {}", stage + 1), {}};
      unit.layers.push_back({"conv1", side, in, width, 1, 1, true, false});
      unit.layers.push_back({"conv2", side, width, width, 3, stride, true, false});
      if (block == 0) {
        unit.layers.push_back({"downsample", side, in, outputs, 1, stride, false, false});
      }
      unit.layers.push_back({"conv3", side_out, width, outputs, 1, 1, true, true});
      out.push_back(std::move(unit));
      side = side_out;
      in = outputs;
    }
  }
  return out;
}

std::int64_t convnet_features(const models::Resnet& shape) {
  return shape.blocks.empty() ? shape.stem : (shape.stem << (shape.blocks.size() - 1)) * shape.expansion;
}

double classifier_parameters(const models::Resnet& shape) {
  return static_cast<double>(shape.classes * (convnet_features(shape) + 1));
}

RankParameters convnet_parameters(const TrainingJob& job) {
  RankParameters out;
  out.dense = classifier_parameters(*job.convnet());
  for (const ConvnetUnit& unit : convnet_units(*job.convnet())) {
    out.dense += unit.parameters();
    out.layer = std::max(out.layer, unit.parameters());
  }
  out.trained = out.dense;
  return out;
}

void check_convnet(const TrainingJob& job, Rules& rules) {
  const TrainingParallelism& p = job.parallelism;
  const auto one = [&](const char* field, int degree) {
    rules.require(
        degree == 1, field, [&] { return std::to_string(degree); },
        [&] { return fmt::format("1: {} is split over data alone", job.model.name); });
  };
  one("parallelism.tensor", p.tensor);
  one("parallelism.pipeline", p.pipeline);
  one("parallelism.context", p.context);
  const auto named = [&](bool holds, const char* field, auto value, const char* expected) {
    rules.require(
        holds, field, [&] { return fmt::format("\"{}\"", json::name_of(value)); }, [&] { return expected; });
  };
  named(p.sharding != Sharding::zero3, "parallelism.sharding", p.sharding,
        "ddp, zero1, zero2 or fsdp, for a convolutional network");
  named(job.recompute == Recompute::none || job.recompute == Recompute::full, "recompute", job.recompute,
        "none or full (a block's), for a convolutional network");
  named(job.fine_tune.method == FineTune::full, "fine_tune.method", job.fine_tune.method,
        "full: low-rank additions are to the matrices of transformers");
  named(job.software.framework == Framework::fsdp || job.software.framework == Framework::compiled,
        "software.framework", job.software.framework,
        "fsdp (eager PyTorch) or compiled, for a convolutional network");
  const Precision c = job.precision.compute;
  named(c == Precision::fp16 || c == Precision::bf16 || c == Precision::tf32 || c == Precision::fp32,
        "precision.compute", c, "fp16, bf16, tf32 or fp32: convolutions are trained in nothing narrower");
}

namespace {

// The passes of one unit, in the order of its forward pass; backward kernels are summed, so that their order
// does not matter.
class Unit {
 public:
  Unit(const TrainingJob& job, std::string name)
      : job_(job), software_(*job.software.convnet), images_(static_cast<double>(job.batch.micro_batch)) {
    work_.name = std::move(name);
  }

  void layer(const ConvnetLayer& l, bool input_gradient) {
    convolution(l, input_gradient);
    *software_.fused_norms ? fused_norm(l) : norm(l);
    if (*software_.sync_batch_norm && job_.data() > 1) {
      synchronise(static_cast<double>(l.out));
    }
  }

  // A pass that reads and writes so many bytes for each of `elements` an image.
  void forward(std::string_view name, Kind kind, double elements, double read, double written) {
    work_.forward.kernels.push_back(
        pass(name, TrainingPart::elementwise, kind, images_ * elements, read, written));
  }
  void backward(std::string_view name, Kind kind, double elements, double read, double written) {
    work_.backward.kernels.push_back(
        pass(name, TrainingPart::elementwise, kind, images_ * elements, read, written));
  }

  // What weights cost besides: cast for the products (once a micro-batch), and their gradients added up.
  void weights(double elements) {
    const double w = job_.weight_bytes(), g = job_.gradient_bytes();
    if (w < 4.0 && !job_.shards_weights()) {
      work_.forward.kernels.push_back(
          pass("cast weights", TrainingPart::elementwise, Kind::copy, elements, 4.0, w));
    }
    if (g > w || job_.micro_batches() > 1) {
      work_.weights.kernels.push_back(pass("accumulate", TrainingPart::elementwise, Kind::residual, elements,
                                           w + (job_.micro_batches() > 1 ? g : 0.0), g));
    }
  }

  LayerWork take() {
    if (job_.recompute == Recompute::full) {
      work_.recompute = work_.forward;
    }
    return std::move(work_);
  }
  LayerWork& work() { return work_; }

 private:
  void convolution(const ConvnetLayer& l, bool input_gradient) {
    kernels::Convolution op;
    op.batch = job_.batch.micro_batch;
    op.height = op.width = l.side;
    op.in_channels = l.in;
    op.out_channels = l.out;
    op.kernel = l.kernel;
    op.stride = l.stride;
    op.padding = l.kernel / 2;
    op.layout =
        *software_.channels_last ? kernels::Convolution::Layout::nhwc : kernels::Convolution::Layout::nchw;
    op.precision = job_.precision.compute;
    const auto add = [&](TrainingPhase& phase, Pass which) {
      op.pass = which;
      phase.kernels.push_back({l.name, TrainingPart::convolution, op});
    };
    add(work_.forward, Pass::forward);
    if (input_gradient) {
      add(work_.backward, Pass::data_gradient);
    }
    add(work_.weights, Pass::weight_gradient);
    weights(l.parameters());
    work_.flops += 6.0 * images_ * l.outputs() * static_cast<double>(l.in * l.kernel * l.kernel);
  }

  void norm(const ConvnetLayer& l) {
    const double e = job_.activation_bytes(), t = l.outputs();
    forward("batch norm", Kind::norm, t, 2.0 * e, e);
    backward("batch norm", Kind::norm, t, 4.0 * e, e);
    if (l.residual) {
      forward("addition", Kind::residual, t, 2.0 * e, e);  // its gradient is that of both
    }
    if (l.relu) {
      forward("relu", Kind::activation, t, e, e);
      backward("relu", Kind::activation, t, 2.0 * e, e);
    }
  }

  void fused_norm(const ConvnetLayer& l) {
    const double e = job_.activation_bytes(), t = l.outputs(), more = l.residual ? e : 0.0;
    const double mask = l.relu ? 0.125 : 0.0;
    forward("batch norm", Kind::norm, t, 2.0 * e + more, e + mask);
    backward("batch norm", Kind::norm, t, 4.0 * e + 2.0 * mask, e + more);
  }

  void synchronise(double channels) {
    work_.forward.collectives.push_back({"batch statistics", collectives::Collective::all_gather, Group::data,
                                         Bytes(4.0 * (2.0 * channels + 1.0) * job_.data()), 1.0,
                                         Overlap::none});
    work_.backward.collectives.push_back({"batch statistics", collectives::Collective::all_reduce,
                                          Group::data, Bytes(8.0 * channels), 1.0, Overlap::none});
  }

  const TrainingJob& job_;
  const ConvnetSoftware& software_;
  double images_;
  LayerWork work_;
};

}  // namespace

std::vector<LayerWork> lower_chain(const TrainingJob& job) {
  std::vector<LayerWork> out;
  if (job.convnet() == nullptr) {
    return out;
  }
  const std::vector<ConvnetUnit> units = convnet_units(*job.convnet());
  for (std::size_t i = 1; i < units.size(); ++i) {
    Unit unit(job, units[i].name);
    for (const ConvnetLayer& layer : units[i].layers) {
      unit.layer(layer, true);
    }
    // The block's input goes two ways: both gradients are added.
    const double e = job.activation_bytes();
    unit.backward("add gradients", Kind::residual, units[i].layers.front().inputs(), 2.0 * e, e);
    out.push_back(unit.take());
    add_sharded(job, units[i].parameters(), out.back());
  }
  return out;
}

LayerWork lower_stem(const TrainingJob& job) {
  const ConvnetLayer stem = convnet_units(*job.convnet()).front().layers.front();
  const double e = job.activation_bytes();
  Unit unit(job, "stem");
  unit.forward("cast images", Kind::copy, stem.inputs(), 4.0, e);  // fp32 from the data loader
  unit.layer(stem, false);
  // Max pool of 3 x 3 by 2: indices of 8 B an output (PyTorch) tell the gradient where to go.
  const double in = stem.outputs(), pooled = in / 4.0;
  unit.forward("max pool", Kind::activation, pooled, 4.0 * e, e + 8.0);
  unit.backward("max pool", Kind::activation, in, 0.25 * (e + 8.0), e);
  return unit.take();
}

LayerWork lower_convnet_head(const TrainingJob& job) {
  const models::Resnet& shape = *job.convnet();
  const ConvnetLayer last = convnet_units(shape).back().layers.back();
  const double e = job.activation_bytes(), images = static_cast<double>(job.batch.micro_batch);
  Unit unit(job, "head");
  const double pixels = last.outputs() / static_cast<double>(last.out);
  unit.forward("average pool", Kind::activation, static_cast<double>(last.out), pixels * e, e);
  unit.backward("average pool", Kind::activation, last.outputs(), e / pixels, e);
  LayerWork work = unit.take();
  work.recompute = {};
  if (shape.classes > 0) {
    add_matrix(job, work, "classifier", TrainingPart::head, job.batch.micro_batch, shape.classes, last.out);
    const double logits = images * static_cast<double>(shape.classes);
    work.forward.kernels.push_back(pass("loss", TrainingPart::head, Kind::norm, logits, e, 4.0, 2.0));
    work.backward.kernels.push_back(pass("loss", TrainingPart::head, Kind::norm, logits, 4.0, e, 2.0));
  }
  return work;
}

}  // namespace gpuplan

// Buckets of gradients, as PyTorch's DistributedDataParallel makes them
// (torch/csrc/distributed/c10d/reducer.cpp, compute_bucket_assignment_by_size, rebuilt in the order gradients
// became ready in the first step): tensors go into a bucket, from the last layer to the first, until it holds
// its limit; the first holds 1 MiB (kDefaultFirstBucketBytes), the others bucket_cap_mb = 25 (the default). A
// bucket is reduced when all of its gradients are there, one after the other, so that the last waits for the
// end of the backward pass.
#include <algorithm>

#include "workloads/training/passes.h"
#include "workloads/training/vision.h"

namespace gpuplan {

namespace {

// Elements of the gradients of one block, in the order in which they are ready.
using Tensors = std::vector<double>;

// A decoder's layer: its matrices from the last, and the rest (norms, biases, routers). In all `dense`
// elements and `experts`.
Tensors layer_tensors(const TrainingJob& job, double dense, double experts) {
  const Model& m = job.model;
  const double h = m.hidden, t = job.parallelism.tensor;
  const double q = static_cast<double>(m.heads) * m.head_dim / t;
  const double kv = std::max(1.0, m.kv_heads / t) * m.head_dim;
  const int up = m.mlp == Mlp::gated ? 2 : 1;
  Tensors out;
  if (experts > 0.0) {
    const int count = std::max(1, m.moe->experts / job.parallelism.expert) * (up + 1);
    out.assign(static_cast<std::size_t>(count), experts / count);
  }
  Tensors matrices;
  if (experts <= 0.0) {
    matrices.assign(static_cast<std::size_t>(up) + 1, h * m.ffn / t);
  }
  if (!m.mla) {
    matrices.insert(matrices.end(), {h * q, h * kv, h * kv, h * q});
  }
  double left = dense;
  for (const double one : matrices) {
    if (one <= left) {
      out.push_back(one);
      left -= one;
    }
  }
  out.push_back(left);
  return out;
}

std::vector<Tensors> convnet_tensors(const TrainingJob& job) {
  const std::vector<ConvnetUnit> units = convnet_units(*job.convnet());
  std::vector<Tensors> out = {{classifier_parameters(*job.convnet())}};
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    Tensors tensors;
    for (auto layer = unit->layers.rbegin(); layer != unit->layers.rend(); ++layer) {
      tensors.push_back(layer->parameters());
    }
    out.push_back(std::move(tensors));
  }
  return out;
}

// Of a stage's blocks, from the last.
std::vector<Tensors> stage_tensors(const TrainingJob& job, int stage) {
  if (job.convnet() != nullptr) {
    return convnet_tensors(job);
  }
  const TrainingParallelism& parallel = job.parallelism;
  const RankParameters p = rank_parameters(job, stage);
  const bool first = stage == 0, last = stage == parallel.pipeline - 1;
  double front = 0.0, back = 0.0;
  if (job.vit() != nullptr) {
    const VitEnds ends = vit_ends(*job.vit());
    front = first ? ends.front : 0.0;
    back = last ? ends.back : 0.0;
  } else {
    const ParameterCount count = count_parameters(job.model);
    const double head = count.lm_head > 0.0 ? count.lm_head : (parallel.pipeline > 1 ? count.embedding : 0.0);
    front = first ? count.embedding / parallel.tensor : 0.0;
    back = last ? head / parallel.tensor : 0.0;
  }
  const int layers = layers_of_stage(job, stage), sparse = moe_layers_of_stage(job, stage);
  const double dense = layers > 0 ? (p.dense - front - back) / layers : 0.0;
  const double experts = sparse > 0 ? p.experts / std::max(1, parallel.expert) / sparse : 0.0;
  std::vector<Tensors> out;
  if (last) {
    out.push_back({back});
  }
  for (int i = 0; i < layers; ++i) {  // those with experts come last, so first here
    out.push_back(layer_tensors(job, dense, i < sparse ? experts : 0.0));
  }
  if (first) {
    out.push_back({front});
  }
  return out;
}

}  // namespace

std::vector<GradientBucket> gradient_buckets(const TrainingJob& job, int stage) {
  constexpr double mebi = 1048576.0;
  const double cap = *job.software.bucket_mb * mebi;
  double limit = std::min(cap, mebi), held = 0.0;
  std::vector<GradientBucket> out;
  int block = 0;
  const auto close = [&] {
    out.push_back({{"reduce gradients", collectives::Collective::all_reduce, Group::data, Bytes(held), 1.0,
                    *job.software.overlap_gradients ? Overlap::pass : Overlap::none},
                   block});
    held = 0.0;
    limit = cap;
  };
  for (const Tensors& tensors : stage_tensors(job, stage)) {
    ++block;
    for (const double elements : tensors) {
      held += elements * job.reduce_bytes();
      if (held >= limit) {
        close();
      }
    }
  }
  if (held > 0.0) {
    close();
  }
  return out;
}

}  // namespace gpuplan

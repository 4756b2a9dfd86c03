#include "workloads/training/stages.h"

#include <algorithm>

#include "workloads/training/vision.h"

namespace gpuplan {

int layers_of_stage(const TrainingJob& job, int stage) {
  const int layers = job.model.layers, stages = job.parallelism.pipeline;
  if (layers % stages == 0) {
    return layers / stages;
  }
  if ((layers + 2) % stages == 0) {
    const int each = (layers + 2) / stages;
    return each - (stage == 0 ? 1 : 0) - (stage == stages - 1 ? 1 : 0);
  }
  const int rest = layers % stages, first = (stages - rest) / 2;
  return layers / stages + (stage >= first && stage < first + rest ? 1 : 0);
}

int moe_layers_of_stage(const TrainingJob& job, int stage) {
  if (!job.model.moe) {
    return 0;
  }
  int before = 0;
  for (int i = 0; i < stage; ++i) {
    before += layers_of_stage(job, i);
  }
  const int mine = layers_of_stage(job, stage);
  const int dense = std::clamp(job.model.moe->first_dense_layers - before, 0, mine);
  return mine - dense;
}

namespace {

// Elements of the low-rank additions to the matrices of all layers: rank x (inputs + outputs) each.
double low_rank_elements(const TrainingJob& job) {
  const Model& m = job.model;
  const double h = m.hidden, q = static_cast<double>(m.heads) * m.head_dim;
  const double kv = static_cast<double>(m.kv_heads) * m.head_dim, f = m.ffn;
  const bool all = job.fine_tune.targets == LowRankTargets::all;
  const double mlp = all ? (m.mlp == Mlp::gated ? 3.0 : 2.0) * (h + f) : 0.0;
  const double widths = (h + q) + 2.0 * (h + kv) + (q + h) + mlp;
  return m.layers * job.fine_tune.rank * widths / job.parallelism.tensor;
}

}  // namespace

RankParameters rank_parameters(const TrainingJob& job, int stage) {
  if (job.convnet() != nullptr) {
    return convnet_parameters(job);
  }
  if (job.vit() != nullptr) {
    RankParameters out = vit_parameters(job, stage);
    out.trained = job.fine_tune.method == FineTune::full ? out.dense : low_rank_elements(job);
    return out;
  }
  const TrainingParallelism& p = job.parallelism;
  const ParameterCount count = count_parameters(job.model);
  const double layers = job.model.layers, tensor = p.tensor;
  const double mine = layers_of_stage(job, stage);
  const double dense_layer = (count.attention + count.mlp) / layers / tensor + count.norms / layers;
  RankParameters out;
  out.dense = mine * dense_layer;
  const int sparse = moe_layers(job.model);
  double experts_layer = 0.0;
  if (sparse > 0) {
    // Experts are spread over the expert group; tensor parallelism cuts them only where the group is narrower
    // than what is left (Megatron's expert tensor parallel size 1 with an expert group, else the tensor's).
    experts_layer = count.experts / sparse / (p.expert > 1 ? p.expert : tensor);
    out.experts = moe_layers_of_stage(job, stage) * experts_layer;
  }
  if (stage == 0) {
    out.dense += count.embedding / tensor;
  }
  if (stage == p.pipeline - 1) {
    const double head = count.lm_head > 0.0 ? count.lm_head : (p.pipeline > 1 ? count.embedding : 0.0);
    out.dense += head / tensor;
  }
  out.layer = dense_layer + experts_layer;
  out.trained = job.fine_tune.method == FineTune::full ? out.total() : low_rank_elements(job);
  return out;
}

}  // namespace gpuplan

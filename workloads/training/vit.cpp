// A vision transformer around its layers. In front: images are cut into patches, a product makes tokens of
// them (the patch convolution: its stride is its kernel), tokens and positions are added. Behind: norm,
// classifier of one token an image (or SigLIP's pool), loss. Tensor-parallel ranks each do all of that: it is
// small. FLOPs are three times the forward pass', although images need no gradient (timm, PaLM: the same
// convention).
#include <fmt/format.h>

#include "workloads/training/passes.h"
#include "workloads/training/vision.h"

namespace gpuplan {

using Kind = kernels::Elementwise::Kind;

VitEnds vit_ends(const models::Vit& s) {
  const double h = static_cast<double>(s.hidden), f = static_cast<double>(s.ffn);
  const double pixels = static_cast<double>(s.channels * s.patch * s.patch);
  VitEnds out;
  out.front = pixels * h + (s.pre_norm ? 2.0 * h : h) +  // CLIP: a norm instead of the bias
              static_cast<double>(s.prefix() + s.positions()) * h;
  out.back = s.final_norm ? 2.0 * h : 0.0;
  if (s.attention_pool) {
    out.back += h + 4.0 * (h * h + h) + 2.0 * h + 2.0 * h * f + f + h;
  }
  if (s.classes > 0) {
    out.back += (h + 1.0) * static_cast<double>(s.classes);
  }
  return out;
}

RankParameters vit_parameters(const TrainingJob& job, int stage) {
  const models::Vit& s = *job.vit();
  const double h = static_cast<double>(s.hidden), f = static_cast<double>(s.ffn);
  const double matrices = 4.0 * (h * h + h) + 2.0 * h * f + f + h;
  const VitEnds ends = vit_ends(s);
  RankParameters out;
  out.layer = matrices / job.parallelism.tensor + 4.0 * h + (s.layer_scale ? 2.0 * h : 0.0);
  out.dense = layers_of_stage(job, stage) * out.layer + (stage == 0 ? ends.front : 0.0) +
              (stage == job.parallelism.pipeline - 1 ? ends.back : 0.0);
  return out;
}

void check_vit(const TrainingJob& job, Rules& rules) {
  const TrainingParallelism& p = job.parallelism;
  rules.require(
      p.context == 1, "parallelism.context", [&] { return std::to_string(p.context); },
      [&] { return fmt::format("1: the {} tokens of an image are not shared", job.batch.seq_len); });
  rules.require(
      !job.sequence_parallel() || job.batch.seq_len % p.tensor == 0, "parallelism.sequence_parallel",
      [] { return "true"; },
      [&] {
        return fmt::format("false: tensor {} does not divide the {} tokens of an image", p.tensor,
                           job.batch.seq_len);
      });
}

LayerWork lower_patches(const TrainingJob& job) {
  LayerWork work;
  const models::Vit& s = *job.vit();
  const std::int64_t images = job.batch.micro_batch, pixels = s.channels * s.patch * s.patch;
  const std::int64_t patches = images * s.patches();
  const double e = job.activation_bytes(), wide = e * static_cast<double>(s.hidden);
  const double all =
      static_cast<double>(images) * static_cast<double>(s.channels) * static_cast<double>(s.image * s.image);
  // Images arrive in fp32 (the data loader's), patches leave in the format that is computed in.
  work.forward.kernels.push_back(pass("cut into patches", TrainingPart::head, Kind::copy, all, 4.0, e));
  add_matrix(job, work, "patch convolution", TrainingPart::head, patches, s.hidden, pixels);
  work.backward.kernels.clear();  // images need no gradient
  const double tokens = static_cast<double>(job.local_tokens());
  work.forward.kernels.push_back(
      pass("tokens and positions", TrainingPart::head, Kind::residual, tokens, 2.0 * wide, wide, 2.0));
  work.weights.kernels.push_back(
      pass("positions", TrainingPart::head, Kind::residual, tokens, wide, 0.0, 2.0));
  if (s.pre_norm) {
    work.forward.kernels.push_back(pass("first norm", TrainingPart::head, Kind::norm, tokens, wide, wide));
    work.backward.kernels.push_back(
        pass("first norm", TrainingPart::head, Kind::norm, tokens, 2.0 * wide, wide));
  }
  work.flops /= job.parallelism.tensor;
  return work;
}

LayerWork lower_classifier(const TrainingJob& job) {
  LayerWork work;
  const models::Vit& s = *job.vit();
  const std::int64_t images = job.batch.micro_batch, h = s.hidden;
  const double tokens = static_cast<double>(job.local_tokens()), e = job.activation_bytes();
  const double wide = e * static_cast<double>(h);
  if (s.final_norm) {
    work.forward.kernels.push_back(pass("last norm", TrainingPart::head, Kind::norm, tokens, wide, wide));
    work.backward.kernels.push_back(
        pass("last norm", TrainingPart::head, Kind::norm, tokens, 2.0 * wide, wide));
  }
  if (s.attention_pool) {
    add_matrix(job, work, "pool keys and values", TrainingPart::head, job.local_tokens(), 2 * h, h);
    for (TrainingPhase* phase : {&work.forward, &work.backward}) {  // one query: reads keys and values
      phase->kernels.push_back(
          pass("pool attention", TrainingPart::head, Kind::norm, tokens, 2.0 * wide, 0.0));
    }
    add_matrix(job, work, "pool projection", TrainingPart::head, images, h, h);
    add_matrix(job, work, "pool mlp up", TrainingPart::head, images, s.ffn, h);
    add_matrix(job, work, "pool mlp down", TrainingPart::head, images, h, s.ffn);
    // Scores and their product with the values, three times the forward pass.
    work.flops += 12.0 * tokens * static_cast<double>(h);
    work.flops += 6.0 * static_cast<double>(images * h * h);  // its query
  }
  if (s.classes > 0) {
    add_matrix(job, work, "classifier", TrainingPart::head, images, s.classes, h);
    const double logits = static_cast<double>(images * s.classes);
    work.forward.kernels.push_back(pass("loss", TrainingPart::head, Kind::norm, logits, e, 4.0, 2.0));
    work.backward.kernels.push_back(pass("loss", TrainingPart::head, Kind::norm, logits, 4.0, e, 2.0));
  }
  work.flops /= job.parallelism.tensor;
  return work;
}

}  // namespace gpuplan

// Embedding in front of the layers; last norm, output matrix and loss behind them. An unfused loss casts the
// logits to fp32, finds the greatest, subtracts, exponentiates, sums: 26 bytes a logit forward, 10 backward
// (counted pass by pass of Megatron's vocab_parallel_cross_entropy); a fused one reads the logits and writes
// their gradient.
#include "workloads/training/offload.h"
#include "workloads/training/passes.h"
#include "workloads/training/vision.h"

namespace gpuplan {

using Kind = kernels::Elementwise::Kind;

LayerWork lower_embedding(const TrainingJob& job) {
  if (job.sees_images()) {
    return job.vit() != nullptr ? lower_patches(job) : lower_stem(job);
  }
  LayerWork work;
  const double tokens = static_cast<double>(job.local_tokens()),
               wide = job.activation_bytes() * job.model.hidden;
  kernels::Embedding op;
  op.tokens = job.local_tokens();
  op.hidden = job.model.hidden;
  work.forward.kernels.push_back({"embedding", TrainingPart::head, op, 1.0, false, 2.0});
  work.weights.kernels.push_back(pass("embedding", TrainingPart::head, Kind::copy, tokens,
                                      wide + job.gradient_bytes() * job.model.hidden,
                                      job.gradient_bytes() * job.model.hidden, 2.0));
  if (job.parallelism.tensor > 1) {
    work.forward.collectives.push_back({"reduce embedding",
                                        job.sequence_parallel() ? collectives::Collective::reduce_scatter
                                                                : collectives::Collective::all_reduce,
                                        Group::tensor, Bytes(tokens * wide), 1.0, Overlap::none});
  }
  add_weight_loads(job, count_parameters(job.model).embedding / job.parallelism.tensor, work);
  work.load_backward = Bytes(0.0);  // gradients of rows need no weights
  return work;
}

LayerWork lower_head(const TrainingJob& given) {
  if (given.sees_images()) {
    return given.vit() != nullptr ? lower_classifier(given) : lower_convnet_head(given);
  }
  // The output matrix stays in 16 bits (Megatron with TransformerEngine, torchtitan, Composer).
  TrainingJob job = given;
  if (bytes_per_element(job.precision.compute) < 2.0) {
    job.precision.compute = Precision::bf16;
  }
  LayerWork work;
  const Model& m = job.model;
  const double between = tokens_between(job), wide = job.activation_bytes() * m.hidden;
  const double tokens = static_cast<double>(job.local_tokens());
  const std::int64_t vocab = m.vocab / job.parallelism.tensor;
  work.forward.kernels.push_back(pass("last norm", TrainingPart::head, Kind::norm, between, wide, wide));
  work.backward.kernels.push_back(
      pass("last norm", TrainingPart::head, Kind::norm, between, 2.0 * wide, wide));
  enter_tensor(job, work);
  add_matrix(job, work, "output matrix", TrainingPart::head, job.local_tokens(), vocab, m.hidden);
  const double logits = static_cast<double>(vocab), e = job.activation_bytes();
  const bool fused = *job.software.fused_loss;
  work.forward.kernels.push_back(pass("loss", TrainingPart::head, Kind::norm, tokens,
                                      (fused ? e : 16.0) * logits, (fused ? 0.1 : 10.0) * logits,
                                      fused ? 2.0 : 8.0));
  work.backward.kernels.push_back(pass("loss", TrainingPart::head, Kind::norm, tokens,
                                       (fused ? e : 6.0) * logits, (fused ? e : 4.0) * logits,
                                       fused ? 1.0 : 4.0));
  const ParameterCount count = count_parameters(m);
  add_weight_loads(job, (count.lm_head > 0.0 ? count.lm_head : count.embedding) / job.parallelism.tensor,
                   work);
  return work;
}

}  // namespace gpuplan

// Fine-tuning by low-rank additions: what is gathered, expanded and multiplied, by hand.
#include <catch2/catch.hpp>

#include "workloads/training/step.h"

using namespace gpuplan;

namespace {

// Llama 2 7B: 32 layers of 4 matrices of 4,096^2 and three of 4,096 x 11,008, two norms.
constexpr double kMatrices = 4.0 * 4096 * 4096 + 3.0 * 4096 * 11008, kLayer = kMatrices + 2.0 * 4096;

TrainingJob job_of(FineTune method, Sharding sharding) {
  static const ModelCatalogue models = ModelCatalogue::load(data_root());
  TrainingJob job;
  job.model = *models.model("llama-2-7b");
  job.gpus = 8;
  job.batch = {.global_batch = 8, .micro_batch = 1, .seq_len = 2048};
  job.parallelism.sharding = sharding;
  job.fine_tune = {method, 16};
  std::vector<Problem> problems;
  resolve_job(job, "$", problems);
  REQUIRE(problems.empty());
  return job;
}

double moved_by(const TrainingPhase& phase, std::string_view name) {
  double bytes = 0.0;
  for (const TrainingKernel& kernel : phase.kernels) {
    if (kernel.name == name) {
      const auto& op = std::get<kernels::Elementwise>(kernel.operation);
      bytes += op.read.si() + op.written.si();
    }
  }
  return bytes;
}
double flops_of(const TrainingPhase& phase, std::string_view name) {
  double flops = 0.0;
  for (const TrainingKernel& kernel : phase.kernels) {
    if (kernel.name == name) {
      const auto& op = std::get<kernels::Gemm>(kernel.operation);
      flops += 2.0 * static_cast<double>(op.m) * static_cast<double>(op.n) * static_cast<double>(op.k);
    }
  }
  return flops;
}

}  // namespace

TEST_CASE("Frozen weights are gathered as they are stored, and nothing of them is scattered") {
  const LayerWork full = lower_layer(job_of(FineTune::full, Sharding::fsdp), false);
  const LayerWork lora = lower_layer(job_of(FineTune::lora, Sharding::fsdp), false);
  const LayerWork qlora = lower_layer(job_of(FineTune::qlora, Sharding::fsdp), false);
  REQUIRE(lora.gather_forward.size() == 1);
  REQUIRE(lora.gather_backward.size() == 1);
  CHECK(lora.gather_forward[0].bytes.si() == Approx(2.0 * kLayer));
  CHECK(qlora.gather_forward[0].bytes.si() == Approx((0.5 + 2.0 / 128) * kLayer));  // a scale for 128
  CHECK_FALSE(full.scatter.empty());
  CHECK(lora.scatter.empty());
  CHECK(lower_layer(job_of(FineTune::lora, Sharding::ddp), false).gather_forward.empty());
}

TEST_CASE("4-bit weights are expanded before the products of both passes") {
  const LayerWork qlora = lower_layer(job_of(FineTune::qlora, Sharding::ddp), false);
  const double bytes = (0.5 + 2.0 / 128 + 2.0) * kMatrices;
  CHECK(moved_by(qlora.forward, "expand 4 bits") == Approx(bytes));
  CHECK(moved_by(qlora.backward, "expand 4 bits") == Approx(bytes));
  CHECK(moved_by(lower_layer(job_of(FineTune::lora, Sharding::ddp), false).forward, "expand 4 bits") == 0.0);
}

TEST_CASE("Low-rank additions: products of rank 16 beside each matrix, three times as in any training") {
  const LayerWork lora = lower_layer(job_of(FineTune::lora, Sharding::ddp), false);
  // Matrices as the layer runs them: query, key and value in one (4,096 x 12,288), projection, gate and up in
  // one (4,096 x 22,016), down. Rank x (inputs + outputs) each, 2 FLOP a token.
  const double widths = (4096.0 + 12288) + (4096.0 + 4096) + (4096.0 + 22016) + (11008.0 + 4096);
  const double once = 2.0 * 2048 * 16 * widths;
  CHECK(flops_of(lora.forward, "low rank") == Approx(once));
  CHECK(flops_of(lora.backward, "low rank") == Approx(once));
  CHECK(flops_of(lora.weights, "low rank") == Approx(once));
  // Results added in passes of 16 bits: two read and one written for each output, and for each input back.
  CHECK(moved_by(lora.forward, "add low rank") == Approx(6.0 * 2048 * (12288.0 + 4096 + 22016 + 4096)));
  CHECK(moved_by(lora.backward, "add low rank") == Approx(6.0 * 2048 * (3.0 * 4096 + 11008)));
}

// Memory of training against arithmetic by hand: Megatron's published activation formulas (Korthikanti et al.
// 2022, table 2), bytes an optimiser keeps, and what sharding leaves.
#include "workloads/memory/training_memory.h"

#include <catch2/catch.hpp>

#include "tests/workloads/job_testing.h"
#include "workloads/memory/activation.h"
#include "workloads/training/stages.h"

using namespace gpuplan;

namespace {

const ModelCatalogue& models() {
  static const ModelCatalogue loaded = ModelCatalogue::load(data_root());
  return loaded;
}
const Gpu& h100() {
  static const Catalogue loaded = Catalogue::load(data_root());
  return *loaded.gpu("H100-SXM5-80GB");
}

TrainingJob job_of(const char* model, int gpus) {
  TrainingJob job;
  job.model = *models().model(model);
  job.gpus = gpus;
  job.batch = {.global_batch = 64, .micro_batch = 1, .seq_len = 2048};
  return job;
}

// GPT-3 with scores in memory and dropout, as the paper's.
TrainingJob gpt3(int tensor, bool sequence) {
  TrainingJob job = job_of("gpt3-175b", 64);
  job.parallelism.tensor = tensor;
  job.parallelism.sequence_parallel = sequence;
  job.precision.compute = Precision::fp16;
  job.software.framework = Framework::megatron_2021;
  return resolved(job);
}

constexpr double s = 2048, b = 1, h = 12288;

double layer(const TrainingJob& job, Recompute recompute) {
  return layer_activations(job, false, recompute).stored.si();
}

}  // namespace

TEST_CASE("Activations of a layer are Megatron's published formulas, exactly") {
  // 5 a s / h = 5 * 96 * 2048 / 12288 = 80
  CHECK(layer(gpt3(1, false), Recompute::none) == Approx(s * b * h * (34 + 80)).epsilon(1e-12));
  CHECK(layer(gpt3(8, false), Recompute::none) ==
        Approx(s * b * h * (10 + 24.0 / 8 + 80.0 / 8)).epsilon(1e-12));
  CHECK(layer(gpt3(8, true), Recompute::none) == Approx(s * b * h * (34.0 / 8 + 80.0 / 8)).epsilon(1e-12));
  CHECK(layer(gpt3(8, false), Recompute::selective) == Approx(s * b * h * (10 + 24.0 / 8)).epsilon(1e-12));
  CHECK(layer(gpt3(8, true), Recompute::selective) == Approx(s * b * h * 34.0 / 8).epsilon(1e-12));
  CHECK(layer(gpt3(8, false), Recompute::full) == Approx(2 * s * b * h).epsilon(1e-12));
  CHECK(layer(gpt3(8, true), Recompute::full) == Approx(2 * s * b * h / 8).epsilon(1e-12));
}

TEST_CASE("Activations of embedding and head are the paper's equation 5") {
  const TrainingJob job = gpt3(8, true);
  const double vocab = static_cast<double>(job.model.vocab);
  CHECK(embedding_activations(job).si() == Approx(s * b * h / 8));  // its dropout mask
  // 4 s b h / t (1 + v / h)
  CHECK(head_activations(job).si() == Approx(4 * s * b * h / 8 * (1 + vocab / h)).epsilon(1e-12));
}

TEST_CASE("The paper's shares: selective recomputation and sequence parallelism against full") {
  // Figure 1 and section 5: without recomputation a 175B layer keeps (10 + 3 + 10) sbh; sequence parallelism
  // and selective recomputation leave 34/8 = 4.25: 18 %, about a fifth; full 2/23 = 9 %.
  const double none = layer(gpt3(8, false), Recompute::none);
  CHECK(layer(gpt3(8, true), Recompute::selective) / none == Approx(4.25 / 23).epsilon(1e-9));
  CHECK(layer(gpt3(8, false), Recompute::full) / none == Approx(2.0 / 23).epsilon(1e-9));
}

TEST_CASE("Micro-batches in flight: 1F1B, GPipe and interleaving") {
  TrainingJob job = job_of("gpt3-175b", 64);
  job.parallelism.tensor = 8;
  job.parallelism.pipeline = 8;
  const TrainingJob plain = resolved(job);
  CHECK(micro_batches_in_flight(plain, 0) == 8.0);
  CHECK(micro_batches_in_flight(plain, 7) == 1.0);
  job.parallelism.schedule = PipelineSchedule::gpipe;
  CHECK(micro_batches_in_flight(resolved(job), 0) == 64.0);
  job.parallelism.schedule.reset();
  job.parallelism.virtual_stages = 3;
  // p (1 + (p - 1) / (p m)) = 8 (1 + 7 / 24)
  CHECK(micro_batches_in_flight(resolved(job), 0) == Approx(8.0 * (1.0 + 7.0 / 24.0)).epsilon(1e-12));
}

TEST_CASE("FlashAttention keeps 1 fp32 a row in place of the scores: 13B at 4,096 tokens") {
  TrainingJob job = job_of("llama-2-13b", 64);
  job.batch.seq_len = 4096;
  job.parallelism.sharding = Sharding::fsdp;
  // A token: two norms' inputs and two matrices' inputs 4 x 2 x 5120; Q, K, V and the output 4 x 2 x 5120; a
  // row sum a head 4 x 40; gate, up and their product 3 x 2 x 13824.
  const double token = 8.0 * 2 * 5120 + 4 * 40 + 3.0 * 2 * 13824;
  CHECK(token == 165024.0);
  CHECK(layer(resolved(job), Recompute::none) == Approx(token * 4096));  // 676 MB
}

TEST_CASE("16 bytes a parameter: AdamW in mixed precision") {
  const TrainingJob job = resolved(job_of("llama-2-7b", 1));
  const StageMemory m = plan_training_memory(h100(), job).peak();
  const double parameters = 6738415616.0;  // of the checkpoint
  // 2 weights, 4 gradients, 4 + 4 + 4 master weights and moments: 18 with fp32 gradients, 16 with 16-bit
  // ones.
  CHECK((m.weights + m.gradients + m.optimizer).si() == Approx(18.0 * parameters).epsilon(1e-6));
  TrainingJob narrow = job_of("llama-2-7b", 1);
  narrow.precision.gradients = Precision::bf16;
  const StageMemory n = plan_training_memory(h100(), resolved(narrow)).peak();
  CHECK((n.weights + n.gradients + n.optimizer).si() == Approx(16.0 * parameters).epsilon(1e-6));
  CHECK_FALSE(plan_training_memory(h100(), resolved(narrow)).fits());  // 107.8 GB
}

TEST_CASE("13B on 64 GPUs by accumulation format and sharding, by hand") {
  const double parameters = 13015864320.0;
  const auto states = [&](Sharding sharding, Precision gradients) {
    TrainingJob job = job_of("llama-2-13b", 64);
    job.parallelism.sharding = sharding;
    job.precision.gradients = gradients;
    const StageMemory m = plan_training_memory(h100(), resolved(job)).peak();
    return (m.weights + m.gradients + m.optimizer).si();
  };
  CHECK(states(Sharding::ddp, Precision::bf16) == Approx(16 * parameters).epsilon(1e-6));  // 208 GB
  // ZeRO-1 shares the 12 bytes of optimiser state: 2 + 4 + 12/64 = 6.1875 and 2 + 2 + 12/64 = 4.1875
  CHECK(states(Sharding::zero1, Precision::fp32) == Approx(6.1875 * parameters).epsilon(1e-6));  // 80.5 GB
  CHECK(states(Sharding::zero1, Precision::bf16) == Approx(4.1875 * parameters).epsilon(1e-6));  // 54.5 GB
  CHECK(states(Sharding::fsdp, Precision::fp32) == Approx(16 * parameters / 64).epsilon(1e-6));  // 3.25 GB
}

TEST_CASE("LoRA and QLoRA keep what they train, and frozen weights") {
  TrainingJob job = job_of("llama-2-7b", 1);
  job.fine_tune = {FineTune::lora, 16};
  const StageMemory lora = plan_training_memory(h100(), resolved(job)).peak();
  // Rank 16 beside q, k, v, o (4096 each way) and gate, up, down (4096 + 11008): 32 layers x 16 x (4 x 8192 +
  // 3 x 15104) = 39,976,960 elements; 2 + 4 + 12 bytes each.
  const double additions = 32.0 * 16 * (4 * 8192 + 3 * 15104);
  CHECK(additions == 39976960.0);
  CHECK((lora.gradients + lora.optimizer).si() == Approx(16.0 * additions));
  CHECK(lora.weights.si() == Approx(2.0 * 6738415616.0 + 2.0 * additions).epsilon(1e-6));
  job.fine_tune.method = FineTune::qlora;
  const StageMemory qlora = plan_training_memory(h100(), resolved(job)).peak();
  // 0.5 B and an fp16 scale per 128
  CHECK(qlora.weights.si() == Approx((0.5 + 2.0 / 128) * 6738415616.0 + 2.0 * additions).epsilon(1e-6));
}

TEST_CASE("More sharding never takes more state, and parts add up") {
  for (const char* model : {"llama-2-7b", "gpt3-175b", "mixtral-8x7b", "llama-3-70b"}) {
    for (const int tensor : {1, 2, 8}) {
      Bytes before{1e30};
      for (const Sharding sharding : {Sharding::ddp, Sharding::zero1, Sharding::zero2, Sharding::zero3}) {
        TrainingJob job = job_of(model, 64);
        job.parallelism.tensor = tensor;
        job.parallelism.sharding = sharding;
        const TrainingMemory memory = plan_training_memory(h100(), resolved(job));
        const StageMemory& m = memory.peak();
        const Bytes states = m.weights + m.gradients + m.optimizer;
        INFO(model << " tensor " << tensor << " " << json::name_of(sharding));
        CHECK(states <= before);
        before = states;
        CHECK(m.activations >= Bytes(0.0));
        CHECK(m.allocated() == states + m.activations + m.working + m.buffers);
        for (const MemoryPhase& phase : memory.phases) {
          CHECK(phase.bytes <= m.total());
        }
      }
    }
  }
}

TEST_CASE("Stages: layers and parameters add up to the model") {
  TrainingJob job = job_of("llama-3.1-405b", 512);
  job.batch.global_batch = 512;
  job.parallelism.tensor = 8;
  job.parallelism.pipeline = 8;
  job = resolved(job);
  int layers = 0;
  double parameters = 0.0;
  for (int stage = 0; stage < 8; ++stage) {
    layers += layers_of_stage(job, stage);
    parameters += rank_parameters(job, stage).total() * 8.0;
  }
  CHECK(layers == 126);
  CHECK(layers_of_stage(job, 0) == 15);  // (126 + 2) / 8 - the embedding
  CHECK(layers_of_stage(job, 3) == 16);
  const ParameterCount count = count_parameters(job.model);
  CHECK(parameters == Approx(count.total + 7.0 * count.norms).epsilon(1e-6));  // norms on every rank
}

TEST_CASE("Illegal splits are refused with the rule they break") {
  const auto problems = [](auto change) {
    TrainingJob job = job_of("llama-2-13b", 64);
    change(job);
    std::vector<Problem> found;
    resolve_job(job, "$", found);
    return found;
  };
  const auto names = [](const std::vector<Problem>& found, const char* path) {
    return std::any_of(found.begin(), found.end(), [&](const Problem& p) { return p.path == path; });
  };
  CHECK(problems([](TrainingJob&) {}).empty());
  CHECK(names(problems([](TrainingJob& j) { j.parallelism.tensor = 3; }), "$.parallelism.tensor"));
  CHECK(names(problems([](TrainingJob& j) { j.parallelism.data = 3; }), "$.parallelism"));
  CHECK(names(problems([](TrainingJob& j) { j.batch.global_batch = 63; }), "$.batch.global_batch"));
  CHECK(names(problems([](TrainingJob& j) { j.parallelism.expert = 2; }), "$.parallelism.expert"));
  CHECK(names(problems([](TrainingJob& j) { j.parallelism.shard_group = 7; }), "$.parallelism.shard_group"));
  CHECK(names(problems([](TrainingJob& j) { j.parallelism.virtual_stages = 2; }),
              "$.parallelism.virtual_stages"));
  CHECK(
      names(problems([](TrainingJob& j) { j.precision.compute = Precision::int8; }), "$.precision.compute"));
  CHECK(names(problems([](TrainingJob& j) { j.precision.gradients = Precision::fp8; }),
              "$.precision.gradients"));
  CHECK(names(problems([](TrainingJob& j) {
                j.parallelism.placement = {Group::data, Group::data};
              }),
              "$.parallelism.placement"));
  CHECK(problems([](TrainingJob& j) {
          j.parallelism.tensor = 3;
          j.batch.global_batch = 63;
          j.precision.compute = Precision::int8;
        }).size() >= 4);
}

// Training on images, priced and played: the engine against the formula, buckets behind the backward pass,
// synchronised norms, what memory limits, kept prices against fresh ones, and published throughput.
#include <algorithm>
#include <catch2/catch.hpp>

#include "sim/plan/training_search.h"
#include "sim/report/training_explain.h"
#include "tests/sim/training_testing.h"
#include "workloads/training/vision.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const collectives::CollectiveModel& collective_model() {
  static const auto model = collectives::CollectiveModel::load(library().data_dir);
  return model;
}
Result run(const json::Value& document) {
  const TrainingScenario s = scenario_of(document);
  return report_training(s, simulate_training(s, library()), library());
}
double metric(const std::string& name, const std::vector<std::string>& changes, const char* which) {
  return run(file(name, changes)).number(which);
}
double step(const std::string& name, const std::vector<std::string>& changes = {}) {
  return metric(name, changes, "training.step_time");
}

}  // namespace

TEST_CASE("The engine plays a convolutional network as the formula sums it") {
  for (const std::vector<std::string>& changes : {std::vector<std::string>{},
                                                  {"parallelism.sharding=fsdp"},
                                                  {"parallelism.sharding=zero2"},
                                                  {"recompute=full"},
                                                  {"batch.micro_batch=64"},
                                                  {"software.framework=compiled"},
                                                  {"software.convnet.sync_batch_norm=true"},
                                                  {"model=resnet-101"}}) {
    const TrainingScenario s = scenario_of(file("resnet50-8xa100", changes));
    const TrainingOutcome o = simulate_training(s, library());
    REQUIRE(o.played);
    INFO((changes.empty() ? "" : changes[0]) << ": " << o.estimate.step.si() << ", " << o.analytic.si());
    CHECK(o.estimate.step / o.analytic == Approx(1.0).epsilon(0.02));
  }
}

TEST_CASE("The engine plays a vision transformer on every kind of split as the formula sums it") {
  for (const std::vector<std::string>& changes :
       {std::vector<std::string>{},
        {"parallelism.sharding=ddp"},
        {"parallelism.sharding=zero1", "software.framework=fsdp"},
        {"parallelism.sharding=ddp", "parallelism.pipeline=4", "batch.micro_batch=32"},
        {"parallelism.sharding=ddp", "parallelism.tensor=4", "software.framework=megatron"},
        {"parallelism.sharding=ddp", "fine_tune.method=lora"},
        {"model=siglip-so400m", "recompute=full"}}) {
    const TrainingScenario s = scenario_of(file("vit-l-16-8xh100", changes));
    const TrainingOutcome o = simulate_training(s, library());
    REQUIRE(o.played);
    INFO((changes.empty() ? "" : changes[0]) << ": " << o.estimate.step.si() << ", " << o.analytic.si());
    CHECK(o.estimate.step / o.analytic == Approx(1.0).epsilon(0.03));
  }
}

TEST_CASE("Buckets are reduced in order behind the backward pass; the last is seen") {
  // One NIC of 1 GB/s between two nodes of one GPU: 102 MB of gradients take two halves each way, 102 ms.
  const TrainingScenario s =
      scenario_of(file("resnet50-8xa100", {"machine.nodes=2", "machine.gpus_per_node=1", "machine.nics=1",
                                           "machine.nic_bandwidth=1e9", "batch.global_batch=512"}));
  const TrainingOutcome o =
      simulate_training(s, kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir),
                        collective_model(), {.all_ranks = false, .record = true});
  REQUIRE(o.played);
  const StageProgram& program = o.program->stages[0];
  double backward = 0.0, optimizer = -1.0, last = 0.0, before = -1.0;
  int buckets = 0;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const StepWork& work = o.program->works[program.ops[i].work];
    const StepSpan& span = o.played->spans[0][i];
    if (work.part == sim::StepPart::backward) {
      backward = std::max(backward, span.end);
    } else if (work.part == sim::StepPart::gradients) {
      CHECK(span.begin >= before);  // one after the other
      before = last = span.end;
      ++buckets;
    } else if (work.part == sim::StepPart::optimizer) {
      optimizer = span.begin;
    }
  }
  CHECK(buckets == static_cast<int>(gradient_buckets(s.job, 0).size()));
  CHECK(last > backward);    // the last bucket ends behind the pass
  CHECK(optimizer >= last);  // and the optimiser waits for it
  CHECK(o.estimate.exposed.si() == Approx(last - backward).margin(2e-3));
  // Alone 102 ms at least, most of it beside the backward pass of some 65 ms.
  CHECK(last - backward > 0.102 - backward);
  CHECK(last - backward < 0.1);
}

TEST_CASE("Buckets of a decoder under PyTorch's DDP: one large bucket hides nothing") {
  const auto exposed = [](const char* bucket) {
    const json::Value document = json::parse(
        std::string(R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-80GB-SXM4", "nodes": 4},
           "model": "llama-3.2-1b", "batch": {"global_batch": 64, "micro_batch": 2, "seq_len": 2048},
           "software": {"framework": "fsdp", "bucket_mb": )") +
            bucket + "}}",
        "test");
    const Result result = run(document);
    return result.number("training.exposed_communication_fraction") * result.number("training.step_time");
  };
  const double usual = exposed("25"), whole = exposed("100000");
  CHECK(usual < 0.5 * whole);
  // 1.236e9 gradients in fp32, 2 x 31/32 of them through a node's 8 NICs of 25 GB/s: 48 ms at least.
  CHECK(whole > 2.0 * 31 / 32 * 4 * 1.236e9 / 200e9);
}

TEST_CASE("Synchronised norms wait for all ranks 106 times a step") {
  const std::vector<std::string> sync = {"software.convnet.sync_batch_norm=true"};
  const double more = step("resnet50-8xa100", sync) - step("resnet50-8xa100");
  // 53 norms, an all-gather and an all-reduce of some KB each: 8 to 60 us over NVLink.
  CHECK(more > 106 * 8e-6);
  CHECK(more < 106 * 60e-6);
  const std::vector<std::string> far = {"machine.nodes=4", "batch.global_batch=8192"};
  std::vector<std::string> both = far;
  both.push_back(sync[0]);
  CHECK(step("resnet50-8xa100", both) - step("resnet50-8xa100", far) > more);
  // Alone a rank has nobody to wait for.
  const std::vector<std::string> alone = {"machine.gpus_per_node=1", "batch.global_batch=256"};
  std::vector<std::string> alone_sync = alone;
  alone_sync.push_back(sync[0]);
  CHECK(step("resnet50-8xa100", alone_sync) == step("resnet50-8xa100", alone));
}

TEST_CASE("ResNet-50 is limited by memory: bandwidth and fusing help, FLOP/s do not") {
  const Result a100 = run(file("resnet50-8xa100"));
  REQUIRE_FALSE(a100.bottlenecks.empty());
  CHECK(a100.bottlenecks.front().resource == "hbm_bandwidth");
  CHECK(a100.bottlenecks.front().share > 0.6);
  CHECK(run(file("resnet50-memory-bound-8xh100")).bottlenecks.front().resource == "hbm_bandwidth");
  // H100 over A100: 3.17 times the FLOP/s, 1.64 times the bandwidth; the gain is the bandwidth's.
  const double gain = step("resnet50-8xa100") / step("resnet50-memory-bound-8xh100");
  CHECK(gain > 1.5);
  CHECK(gain < 2.0);
  // Not fused, 26 bytes move for an output's norm and ReLU, fused 16: elementwise time falls by about that.
  const double fused = step("resnet50-8xa100", {"software.convnet.fused_norms=true"});
  CHECK(fused < 0.88 * step("resnet50-8xa100"));
  // Channels first: the tensor cores' transposes, twice the convolutions' traffic.
  CHECK(step("resnet50-8xa100", {"software.convnet.channels_last=false"}) > 1.2 * step("resnet50-8xa100"));
  // A ViT is not.
  CHECK(run(file("vit-l-16-8xh100")).bottlenecks.front().resource == "matrix_units");
}

TEST_CASE("Metrics of images: samples for all, tokens for transformers alone") {
  const Result resnet = run(file("resnet50-8xa100")), vit = run(file("vit-l-16-8xh100"));
  CHECK(resnet.find("training.tokens_per_s") == nullptr);
  CHECK(resnet.find("cost.usd_per_million_tokens") == nullptr);
  CHECK(resnet.number("training.samples_per_s") * resnet.number("training.step_time") == Approx(2048));
  CHECK(vit.number("training.tokens_per_s") == Approx(197 * vit.number("training.samples_per_s")));
  CHECK(vit.number("training.samples_per_s_per_gpu") == Approx(vit.number("training.samples_per_s") / 8));
  // MFU by hand: 6 x 4.089e9 FLOP an image over 312 TFLOP/s.
  CHECK(resnet.number("training.mfu") ==
        Approx(6 * 4.089e9 * resnet.number("training.samples_per_s_per_gpu") / 312e12).epsilon(1e-3));
  CHECK(resnet.number("cost.usd_per_million_samples") ==
        Approx(resnet.number("cost.usd_per_hour") / 3600 / resnet.number("training.samples_per_s") * 1e6));
}

TEST_CASE("Kept prices give the same step as fresh ones, on images too") {
  for (const char* text :
       {R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-80GB-SXM4", "nodes": 2},
            "model": "resnet-50", "batch": {"global_batch": 512},
            "software": {"convnet": {"sync_batch_norm": true}}})",
        R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
            "model": "vit-l-16", "batch": {"global_batch": 256}, "plan": {"tensor": [1, 4], "pipeline": [1, 2]}})"}) {
    const TrainingScenario s = scenario_of(json::parse(text, "test"));
    const TrainingSpace space(s);
    const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
    PlanEvaluator kept(space, kernels, collective_model(), {}, s.machine.nodes);
    const TrainingEstimator fresh(s.machine, kernels, collective_model());
    int compared = 0;
    for (const PlanSplit& split : space.splits()) {
      space.each(split, [&](const PlanPoint& point) {
        if (!kept.check(point).empty()) {
          return true;
        }
        TrainingJob alone = s.job;
        std::vector<Problem> problems;
        space.apply(point, alone);
        resolve_job(alone, "$", problems);
        CHECK(kept.price(point).step == fresh.estimate(alone, lower_training(alone)).step.si());
        ++compared;
        return true;
      });
    }
    CHECK(compared > 50);
  }
}

TEST_CASE("A network's splits are over data alone") {
  const TrainingScenario s = scenario_of(file("resnet50-8xa100"));
  const TrainingSpace space(s);
  REQUIRE(space.splits().size() == 1);
  CHECK(space.splits()[0].data == 8);
}

TEST_CASE("Every rank of a network against one, with synchronised norms as meeting points") {
  const TrainingScenario s = scenario_of(file("resnet50-8xa100", {"software.convnet.sync_batch_norm=true"}));
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  const TrainingEstimator estimator(s.machine, kernels, collective_model());
  const StepProgram program = make_step_program(estimator, s.job, lower_training(s.job));
  const PlayedStep one = play_step(program, folded_grid(1)), all = play_step(program, full_grid(s.job));
  CHECK(all.time.si() == Approx(one.time.si()).epsilon(1e-9));
  // A rank that is 10 % slower holds up all others at every norm.
  StepPlayOptions slow;
  slow.slowdown.assign(8, 1.0);
  slow.slowdown[3] = 1.1;
  const PlayedStep held = play_step(program, full_grid(s.job), slow);
  CHECK(held.time / all.time > 1.08);
  CHECK(held.stages[0].others > 0.0);
}

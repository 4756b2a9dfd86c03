// Fields of a training job by hand arithmetic: what FSDP gathers ahead, capacity and dispatch of experts,
// targets of low-rank additions, scales of 8-bit products, launches that block.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "sim/report/training_report.h"
#include "sim/scenario/serving_scenario.h"
#include "tests/sim/sim_testing.h"
#include "workloads/training/stages.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

TrainingScenario scenario(const std::vector<std::string>& changes) {
  json::Value d =
      json::parse(R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 4},
    "model": "llama-2-13b", "parallelism": {"sharding": "fsdp"},
    "batch": {"global_batch": 64, "micro_batch": 2, "seq_len": 2048}})",
                  "test");
  for (const std::string& change : changes) {
    set_path(d, change);
  }
  return resolve_training(d, "test", ".", library());
}
Result run(const std::vector<std::string>& changes) {
  const TrainingScenario s = scenario(changes);
  return report_training(s, simulate_training(s, library()), library());
}
double step(const std::vector<std::string>& changes) { return run(changes).number("training.step_time"); }

const TrainingKernel* kernel(const TrainingPhase& phase, std::string_view name) {
  for (const TrainingKernel& one : phase.kernels) {
    if (one.name == name) {
      return &one;
    }
  }
  return nullptr;
}
double moved(const TrainingPhase& phase, std::string_view name) {
  double sum = 0.0;
  for (const TrainingKernel& one : phase.kernels) {
    if (const auto* pass = std::get_if<kernels::Elementwise>(&one.operation);
        pass != nullptr && one.name == name) {
      sum += one.count * (pass->read + pass->written).si();
    }
  }
  return sum;
}

const std::vector<std::string> kMixture = {"model=mixtral-8x7b", "parallelism.expert=8",
                                           "parallelism.sharding=zero1"};
std::vector<std::string> mixture(const std::vector<std::string>& more) {
  std::vector<std::string> out = kMixture;
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace

TEST_CASE("FSDP holds the layer that runs and those gathered ahead, or all without a limit") {
  // A layer of Llama 2 13B: 4 x 5,120^2 + 3 x 5,120 x 13,824 and two norms, in 2 bytes.
  const double layer = 2.0 * (4.0 * 5120.0 * 5120.0 + 3.0 * 5120.0 * 13824.0 + 2.0 * 5120.0);
  const auto buffers = [&](const std::vector<std::string>& changes) {
    const TrainingScenario s = scenario(changes);
    return plan_training_memory(s.machine.gpu, s.job).peak().buffers.si();
  };
  const double one = buffers({});
  CHECK(buffers({"parallelism.prefetch=3"}) - one == Approx(2.0 * layer).epsilon(1e-6));
  CHECK(one - buffers({"parallelism.prefetch=0"}) == Approx(layer).epsilon(1e-6));
  // 13.016e9 parameters less the two layers that were held.
  CHECK(buffers({"parallelism.limit_all_gathers=false"}) - one ==
        Approx(2.0 * 13015864320.0 - 2.0 * layer).epsilon(1e-6));
  // Without prefetch every gather is seen; more than one ahead hides no more where one does.
  CHECK(step({"parallelism.prefetch=0"}) > 1.05 * step({}));
  CHECK(step({"parallelism.prefetch=3"}) == Approx(step({})).epsilon(0.01));
  CHECK(step({"parallelism.limit_all_gathers=false"}) <= step({}) * 1.001);
}

TEST_CASE("Experts take no more than their capacity") {
  const auto rows = [](const std::vector<std::string>& changes) {
    const LayerWork work = lower_layer(scenario(mixture(changes)).job, true);
    return std::get<kernels::Gemm>(kernel(work.forward, "expert up")->operation).m;
  };
  // 2 x 2,048 tokens of each of 8 ranks go to two of 8 experts, one of them here: 8,192 on average.
  CHECK(rows({}) == 8192);
  CHECK(rows({"expert_imbalance=3"}) == 3 * 8192);
  CHECK(rows({"expert_imbalance=3", "expert_capacity=1.25"}) == 10240);
  CHECK(rows({"expert_imbalance=1.1", "expert_capacity=1.25"}) == 9011);
  CHECK(step(mixture({"expert_imbalance=3", "expert_capacity=1.25"})) <
        step(mixture({"expert_imbalance=3"})));
}

TEST_CASE("Deduplicated dispatch sends a token to a node once") {
  // 32 experts' ranks on 4 nodes, 8 experts a token: 4 (1 - (3/4)^8) = 3.60 nodes instead of 8 experts.
  const auto price = [](const char* dispatch) {
    const TrainingScenario s =
        scenario({"model=qwen3-30b-a3b", "parallelism.expert=32", "parallelism.sharding=zero1",
                  std::string("software.expert_dispatch=") + dispatch});
    const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
    const auto collectives = collectives::CollectiveModel::load(library().data_dir);
    const TrainingEstimator estimator(s.machine, kernels, collectives);
    const LayerWork work = lower_layer(s.job, true);
    for (const TrainingCollective& one : work.forward.collectives) {
      if (one.group == Group::expert) {
        TrainingCollective fewer = one;
        fewer.experts_of_token = 0;
        fewer.bytes = one.bytes * (3.5996 / 8.0);
        return std::pair(estimator.price(one, s.job).si(), estimator.price(fewer, s.job).si());
      }
    }
    return std::pair(0.0, 1.0);
  };
  const auto [once, by_hand] = price("deduplicated");
  CHECK(once == Approx(by_hand).epsilon(1e-3));
  CHECK(price("all_to_all").first > 1.5 * once);
}

TEST_CASE("Low-rank additions to attention alone") {
  const auto trained = [](const char* targets) {
    return rank_parameters(scenario({"fine_tune.method=lora", "fine_tune.rank=8", "parallelism.sharding=ddp",
                                     std::string("fine_tune.targets=") + targets})
                               .job,
                           0)
        .trained;
  };
  // Four matrices of 5,120 x 5,120; and three of 5,120 x 13,824: rank times inputs and outputs, 40 layers.
  CHECK(trained("attention") == Approx(40.0 * 8.0 * 4.0 * 10240.0));
  CHECK(trained("all") == Approx(40.0 * 8.0 * (4.0 * 10240.0 + 3.0 * 18944.0)));
}

TEST_CASE("Scales of 8 bits: casts by hand") {
  const std::vector<std::string> split = {"parallelism.tensor=8", "precision.compute=fp8"};
  const auto casts = [&](const char* scaling) {
    std::vector<std::string> changes = split;
    changes.push_back(std::string("precision.scaling=") + scaling);
    return moved(lower_layer(scenario(changes).job, false).forward, "cast");
  };
  // Of 4,096 tokens a rank casts an eighth of what is 5,120 wide and gathered (twice), and its share of what
  // is cut (5,120 / 8 and 13,824 / 8): 6 bytes each, 4 where one pass writes both copies.
  const double elements = 4096.0 * (2.0 * 5120.0 / 8.0 + 5120.0 / 8.0 + 13824.0 / 8.0);
  CHECK(casts("tensor") == Approx(6.0 * elements));
  CHECK(casts("block") == Approx(4.0 * elements));
  // By rows: gathered inputs whole, for each of three and two products; weights besides.
  const double gathered = 4096.0 * 5120.0 * 5.0, cut = 4096.0 * (5120.0 + 13824.0) / 8.0;
  const double weights = (4.0 * 5120.0 * 5120.0 + 3.0 * 5120.0 * 13824.0) / 8.0;
  CHECK(casts("row") == Approx(7.0 * (gathered + cut) + 5.0 * weights));
  CHECK(step({"parallelism.tensor=8", "precision.compute=fp8", "precision.scaling=row"}) >
        step({"parallelism.tensor=8", "precision.compute=fp8"}));
}

TEST_CASE("Launches that block come on top of the kernels") {
  const std::vector<std::string> plain = {"software.framework=deepspeed", "precision.compute=fp16",
                                          "parallelism.sharding=zero1", "recompute=full"};
  std::vector<std::string> blocking = plain;
  blocking.emplace_back("software.launch_blocking=true");
  const TrainingScenario s = scenario(plain);
  double launches = 0.0;
  const LayerWork layer = lower_layer(s.job, false);
  for (const TrainingPhase* phase : {&layer.forward, &layer.recompute, &layer.backward, &layer.weights}) {
    for (const TrainingKernel& one : phase->kernels) {
      launches += one.count * one.launches;
    }
  }
  // 40 layers; embedding, head and optimiser launch a little besides.
  const StepConstants c;
  const double least = 40.0 * s.job.micro_batches() * launches * c.launch[2] * c.launch_blocking;
  const double more = step(blocking) - step(plain);
  CHECK(more > least);
  CHECK(more < 1.2 * least);
}

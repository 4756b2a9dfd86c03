// State outside the GPUs: bytes and times by hand, formula against engine, what does not fit a node.
#include <algorithm>
#include <catch2/catch.hpp>

#include "sim/report/training_run_report.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

TrainingScenario scenario(const std::string& rest, const std::string& batch = "64") {
  const std::string text =
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 1}, "model": "llama-2-13b",
          "batch": {"global_batch": )" +
      batch +
      R"(, "micro_batch": 1, "seq_len": 2048}, "precision": {"gradients": "bf16"}, "recompute": "full", )" +
      rest + "}";
  return resolve_training(json::parse(text, "test"), "test", ".", library());
}
StepEstimate formula(const TrainingScenario& s) { return estimate_training(s, library()).estimate; }
StepEstimate played(const TrainingScenario& s) { return simulate_training(s, library()).estimate; }

constexpr double kParameters = 13015864320.0;   // Llama 2 13B
constexpr double kPcie = 63e9 * 12.35 / 15.75;  // page-locked, of one GPU alone
constexpr double kMemory = 0.44 * 614.4e9;      // two sockets of eight channels DDR5-4800
const char* kOptimizer = R"("parallelism": {"sharding": "zero2"}, "offload": "optimizer")";

}  // namespace

TEST_CASE("Offloaded Adam by hand: 13B on one node") {
  const StepEstimate e = formula(scenario(kOptimizer));
  // Of each parameter: gradient read 2, fp32 weight and two moments read and written 2 x 12, 16-bit weight
  // written 2; the copies write the gradient, 2, and read the weight, 2.
  CHECK(e.host_optimizer.si() == Approx(kParameters * 32.0 / kMemory).epsilon(1e-6));
  // Without overlap gradients and weights, 2 B each, cross an uplink that two GPUs share.
  const StepEstimate apart =
      formula(scenario(std::string(kOptimizer) + R"(, "software": {"overlap_offload": false})"));
  const double one_way = kParameters / 8.0 * 2.0 * 2.0 / kPcie;
  CHECK(apart.transfer.si() == Approx(2.0 * one_way).epsilon(1e-3));
  // With it only the last of 40 layers' gradients is seen, and weights come as the CPU writes them.
  CHECK(e.transfer.si() == Approx(one_way / 40.0).epsilon(1e-3));
  CHECK(apart.step.si() - e.step.si() == Approx((2.0 - 1.0 / 40.0) * one_way).epsilon(1e-3));
}

TEST_CASE("ZeRO-Offload's table: 10 G parameters on a DGX-2 take 2.57 s") {
  // 28 B a parameter (no copies in that table) over 0.44 of 2 x 6 x 2.666e9 x 8 B/s.
  const double line = 2.0 * 6.0 * 2.666e9 * 8.0;
  CHECK(10e9 * 28.0 / (kHostPassShare * line) == Approx(2.57).epsilon(0.06));
  CHECK(1e9 * 28.0 / (kHostPassShare * line) == Approx(0.24).epsilon(0.06));
}

TEST_CASE("Offloaded weights cross PCIe in every pass of every micro-batch") {
  // Two micro-batches a rank of one short sequence, weights not shared: nothing hides the loads. Each of four
  // passes takes 40 layers and the head, 2 B an element, two GPUs on an uplink; the embedding two of them.
  const std::string rest =
      R"("parallelism": {"sharding": "ddp"}, "offload": "optimizer_and_weights", "software": {"cuda_graphs": true})";
  TrainingScenario s = scenario(rest, "16");
  s.job.batch.seq_len = 128;
  const double layers = 40.0 * (4.0 * 5120 * 5120 + 3.0 * 5120 * 13824 + 2.0 * 5120), table = 32000.0 * 5120;
  const double loads = (4.0 * (layers + table) + 2.0 * table) * 2.0 * 2.0 / kPcie;
  const StepEstimate e = formula(s);
  CHECK(s.job.micro_batches() == 2);
  CHECK(e.transfer.si() > 0.9 * loads);
  CHECK(e.step.si() > loads + e.host_optimizer.si());
  CHECK(e.step.si() < 1.15 * loads + e.host_optimizer.si());
  // No new weights come back: they are loaded anyway.
  CHECK(lower_training(s.job).stages[0].offload.weights.si() == 0.0);
  // Half the micro-batches, half the loads.
  TrainingScenario once = s;
  once.job.batch.global_batch = 8;
  CHECK(formula(once).transfer.si() == Approx(0.5 * e.transfer.si()).epsilon(0.05));
  // With long sequences and shared weights they hide.
  TrainingScenario longer =
      scenario(R"("parallelism": {"sharding": "zero3"}, "offload": "optimizer_and_weights")", "16");
  longer.job.batch.seq_len = 4096;
  longer.job.batch.micro_batch = 2;
  const StepEstimate hidden = formula(longer);
  CHECK(hidden.transfer < 0.1 * hidden.step);
}

TEST_CASE("NVMe: the drives set the pace of the optimiser, and of weights") {
  const std::string nvme = std::string(kOptimizer) + R"(, "offload_to": "nvme")";
  const StepEstimate e = formula(scenario(nvme));
  // 12 B a parameter read at 8 x 6.8 GB/s and written at 8 x 4.
  CHECK(e.host_optimizer.si() == Approx(kParameters * (12.0 / 54.4e9 + 12.0 / 32e9)).epsilon(1e-6));
  const StepEstimate wide = formula(scenario(nvme + R"(, "host": {"nvme_read": 1e12, "nvme_write": 1e12})"));
  // Then host memory does, which the state passes twice more: 32 + 24 B.
  CHECK(wide.host_optimizer.si() == Approx(kParameters * 56.0 / kMemory).epsilon(1e-6));
  double before = 0.0;
  for (const char* read : {"100e9", "50e9", "25e9", "10e9"}) {
    const double now =
        played(scenario(nvme + R"(, "host": {"nvme_write": 1e12, "nvme_read": )" + read + "}")).step.si();
    CHECK(now >= before);
    before = now;
  }
}

TEST_CASE("The engine and the formula agree on offloaded steps") {
  for (
      const char* rest :
      {R"("parallelism": {"sharding": "zero2"}, "offload": "optimizer")",
       R"("parallelism": {"sharding": "zero2"}, "offload": "optimizer", "software": {"overlap_offload": false})",
       R"("parallelism": {"sharding": "fsdp"}, "offload": "optimizer_and_weights", "software": {"framework": "fsdp"})",
       R"("parallelism": {"sharding": "zero3"}, "offload": "optimizer_and_weights", "offload_to": "nvme")",
       R"("parallelism": {"tensor": 2, "pipeline": 2, "sharding": "zero1"}, "offload": "optimizer")"}) {
    INFO(rest);
    const TrainingScenario s = scenario(rest);
    const StepEstimate a = formula(s), b = played(s);
    CHECK(b.step.si() == Approx(a.step.si()).epsilon(0.08));
    CHECK(b.host_optimizer == a.host_optimizer);
  }
}

TEST_CASE("A node too small for what is offloaded is a misfit that names it") {
  // 13.0 G parameters x (12 B of state + 2 B of gradients) = 182 GB and the buffers on their way.
  const std::string small = std::string(kOptimizer) + R"(, "host": {"memory": 150e9})";
  const auto misfit = check_training_fit(scenario(small), library());
  REQUIRE(misfit);
  CHECK(misfit->place == "host memory");
  CHECK(misfit->host.memory.si() == Approx(kParameters * 14.0).epsilon(0.02));
  CHECK(misfit->short_by.si() == Approx(misfit->host.memory.si() - 0.9 * 150e9));
  REQUIRE_FALSE(misfit->remedies.empty());
  CHECK(std::any_of(misfit->remedies.begin(), misfit->remedies.end(), [](const std::string& remedy) {
    return remedy.find("offload_to=nvme") != std::string::npos;
  }));
  CHECK_FALSE(check_training_fit(
      scenario(std::string(kOptimizer) + R"(, "offload_to": "nvme", "host": {"memory": 150e9})"), library()));
  const auto drives = check_training_fit(
      scenario(std::string(kOptimizer) + R"(, "offload_to": "nvme", "host": {"nvme": 100e9})"), library());
  REQUIRE(drives);
  CHECK(drives->place == "NVMe drives");
  CHECK(drives->host.nvme.si() == Approx(kParameters * 12.0).epsilon(1e-6));
  CHECK_FALSE(check_training_fit(scenario(kOptimizer), library()));
}

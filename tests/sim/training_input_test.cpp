// The loader by hand, and what a step does with it.
#include <algorithm>
#include <catch2/catch.hpp>

#include "sim/report/training_run_report.h"
#include "sim/training/offload_price.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

TrainingScenario scenario(const std::string& input, const std::string& rest = "") {
  const std::string text =
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-80GB-SXM4", "nodes": 2}, "model": "llama-2-7b",
          "parallelism": {"sharding": "fsdp"}, "batch": {"global_batch": 128, "micro_batch": 4, "seq_len": 1024},
          "recompute": "full", "software": {"framework": "fsdp"})" +
      rest + (input.empty() ? "" : R"(, "input": )" + input) + "}";
  return resolve_training(json::parse(text, "test"), "test", ".", library());
}
Result report(const TrainingScenario& s, bool formula = false) {
  return report_training(s, formula ? estimate_training(s, library()) : simulate_training(s, library()),
                         library());
}
double number(const std::string& input, const char* metric, bool formula = false) {
  return report(scenario(input), formula).number(metric);
}

}  // namespace

TEST_CASE("A loader's parts by hand") {
  // 128 samples over 16 ranks: 8 a rank, 64 a node.
  const std::string input =
      R"({"sample_bytes": 1e9, "decoded_bytes": 2e9, "decode_rate": 0.5, "workers_per_gpu": 2, "storage_bandwidth": 8e9})";
  CHECK(number(input, "training.input.storage_time") == Approx(64.0 * 1e9 / 8e9));     // 8 s
  CHECK(number(input, "training.input.decode_time") == Approx(64.0 / (8 * 2 * 0.5)));  // 8 s
  // PCIe 4: 31 GB/s x 0.784 page-locked, two GPUs on an uplink.
  CHECK(number(input, "training.input.copy_time") ==
        Approx(8.0 * 2e9 * 2.0 / (31e9 * 12.35 / 15.75)).epsilon(1e-3));
  const auto with = [&](const std::string& more) {
    return input.substr(0, input.size() - 1) + ", " + more + "}";
  };
  CHECK(number(with(R"("file_system_bandwidth": 4e9)"), "training.input.storage_time") ==
        Approx(64.0 * 1e9 / 2e9));
  CHECK(number(with(R"("workers_per_node": 64)"), "training.input.decode_time") == Approx(64.0 / (64 * 0.5)));
  CHECK(number(with(R"("pinned": false)"), "training.input.copy_time") ==
        Approx(8.0 * 2e9 * 2.0 / (31e9 * 12.35 / 15.75 * 0.48)).epsilon(1e-3));
  // Of eight ranks that share a replica one loads: 16 GPUs, tensor 8, two replicas, 64 samples each.
  const TrainingScenario tensor = scenario(input);
  TrainingJob job = tensor.job;
  job.parallelism.tensor = 8;
  job.parallelism.data = 2;
  const InputLoad load = input_load(job, 8);
  CHECK(load.loaders_per_node == 1);
  CHECK(load.loading_nodes == 2);
  CHECK(load.samples_per_rank == 64.0);
}

TEST_CASE("With prefetch the slower of loader and step sets the pace, without they add") {
  const double alone = number("", "training.step_time");
  // Tokens cost next to nothing.
  CHECK(number("{}", "training.step_time") == Approx(alone).epsilon(1e-3));
  CHECK(number("{}", "training.input.wait") < 1e-3 * alone);
  CHECK(number("{}", "training.input.time") > 0.0);
  for (const bool formula : {false, true}) {
    INFO((formula ? "formula" : "engine"));
    const double step = number("", "training.step_time", formula);
    // 8 samples a rank at one worker's rate: twice the step.
    const std::string slow = R"({"workers_per_gpu": 1, "decode_rate": )" + std::to_string(8.0 / (2.0 * step));
    CHECK(number(slow + "}", "training.step_time", formula) == Approx(2.0 * step).epsilon(0.01));
    CHECK(number(slow + R"(, "prefetch": false})", "training.step_time", formula) ==
          Approx(3.0 * step).epsilon(0.01));
    const std::string fast = R"({"workers_per_gpu": 1, "decode_rate": )" + std::to_string(8.0 / (0.5 * step));
    CHECK(number(fast + "}", "training.step_time", formula) == Approx(step).epsilon(1e-3));
    CHECK(number(fast + R"(, "prefetch": false})", "training.step_time", formula) ==
          Approx(1.5 * step).epsilon(0.01));
  }
}

TEST_CASE("A GPU that waits for input shows it: utilisation, bottleneck") {
  const double step = number("", "training.step_time"), sm = number("", "util.sm");
  const std::string slow =
      R"({"workers_per_gpu": 1, "decode_rate": )" + std::to_string(8.0 / (2.0 * step)) + "}";
  const Result r = report(scenario(slow));
  CHECK(r.number("util.sm") == Approx(0.5 * sm).epsilon(0.02));
  CHECK(r.number("training.input.wait") == Approx(step).epsilon(0.03));
  const auto input = std::find_if(r.bottlenecks.begin(), r.bottlenecks.end(),
                                  [](const Bottleneck& b) { return b.resource == "input"; });
  REQUIRE(input != r.bottlenecks.end());
  CHECK(input->share == Approx(0.5).epsilon(0.03));
}

TEST_CASE("The profile at 35 %: 3.2 GB copied in front of 70 ms of kernels") {
  // scenarios/profile/video-35-percent.json: 64 x 16 x 3 x 512 x 512 values of 4 B on one A100 of a node, a
  // step every 199 ms. One GPU has its uplink for itself: 3.22e9 B / 24.3 GB/s = 133 ms.
  TrainingScenario s = scenario(R"({"decoded_bytes": 50331648, "prefetch": false})");
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  const auto collectives = collectives::CollectiveModel::load(library().data_dir);
  s.machine.gpus_per_node = 1;
  const TrainingEstimator estimator(s.machine, kernels, collectives);
  const double copy = host_copy(estimator, Bytes(64.0 * 50331648), false);
  CHECK(64.0 * 50331648 == 3221225472.0);
  CHECK(0.070 / (0.070 + copy) == Approx(0.35).epsilon(0.02));
  CHECK(0.070 + copy == Approx(0.199).epsilon(0.02));
}

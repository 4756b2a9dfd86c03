// Speed of training steps on the engine: CPU seconds and peak memory of each case in a process of its own,
// loading of catalogues and profiles included. Beside: what others take (ASTRA-sim, 480 layers on
// 256 NPUs: 83 CPU-s, 2 GB; a collective is one piece of work a rank here, not its messages), and limits.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "sim/report/training_report.h"
#include "sim/scenario/serving_scenario.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

json::Value layers_480() {
  return json::parse(R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-SXM4-80GB", "nodes": 32},
      "model": {"base": "gpt3-175b", "layers": 480, "hidden": 1024, "heads": 16, "kv_heads": 16, "head_dim": 64,
                "ffn": 4096, "vocab": 51200},
      "parallelism": {"sharding": "ddp"}, "batch": {"global_batch": 256, "seq_len": 1024},
      "software": {"framework": "megatron"}})",
                     "480 layers");
}

json::Value llama_405b() {
  return json::parse_file(std::string(GPUPLAN_SOURCE_DIR) +
                          "/scenarios/training/llama3.1-405b-16384xh100.json");
}

void measure(const char* name, const json::Value& document, bool all_ranks, double cpu_limit,
             double memory_limit) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const Library library = Library::load(data_root());
    const TrainingScenario s = resolve_training(document, name, ".", library);
    const TrainingOutcome o = simulate_training(s, library, {.all_ranks = all_ranks, .record = false});
    std::printf("%-44s %10zu %9.3f", name, o.operations, o.estimate.step.si());
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  std::printf(" %7.2f %6.0f %8.1f %6.0f%s\n", seconds(used.ru_utime) + seconds(used.ru_stime), cpu_limit,
              static_cast<double>(used.ru_maxrss) / 1000.0, memory_limit, status == 0 ? "" : "  FAILED");
}

}  // namespace

int main() {
  std::printf("%-44s %10s %9s %7s %6s %8s %6s\n", "case", "operations", "step (s)", "CPU s", "limit", "MB",
              "limit");
  measure("480 layers x 256 ranks, each reduced", layers_480(), true, 2, 100);
  measure("480 layers, one rank for all", layers_480(), false, 1, 100);
  measure("405B on 16,384 GPUs, every rank", llama_405b(), true, 20, 300);
  measure("405B on 16,384 GPUs, a rank of each stage", llama_405b(), false, 1, 100);
  return 0;
}

// Speed of the search over splits, CPU seconds: a GPT of 22B (48 layers of 6144; Korthikanti et al., 2022) on
// 8 A100 with every choice, and what a search without `exhaustive` takes on 64 nodes.
#include <cstdio>

#include "sim/plan/training_search.h"
#include "tests/bench/measure.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

void search(const char* name, const char* text, const Library& library,
            const collectives::CollectiveModel& collectives) {
  const TrainingScenario s = resolve_training(json::parse(text, name), name, ".", library);
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library.data_dir);
  const double begin = bench::cpu_seconds();
  const SearchResult result = search_training(s, kernels, collectives);
  const double took = bench::cpu_seconds() - begin;
  std::printf("%-28s %10lld %10lld %10lld %8.3f %12.0f %10.3f\n", name,
              static_cast<long long>(result.candidates), static_cast<long long>(result.legal),
              static_cast<long long>(result.fit), took, static_cast<double>(result.legal) / took,
              result.best.empty() ? 0.0 : result.best.front().step);
}

}  // namespace

int main() {
  const Library library = Library::load(data_root());
  const auto collectives = collectives::CollectiveModel::load(library.data_dir);
  std::printf("%-28s %10s %10s %10s %8s %12s %10s\n", "search", "candidates", "legal", "fit", "CPU s",
              "legal/CPU-s", "best (s)");
  search("22B, 8 A100, exhaustive",
         R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-SXM4-80GB"},
             "model": {"base": "gpt3-175b", "layers": 48, "hidden": 6144, "heads": 64, "kv_heads": 64,
                       "head_dim": 96, "ffn": 24576, "vocab": 51200},
             "parallelism": {"tensor": 8}, "plan": {"exhaustive": true}, "batch": {"global_batch": 4, "seq_len": 2048}})",
         library, collectives);
  search("70B, 512 H100",
         R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 64},
             "model": "llama-2-70b", "batch": {"global_batch": 1024, "seq_len": 4096}})",
         library, collectives);
  return 0;
}

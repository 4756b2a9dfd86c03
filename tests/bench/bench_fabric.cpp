// Building platforms of 16,384 GPUs, and routes and cuts on them: CPU time (best of three) and peak memory.
// Goal: a platform in less than 0.5 s and 300 MB.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "hwmodels/fabric/cluster.h"
#include "tests/bench/measure.h"

using gpuplan::bench::cpu_seconds;
using namespace gpuplan;
using namespace gpuplan::fabric;

namespace {

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

}  // namespace

int main() {
  const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  std::printf("%-16s %10s %10s %10s %12s %12s %10s\n", "fabric", "devices", "links", "build s",
              "route us cold", "route us warm", "peak MB");
  for (const char* kind : {"rail_optimised", "fat_tree", "dragonfly"}) {
    const std::string text =
        std::string(R"({"node": "DGX-H100", "nodes": 2048, "fabric": {"kind": ")") + kind + "\"}}";
    const Cluster cluster = read_cluster(json::parse(text, "bench"), catalogue, "$");
    double best = 1e300;
    Topology topology;
    for (int repeat = 0; repeat < 3; ++repeat) {
      topology = Topology();  // one at a time in memory
      const double begin = cpu_seconds();
      topology = build_cluster(cluster, catalogue, "$");
      best = std::min(best, cpu_seconds() - begin);
    }
    const double peak = peak_megabytes();
    // Every GPU to one far away, first with nothing remembered.
    double spent[2] = {};
    std::size_t hops = 0;
    const auto gpus = topology.gpus();
    for (double& pass : spent) {
      const double begin = cpu_seconds();
      for (std::size_t i = 0; i < gpus.size(); ++i) {
        hops += topology.route(gpus[i], gpus[(i + 8191) % gpus.size()], i).size();
      }
      pass = 1e6 * (cpu_seconds() - begin) / static_cast<double>(gpus.size());
    }
    std::printf("%-16s %10zu %10zu %10.3f %12.2f %12.2f %10.0f%s\n", kind, topology.device_count(),
                topology.links().size(), best, spent[0], spent[1], peak, hops > 0 ? "" : " (no routes)");
    if (kind == std::string("rail_optimised")) {
      const double begin = cpu_seconds();
      const Cut cut = topology.cut(gpus.first(gpus.size() / 2), gpus.last(gpus.size() / 2));
      std::printf("  cut of the halves: %.1f TB/s in %.2f s\n", cut.bandwidth.si() / 1e12,
                  cpu_seconds() - begin);
    }
  }
  return 0;
}

// Speed of collectives in the engine, CPU seconds: the flow form at scale, folded to one rank and with all
// ranks, and the step form. All on one switch; the time that each predicts stands beside the closed form.
#include <cstdio>
#include <memory>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/fabric/cluster.h"
#include "sim/collective/collective_flows.h"
#include "sim/collective/fabric_flows.h"
#include "sim/collective/ring_steps.h"
#include "tests/bench/measure.h"

using gpuplan::Seconds;
using gpuplan::bench::cpu_seconds;
using namespace gpuplan::sim;

namespace {

constexpr double kBytes = 1e9, kRate = 50e9;

// `ranks` on a switch, `channels` rings over a rail each.
struct Machine {
  Engine engine;
  CollectiveFlows collectives{engine};
  std::vector<ResourceId> out, in;
  Machine(int ranks, int channels) {
    for (int i = 0; i < ranks * channels; ++i) {
      out.push_back(engine.add_resource("out", kRate));
      in.push_back(engine.add_resource("in", kRate));
    }
  }
};

void report(const char* name, double begin, const Machine& machine, double closed) {
  const double took = cpu_seconds() - begin;
  std::printf("%-58s %9llu %8.3f %10.0f %9.4f\n", name,
              static_cast<unsigned long long>(machine.engine.events()), took,
              static_cast<double>(machine.engine.events()) / took, machine.engine.now().si() / closed);
}

void flows(const char* name, int ranks, int channels, int simulated, bool lockstep) {
  const double begin = cpu_seconds();
  const double n = ranks, traffic = 2.0 * (n - 1.0) / n * kBytes / channels;
  auto machine = std::make_unique<Machine>(simulated, channels);
  CollectiveWork work{.lockstep = lockstep};
  for (int channel = 0; channel < channels; ++channel) {
    for (int rank = 0; rank < simulated; ++rank) {
      const auto i = static_cast<std::size_t>(channel * simulated + rank);
      const auto next = static_cast<std::size_t>(channel * simulated + (rank + 1) % simulated);
      work.ranks.push_back({{machine->out[i], traffic}, {machine->in[next], traffic}});
    }
  }
  machine->collectives.start(work, {});
  machine->engine.run();
  report(name, begin, *machine, traffic / kRate);
}

void steps(const char* name, int ranks, int channels) {
  const double begin = cpu_seconds();
  Machine machine(ranks, channels);
  const double chunk = kBytes / channels / ranks;
  RingSpec spec{.channels = {}, .steps = 2 * (ranks - 1), .latency = Seconds(1e-6)};
  for (int channel = 0; channel < channels; ++channel) {
    Ring ring;
    ring.chunks.assign(static_cast<std::size_t>(ranks), chunk);
    for (int rank = 0; rank < ranks; ++rank) {
      ring.edges.push_back(
          {{machine.out[static_cast<std::size_t>(channel * ranks + rank)], 1.0},
           {machine.in[static_cast<std::size_t>(channel * ranks + (rank + 1) % ranks)], 1.0}});
    }
    spec.channels.push_back(std::move(ring));
  }
  RingSteps ring(machine.engine, std::move(spec), {});
  ring.start();
  machine.engine.run();
  report(name, begin, machine, 2.0 * (ranks - 1) * (1e-6 + chunk / kRate));
}

// On the links of a cluster: building it, laying the rings, playing the all-reduce.
void on_cluster(int nodes, const char* fabric) {
  const gpuplan::Catalogue catalogue = gpuplan::Catalogue::load(GPUPLAN_SOURCE_DIR);
  gpuplan::json::Value json;
  json["node"] = "DGX-H100";
  json["nodes"] = nodes;
  json["fabric"]["kind"] = fabric;
  const double begin = cpu_seconds();
  const auto topology = gpuplan::fabric::build_cluster(
      gpuplan::fabric::read_cluster(json, catalogue, "bench"), catalogue, "bench");
  const double built = cpu_seconds();
  const auto plan = gpuplan::collectives::plan_rings(topology, topology.gpus());
  const double planned = cpu_seconds();
  Engine engine;
  const FabricFlows flows(engine, topology);
  CollectiveFlows collectives(engine);
  collectives.start(flows.work(plan, {gpuplan::collectives::Collective::all_reduce, gpuplan::Bytes(kBytes)}),
                    {});
  engine.run();
  const double played = cpu_seconds();
  const double folding = cpu_seconds();
  Engine small;
  CollectiveFlows folded(small);
  const gpuplan::collectives::CollectiveOperation reduce{gpuplan::collectives::Collective::all_reduce,
                                                         gpuplan::Bytes(kBytes)};
  const LinkUse use{&plan.hops_by_link,
                    bytes_per_hop(reduce, 8 * nodes) / static_cast<double>(plan.channels.size())};
  folded.start(folded_work(small, topology, fold(topology, {&use, 1}))[0], {});
  small.run();
  std::printf("folded to %u links: played %.4f s, T folded / T %.6f\n", small.resources(),
              cpu_seconds() - folding, small.now().si() / engine.now().si());
  std::printf("%6d GPUs, %-16s built %.3f s, rings of %zu channels %.3f s, played %.3f s: %.2f GB/s a GPU\n",
              8 * nodes, fabric, built - begin, plan.channels.size(), planned - built, played - planned,
              plan.bandwidth.si() / 1e9);
}

}  // namespace

int main() {
  std::printf("%-58s %9s %8s %10s %9s\n", "all-reduce", "events", "CPU s", "events/s", "T/closed");
  flows("16,384 ranks, folded to one", 16384, 1, 1, true);
  flows("16,384 ranks, all, in lockstep: one flow", 16384, 1, 16384, true);
  flows("1,024 ranks, 8 channels, a flow each", 1024, 8, 1024, false);
  flows("16,384 ranks, 8 channels, a flow each", 16384, 8, 16384, false);
  steps("64 ranks step by step", 64, 1);
  steps("1,024 ranks step by step", 1024, 1);
  steps("128 ranks, 8 channels step by step", 128, 8);
  for (const char* fabric : {"rail_optimised", "fat_tree"}) {
    on_cluster(128, fabric);
    on_cluster(2048, fabric);
  }
}

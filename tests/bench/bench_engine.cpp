// Speed of the engine: events per second of CPU time (not of wall time: the machine may be shared), in the
// best of three runs, beside what the prototype of this design reached on a machine of the same kind. Each
// case is the hot loop of a simulation: completions start the next piece of work. Allocations are counted
// over the whole run, building up included.
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "sim/engine/engine.h"
#include "tests/bench/allocations.h"
#include "tests/bench/measure.h"

using gpuplan::Seconds;
using gpuplan::bench::allocations;
using gpuplan::bench::cpu_seconds;
using namespace gpuplan::sim;

namespace {

// Numbers in [0, 1), the same everywhere.
struct Random {
  std::uint64_t state = 1;
  double operator()() {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11) * 0x1p-53;
  }
};

// `prototype`: million events per second; 0 where it was not measured.
template <class Case>
void report(const char* name, double prototype, Case&& run) {
  double best = 0;
  std::uint64_t events = 0;
  std::uint64_t allocated = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t allocated_before = allocations;
    const double begin = cpu_seconds();
    events = run();
    best = std::max(best, static_cast<double>(events) / (cpu_seconds() - begin));
    allocated = allocations - allocated_before;
  }
  std::printf("%-52s %9llu %8.2f %8s %10llu\n", name, static_cast<unsigned long long>(events), best / 1e6,
              prototype > 0 ? std::to_string(prototype).substr(0, 4).c_str() : "-",
              static_cast<unsigned long long>(allocated));
}

// `chains` timers, each sets the next.
std::uint64_t timers(int chains, std::uint64_t total) {
  struct State {
    Engine engine;
    Random random;
    std::uint64_t left = 0;
    void fire(std::uint64_t /*tag*/) {
      if (left > 0) {
        --left;
        engine.at(engine.now() + Seconds(1e-3 * (0.5 + random())), Callback::of<&State::fire>(this));
      }
    }
  } s;
  s.left = total - static_cast<std::uint64_t>(chains);
  for (int i = 0; i < chains; ++i) {
    s.engine.at(Seconds(1e-6 * i), Callback::of<&State::fire>(&s));
  }
  s.engine.run();
  return s.engine.events();
}

// `gpus` GPUs of SM and HBM, on each `streams` chains of kernels. With one stream a kernel is alone; with
// two or more, HBM is shared by all and full.
std::uint64_t kernels(int gpus, int streams, std::uint64_t total, bool shared) {
  struct State {
    Engine engine;
    Random random;
    std::uint64_t left = 0;
    bool shared = false;
    void next(std::uint64_t gpu) {
      if (left == 0) {
        return;
      }
      --left;
      const double length = 1e-4 * (0.5 + random());
      const double hbm = (shared ? 0.3 + 0.7 * random() : 0.4) * 3.35e12 * length;
      const Demand demands[] = {{static_cast<ResourceId>(2 * gpu), 0.3 * length},
                                {static_cast<ResourceId>(2 * gpu + 1), hbm}};
      engine.start({.demands = demands, .alone = Seconds(length), .latency = {}},
                   Callback::of<&State::next>(this, gpu));
    }
  } s;
  s.left = total;
  s.shared = shared;
  for (int g = 0; g < gpus; ++g) {
    s.engine.add_resource("sm", 1);
    s.engine.add_resource("hbm", 3.35e12);
  }
  for (int g = 0; g < gpus; ++g) {
    for (int i = 0; i < streams; ++i) {
      s.next(static_cast<std::uint64_t>(g));
    }
  }
  s.engine.run();
  return s.engine.events();
}

// `flows` flows of different length on one link and each on an access link of its own: the worst case, since
// each completion changes the rate of all others.
std::uint64_t crowd(int flows, std::uint64_t total) {
  struct State {
    Engine engine;
    Random random;
    std::uint64_t left = 0;
    void next(std::uint64_t i) {
      if (left == 0) {
        return;
      }
      --left;
      const double bytes = 0.5 + random();
      const Demand demands[] = {{0, bytes}, {static_cast<ResourceId>(i), bytes}};
      engine.start({.demands = demands}, Callback::of<&State::next>(this, i));
    }
  } s;
  s.left = total;
  s.engine.add_resource("spine", 1);
  for (int i = 1; i <= flows; ++i) {
    s.engine.add_resource("access", 1);
  }
  for (int i = 1; i <= flows; ++i) {
    s.next(static_cast<std::uint64_t>(i));
  }
  s.engine.run();
  return s.engine.events();
}

// A ring collective played step by step, one flow a step and rank, a barrier after each step.
std::uint64_t ring_steps(int ranks, int steps) {
  struct State {
    Engine engine;
    int ranks = 0;
    int steps = 0;
    int running = 0;
    void step() {
      running = ranks;
      for (int g = 0; g < ranks; ++g) {
        const Demand demands[] = {{static_cast<ResourceId>(2 * g), 1e6},
                                  {static_cast<ResourceId>(2 * ((g + 1) % ranks) + 1), 1e6}};
        engine.start({.demands = demands, .latency = Seconds(1e-6)}, Callback::of<&State::done>(this));
      }
    }
    void done(std::uint64_t /*tag*/) {
      if (--running == 0 && --steps > 0) {
        step();
      }
    }
  } s;
  s.ranks = ranks;
  s.steps = steps;
  for (int g = 0; g < ranks; ++g) {
    s.engine.add_resource("out", 5e10);
    s.engine.add_resource("in", 5e10);
  }
  s.step();
  s.engine.run();
  return s.engine.events();
}

// Rings of one flow a rank over the GPUs' links, HBM and SM, beside one kernel stream a GPU: ring r starts
// again when its last rank is done.
std::uint64_t rings(int gpus, int rounds) {
  struct State {
    Engine engine;
    Random random;
    int gpus = 0;
    int rounds = 0;
    int running = 0;
    void start_ring() {
      running = gpus;
      for (int g = 0; g < gpus; ++g) {
        const auto base = static_cast<ResourceId>(4 * g);
        const auto peer = static_cast<ResourceId>(4 * ((g + 1) % gpus));
        const Demand demands[] = {{base, 0.1 * 1e-3}, {base + 1, 2e9}, {base + 2, 4.5e8}, {peer + 3, 4.5e8}};
        engine.start({.demands = demands, .alone = Seconds(1e-3), .latency = Seconds(1e-5)},
                     Callback::of<&State::rank_done>(this));
      }
    }
    void rank_done(std::uint64_t /*tag*/) {
      if (--running == 0 && --rounds > 0) {
        start_ring();
      }
    }
    void kernel(std::uint64_t gpu) {
      if (rounds == 0) {
        return;
      }
      const double length = 2e-4 * (0.5 + random());
      const Demand demands[] = {{static_cast<ResourceId>(4 * gpu), 0.9 * length},
                                {static_cast<ResourceId>(4 * gpu + 1), 2.5e12 * length}};
      engine.start({.demands = demands, .alone = Seconds(length), .latency = {}},
                   Callback::of<&State::kernel>(this, gpu));
    }
  } s;
  s.gpus = gpus;
  s.rounds = rounds;
  for (int g = 0; g < gpus; ++g) {
    s.engine.add_resource("sm", 1);
    s.engine.add_resource("hbm", 3.35e12);
    s.engine.add_resource("nvlink out", 4.5e11);
    s.engine.add_resource("nvlink in", 4.5e11);
  }
  s.start_ring();
  for (int g = 0; g < gpus; ++g) {
    s.kernel(static_cast<std::uint64_t>(g));
  }
  s.engine.run();
  return s.engine.events();
}

}  // namespace

int main(int argc, char** argv) {
  const auto total = static_cast<std::uint64_t>(argc > 1 ? std::atof(argv[1]) : 1e6);
  std::printf("%-52s %9s %8s %8s %10s\n", "case", "events", "M/s", "before", "allocated");
  report("timers, 1 chain", 2.9, [&] { return timers(1, total); });
  report("timers, 1,024 chains", 2.7, [&] { return timers(1024, total); });
  report("kernels alone, 2 GPUs (4 resources)", 2.8, [&] { return kernels(2, 1, total, false); });
  report("kernels alone, 32 GPUs (64 resources)", 2.8, [&] { return kernels(32, 1, total, false); });
  report("kernels alone, 1,024 GPUs", 2.5, [&] { return kernels(1024, 1, total, false); });
  report("kernels alone, 16,384 GPUs", 1.2, [&] { return kernels(16384, 1, total, false); });
  report("2 kernels side by side, 32 GPUs", 0, [&] { return kernels(32, 2, total, false); });
  report("3 kernels, HBM full, 2 GPUs", 0, [&] { return kernels(2, 3, total, true); });
  report("3 kernels, HBM full, 32 GPUs", 0, [&] { return kernels(32, 3, total, true); });
  report("3 kernels, HBM full, 1,024 GPUs", 0, [&] { return kernels(1024, 3, total, true); });
  for (const auto& [gpus, prototype] : {std::pair{8, 2.1}, {128, 1.3}, {512, 1.2}, {4096, 0.7}}) {
    const std::string name = "ring beside kernels, " + std::to_string(gpus) + " GPUs";
    report(name.c_str(), prototype,
           [gpus = gpus, total] { return rings(gpus, static_cast<int>(total / 20) / gpus + 1); });
  }
  for (const auto& [ranks, prototype] : {std::pair{64, 3.3}, {512, 1.6}, {4096, 1.2}, {16384, 0.44}}) {
    const std::string name = "ring step by step, " + std::to_string(ranks) + " ranks";
    report(name.c_str(), prototype,
           [ranks = ranks, total] { return ring_steps(ranks, static_cast<int>(total) / ranks + 1); });
  }
  report("16 flows through one link", 0, [&] { return crowd(16, total / 4); });
  report("512 flows through one link", 0, [&] { return crowd(512, total / 50); });
}

// Speed of the engine: events per second of CPU time (not of wall time: the machine may be shared), in the
// best of three runs. Each case is the hot loop of a simulation: completions start the next piece of work.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "sim/engine/engine.h"

using gpuplan::Seconds;
using namespace gpuplan::sim;

namespace {

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Numbers in [0, 1), the same everywhere.
struct Random {
  std::uint64_t state = 1;
  double operator()() {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state >> 11) * 0x1p-53;
  }
};

template <class Case>
void report(const char* name, Case&& run) {
  double best = 0;
  std::uint64_t events = 0;
  for (int i = 0; i < 3; ++i) {
    const double begin = cpu_seconds();
    events = run();
    best = std::max(best, static_cast<double>(events) / (cpu_seconds() - begin));
  }
  std::printf("%-58s %9llu events %8.2f M/s\n", name, static_cast<unsigned long long>(events), best / 1e6);
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
  report("timers, 1 chain", [&] { return timers(1, total); });
  report("timers, 1,024 chains", [&] { return timers(1024, total); });
  report("kernels, 2 GPUs (4 resources), 1 stream, alone", [&] { return kernels(2, 1, total, false); });
  report("kernels, 32 GPUs (64 resources), 1 stream, alone", [&] { return kernels(32, 1, total, false); });
  report("kernels, 2 GPUs, 2 streams, side by side", [&] { return kernels(2, 2, total, false); });
  report("kernels, 32 GPUs, 2 streams, side by side", [&] { return kernels(32, 2, total, false); });
  report("kernels, 2 GPUs, 3 streams, HBM full", [&] { return kernels(2, 3, total, true); });
  report("kernels, 32 GPUs, 3 streams, HBM full", [&] { return kernels(32, 3, total, true); });
  report("kernels, 1,024 GPUs, 3 streams, HBM full", [&] { return kernels(1024, 3, total, true); });
  for (const int gpus : {8, 128, 512, 4096}) {
    const std::string name = "ring beside kernels, " + std::to_string(gpus) + " GPUs";
    report(name.c_str(), [&] { return rings(gpus, static_cast<int>(total / 20) / gpus + 1); });
  }
}

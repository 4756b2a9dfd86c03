// Collectives in the engine: against the closed form of a ring, step by step against as flows, and beside
// other work with rates derived by hand.
#include "sim/collective/collective_flows.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "sim/collective/ring_steps.h"

using gpuplan::Seconds;
using namespace gpuplan::sim;

namespace {

struct Clock {
  Engine& engine;
  std::vector<double> times;
  void note(std::uint64_t tag) {
    times.resize(std::max<std::size_t>(times.size(), tag + 1), std::nan(""));
    times[tag] = engine.now().si();
  }
  Callback operator()(std::uint64_t tag) { return Callback::of<&Clock::note>(this, tag); }
};

// GPUs on one switch: a link to it and one from it each.
struct Switch {
  Engine engine;
  Clock clock{engine, {}};
  CollectiveFlows collectives{engine};
  std::vector<ResourceId> out, in;

  Switch(int gpus, double bytes_per_second) {
    for (int i = 0; i < gpus; ++i) {
      out.push_back(engine.add_resource("out", bytes_per_second));
      in.push_back(engine.add_resource("in", bytes_per_second));
    }
  }
  [[nodiscard]] std::vector<Demand> edge(std::size_t rank, double bytes) const {
    return {{out[rank], bytes}, {in[(rank + 1) % in.size()], bytes}};
  }
  // All-reduce of `bytes` as a ring: 2 (n - 1) / n of them over every edge.
  [[nodiscard]] CollectiveWork all_reduce(double bytes, Seconds latency) const {
    const double n = static_cast<double>(out.size());
    CollectiveWork work{.latency = latency * (2.0 * (n - 1.0))};
    for (std::size_t rank = 0; rank < out.size(); ++rank) {
      work.ranks.push_back(edge(rank, 2.0 * (n - 1.0) / n * bytes));
    }
    return work;
  }
  [[nodiscard]] RingSpec steps(const std::vector<double>& chunks, Seconds latency, int count) const {
    Ring ring{.edges = {}, .chunks = chunks};
    for (std::size_t rank = 0; rank < out.size(); ++rank) {
      ring.edges.push_back(edge(rank, 1.0));
    }
    return {.channels = {ring}, .steps = count, .latency = latency};
  }
};

Approx near(double value) { return Approx(value).epsilon(1e-9).margin(1e-15); }

}  // namespace

TEST_CASE("A ring on one switch takes 2 (n - 1) (latency + S / n / B), as flows and step by step") {
  for (const int n : {2, 3, 8, 64}) {
    for (const double bytes : {64.0, 1e6, 8e9}) {
      CAPTURE(n, bytes);
      const double closed = 2.0 * (n - 1) * (2e-6 + bytes / n / 100e9);
      Switch flows(n, 100e9);
      flows.collectives.start(flows.all_reduce(bytes, Seconds(2e-6)), flows.clock(0));
      flows.engine.run();
      CHECK(flows.clock.times.at(0) == near(closed));
      Switch stepped(n, 100e9);
      RingSteps ring(stepped.engine,
                     stepped.steps(std::vector<double>(static_cast<std::size_t>(n), bytes / n), Seconds(2e-6),
                                   2 * (n - 1)),
                     stepped.clock(0));
      ring.start();
      stepped.engine.run();
      CHECK(stepped.clock.times.at(0) == near(closed));
      // Bytes out of each rank are the bytes into the next, and the same in both forms.
      for (std::size_t i = 0; i < flows.out.size(); ++i) {
        CHECK(flows.engine.used(flows.out[i]) == near(2.0 * (n - 1) / n * bytes));
        CHECK(stepped.engine.used(stepped.out[i]) == near(2.0 * (n - 1) / n * bytes));
        CHECK(stepped.engine.used(stepped.in[i]) == near(2.0 * (n - 1) / n * bytes));
      }
    }
  }
}

TEST_CASE("The slowest edge sets the pace of a ring, as flows and step by step") {
  // 8 ranks, 100 MB chunks: 14 of them leave each rank. The edge of rank 3 takes 2 ms for one, the others 1.
  // It is never idle, since rank 2 is always ahead of it: 14 (2 ms + 1 us).
  const auto slowed = [](double bytes_per_second) {
    auto s = std::make_unique<Switch>(8, bytes_per_second);
    s->out[3] = s->engine.add_resource("slow", 50e9);
    return s;
  };
  const auto flows = slowed(100e9);
  flows->collectives.start(flows->all_reduce(800e6, Seconds(1e-6)), flows->clock(0));
  flows->engine.run();
  CHECK(flows->clock.times.at(0) == near(14 * 2.001e-3));
  const auto stepped = slowed(100e9);
  RingSteps ring(stepped->engine, stepped->steps(std::vector<double>(8, 100e6), Seconds(1e-6), 14),
                 stepped->clock(0));
  ring.start();
  stepped->engine.run();
  CHECK(stepped->clock.times.at(0) == near(14 * 2.001e-3));
}

TEST_CASE("Steps of a ring: every rank sends what it received the step before") {
  Switch s(4, 1e9);
  RingSpec spec = s.steps({1000.0, 2000.0, 0.0, 500.0}, Seconds(1e-6), 6);
  spec.record = true;
  RingSteps ring(s.engine, spec, s.clock(0));
  ring.start();
  s.engine.run();
  REQUIRE(ring.record().size() == 24);
  // Play the record on numbers: rank r starts with value 10^r in every chunk.
  std::vector<std::vector<double>> held(4, std::vector<double>(4));
  for (std::size_t r = 0; r < 4; ++r) {
    for (double& v : held[r]) {
      v = std::pow(10.0, static_cast<double>(r));
    }
  }
  for (const RingStep& step : ring.record()) {  // in the order in which they ended
    const auto from = static_cast<std::size_t>(step.rank), to = (from + 1) % 4,
               chunk = static_cast<std::size_t>(step.chunk);
    CHECK(step.chunk == (step.rank - step.step % 4 + 4) % 4);
    CHECK(step.end > step.begin);
    held[to][chunk] = step.step < 3 ? held[to][chunk] + held[from][chunk] : held[from][chunk];
  }
  for (const std::vector<double>& rank : held) {
    CHECK(rank == std::vector<double>(4, 1111.0));
  }
}

TEST_CASE("An all-reduce beside kernels and a copy, by hand") {
  // Two GPUs of 3 TB/s HBM. An all-reduce moves 1e8 B each way over links of 1e11 B/s, 1 ms alone, and 3e8 B
  // of each HBM. GPU 0 runs a kernel of 3e9 B (1 ms); GPU 1 one of 3e9 B (1 ms) and a copy of 6e9 B (2 ms).
  // Weights are rates alone: 1000, 1000, 1000 and 500 /s. HBM 1: level (1000 x 3e9 + 500 x 6e9 + 1000 x 3e8)
  // = 3e12, 0.47619; HBM 0 alone would allow 0.909. So the all-reduce runs at 476.19 /s and leaves the kernel
  // on GPU 0 (3e12 - 476.19 x 3e8) / 3e9 = 952.38 /s: 1.05 ms. The other kernel and the all-reduce end at
  // 2.1 ms, when half of the copy is done; alone it takes 1 ms more.
  Switch s(2, 1e11);
  const ResourceId hbm0 = s.engine.add_resource("hbm0", 3e12), hbm1 = s.engine.add_resource("hbm1", 3e12);
  CollectiveWork work = s.all_reduce(1e8, Seconds(0));
  work.ranks[0].push_back({hbm0, 3e8});
  work.ranks[1].push_back({hbm1, 3e8});
  s.collectives.start(work, s.clock(0));
  const Demand first[] = {{hbm0, 3e9}}, second[] = {{hbm1, 3e9}}, copy[] = {{hbm1, 6e9}};
  s.engine.start({.demands = first}, s.clock(1));
  s.engine.start({.demands = second}, s.clock(2));
  s.engine.start({.demands = copy}, s.clock(3));
  s.engine.run();
  CHECK(s.clock.times.at(1) == near(1.05e-3));
  CHECK(s.clock.times.at(0) == near(2.1e-3));
  CHECK(s.clock.times.at(2) == near(2.1e-3));
  CHECK(s.clock.times.at(3) == near(3.1e-3));
}

TEST_CASE("Two collectives on the same links take twice as long, on others they do not see each other") {
  // 4 ranks, 2 x 3 / 4 of 1e9 B at 1e11 B/s: 15 ms alone.
  Switch shared(4, 1e11);
  const CollectiveWork work = shared.all_reduce(1e9, Seconds(0));
  shared.collectives.start(work, shared.clock(0));
  shared.collectives.start(work, shared.clock(1));
  shared.engine.run();
  CHECK(shared.clock.times.at(0) == near(30e-3));
  CHECK(shared.clock.times.at(1) == near(30e-3));
  Switch apart(4, 1e11);
  const ResourceId rail = apart.engine.add_resource("rail", 5e10);
  apart.collectives.start(work, apart.clock(0));
  apart.collectives.start({.ranks = {{{rail, 1e9}}}}, apart.clock(1));
  apart.engine.run();
  CHECK(apart.clock.times.at(0) == near(15e-3));
  CHECK(apart.clock.times.at(1) == near(20e-3));
}

TEST_CASE("Ranks that do not wait for each other end one by one, a protocol's rate is a limit of its own") {
  // Sends of 1e9 and 3e9 B over links of their own, 1e11 B/s: 10 and 30 ms; all through at 30.
  Switch s(2, 1e11);
  CollectiveWork work{.lockstep = false, .ranks = {{{s.out[0], 1e9}}, {{s.out[1], 3e9}}}};
  s.collectives.start(work, s.clock(0));
  // After 10 ms a copy finds the first link free: 1e9 B at full rate from 12 to 22 ms.
  const Demand copy[] = {{s.out[0], 1e9}};
  s.engine.start({.demands = copy, .latency = Seconds(12e-3)}, s.clock(1));
  s.engine.run();
  CHECK(s.clock.times.at(0) == near(30e-3));
  CHECK(s.clock.times.at(1) == near(22e-3));
  Switch limited(2, 1e11);
  work.alone = Seconds(50e-3);
  work.lockstep = true;
  const CollectiveHandle handle = limited.collectives.start(work, limited.clock(0));
  CHECK(limited.collectives.active(handle));
  limited.engine.run();
  CHECK(limited.clock.times.at(0) == near(50e-3));
  CHECK_FALSE(limited.collectives.active(handle));
}

TEST_CASE("A cancelled collective gives its links back and calls nobody") {
  for (const bool lockstep : {true, false}) {
    Switch s(4, 1e11);
    CollectiveWork work = s.all_reduce(1e9, Seconds(0));
    work.lockstep = lockstep;
    const CollectiveHandle first = s.collectives.start(work, s.clock(0));
    s.collectives.start(work, s.clock(1));
    s.engine.run(Seconds(10e-3));
    s.collectives.cancel(first);
    s.collectives.cancel(first);
    const CollectiveHandle reused = s.collectives.start({.latency = Seconds(1e-3)}, s.clock(2));
    CHECK_FALSE(s.collectives.active(first));
    CHECK(s.collectives.active(reused));
    s.engine.run();
    // 5 ms of its 15 done in the first 10, the other 10 alone.
    CHECK(s.clock.times.at(1) == near(20e-3));
    CHECK(std::isnan(s.clock.times.at(0)));
    CHECK(s.clock.times.at(2) == near(11e-3));
  }
}

TEST_CASE("Chunks of any size: the step form conserves bytes and is no faster than the flow form") {
  std::mt19937 random(7);
  for (int trial = 0; trial < 30; ++trial) {
    const int n = 2 + static_cast<int>(random() % 7);
    std::vector<double> chunks;
    double total = 0.0;
    for (int i = 0; i < n; ++i) {
      chunks.push_back(static_cast<double>(random() % 1000) * 1e5);
      total += chunks.back();
    }
    Switch s(n, 1e11);
    RingSteps ring(s.engine, s.steps(chunks, Seconds(1e-6), 2 * (n - 1)), s.clock(0));
    ring.start();
    s.engine.run();
    double sent = 0.0;
    for (std::size_t i = 0; i < s.out.size(); ++i) {
      sent += s.engine.used(s.out[i]);
      CHECK(s.engine.used(s.out[i]) == near(s.engine.used(s.in[(i + 1) % s.in.size()])));
    }
    CHECK(sent == near(2.0 * (n - 1) * total));
    CHECK(s.clock.times.at(0) >= 2.0 * (n - 1) * (1e-6 + total / n / 1e11) * (1.0 - 1e-9));
  }
}

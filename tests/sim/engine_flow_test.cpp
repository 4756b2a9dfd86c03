// Flows by hand: small cases whose times are derived line by line in the comments.
#include <catch2/catch.hpp>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "sim/engine/engine.h"

using gpuplan::Seconds;
using namespace gpuplan::sim;
using namespace gpuplan::literals;

namespace {

// Notes when each tag completed.
struct Log {
  Engine& engine;
  struct Entry {
    std::uint64_t tag;
    double time;
  };
  std::vector<Entry> entries;

  void note(std::uint64_t tag) { entries.push_back({tag, engine.now().si()}); }
  Callback operator()(std::uint64_t tag) { return Callback::of<&Log::note>(this, tag); }
  [[nodiscard]] double time(std::uint64_t tag) const {
    for (const Entry& entry : entries) {
      if (entry.tag == tag) {
        return entry.time;
      }
    }
    return std::nan("");
  }
};

Approx near(double value) { return Approx(value).epsilon(1e-12).margin(1e-15); }

// An H100-like GPU: 1e15 FLOP/s, 3.35e12 B/s.
struct Gpu {
  Engine engine;
  Log log{engine, {}};
  ResourceId sm = engine.add_resource("sm", 1e15);
  ResourceId hbm = engine.add_resource("hbm", 3.35e12);

  // GEMM: 1e12 FLOP at 1e15 FLOP/s = 1 ms; 1e9 B at 3.35e12 B/s = 0.2985 ms. Alone: 1 ms.
  FlowHandle gemm(double weight = 0) {
    const Demand demands[] = {{sm, 1e12}, {hbm, 1e9}};
    return engine.start({.demands = demands, .weight = weight}, log(1));
  }
  // Copy: 3.35e9 B at 3.35e12 B/s. Alone: 1 ms.
  FlowHandle copy(double weight = 0) {
    const Demand demands[] = {{hbm, 3.35e9}};
    return engine.start({.demands = demands, .weight = weight}, log(2));
  }
};

}  // namespace

TEST_CASE("a flow alone takes as long as its slowest resource") {
  Gpu gpu;
  SECTION("GEMM: compute") {
    gpu.gemm();
    gpu.engine.run();
    CHECK(gpu.log.time(1) == near(1e-3));
    CHECK(gpu.engine.used(gpu.sm) == near(1e12));
    CHECK(gpu.engine.used(gpu.hbm) == near(1e9));
  }
  SECTION("copy: HBM") {
    gpu.copy();
    gpu.engine.run();
    CHECK(gpu.log.time(2) == near(1e-3));
  }
  SECTION("own least duration, above what resources need, after a latency") {
    const Demand demands[] = {{gpu.hbm, 3.35e9}};
    gpu.engine.start({.demands = demands, .alone = 2_ms, .latency = 5_us}, gpu.log(3));
    gpu.engine.run();
    CHECK(gpu.log.time(3) == near(2.005e-3));
  }
}

TEST_CASE("GEMM beside a copy, plain max-min of bytes") {
  // Weights 1/bytes make rates of life proportional to 1/bytes, that is: equal bytes per second while both
  // are held back by HBM. Equal shares are 1.675e12 B/s. The GEMM's own limit is 1e9 B in 1 ms = 1e12 B/s,
  // less than that, so it runs at full speed: 1.0 ms. The copy gets the rest, 2.35e12 B/s, so it has moved
  // 2.35e9 B by then and has 1e9 B left, for which it has all of HBM: 1e9 / 3.35e12 = 0.298507 ms.
  Gpu gpu;
  gpu.gemm(1 / 1e9);
  gpu.copy(1 / 3.35e9);
  gpu.engine.run();
  CHECK(gpu.log.time(1) == near(1.0e-3));
  CHECK(gpu.log.time(2) == near(1.0e-3 + 1e9 / 3.35e12));
  CHECK(gpu.log.time(2) == Approx(1.2985e-3).epsilon(1e-4));
}

TEST_CASE("GEMM beside a copy, slowdown-fair") {
  // Both take 1 ms alone, so both have weight 1000/s and run at the same rate of life x. HBM:
  // x (1e9 + 3.35e9) B = 3.35e12 B/s -> x = 770.11/s, below both caps. SM: 770.11/s * 1e12 FLOP < 1e15.
  // Both end after 1/x = 4.35e9 / 3.35e12 = 1.298507 ms: a slow-down of 1.2985 each.
  Gpu gpu;
  gpu.gemm();
  gpu.copy();
  gpu.engine.run();
  CHECK(gpu.log.time(1) == near(4.35e9 / 3.35e12));
  CHECK(gpu.log.time(2) == near(4.35e9 / 3.35e12));
}

TEST_CASE("a long and a short copy are slowed down alike") {
  // Copies of 1 ms and 4 ms on one HBM: levels x/w equal -> each runs at half its own rate while both are
  // there. The short one ends at 2 ms; the long one has then done 1 ms of its 4 ms and takes 3 ms more: 5 ms.
  // (Equal bytes per second would give 2 ms and 5 ms too: at one resource byte-fair and slowdown-fair agree
  // when each alone would fill it.)
  Engine engine;
  Log log{engine, {}};
  const ResourceId hbm = engine.add_resource("hbm", 1e12);
  const Demand short_copy[] = {{hbm, 1e9}};
  const Demand long_copy[] = {{hbm, 4e9}};
  engine.start({.demands = long_copy}, log(1));
  engine.start({.demands = short_copy}, log(2));
  engine.run();
  CHECK(log.time(2) == near(2e-3));
  CHECK(log.time(1) == near(5e-3));
  CHECK(engine.used(hbm) == near(5e9));
}

TEST_CASE("weights set the shares at a common bottleneck") {
  // Two flows of 1 life on a resource of 1 life/s, weights 3 and 1: rates 0.75 and 0.25. The first ends at
  // 4/3 s; the second has done 1/3 and takes 2/3 s more alone: 2 s.
  Engine engine;
  Log log{engine, {}};
  const ResourceId r = engine.add_resource("r", 1);
  const Demand demand[] = {{r, 1}};
  engine.start({.demands = demand, .weight = 3}, log(1));
  engine.start({.demands = demand, .weight = 1}, log(2));
  engine.run();
  CHECK(log.time(1) == near(4.0 / 3));
  CHECK(log.time(2) == near(2.0));
}

TEST_CASE("a chain of bottlenecks") {
  // Link A 1 B/s, link B 2 B/s; a uses A, ab uses both, b uses B, weight 1 and 1 byte each.
  // Filling: A is full at level 0.5 (a = ab = 0.5). B then has 1.5 left for b: 1.5 B/s.
  // b ends at 1/1.5 = 2/3 s: nothing changes for a and ab (bound by A). They end at 2 s.
  Engine engine;
  Log log{engine, {}};
  const ResourceId a = engine.add_resource("A", 1);
  const ResourceId b = engine.add_resource("B", 2);
  const Demand on_a[] = {{a, 1}};
  const Demand on_b[] = {{b, 1}};
  const Demand on_both[] = {{a, 1}, {b, 1}};
  engine.start({.demands = on_a, .weight = 1}, log(1));
  engine.start({.demands = on_both, .weight = 1}, log(2));
  engine.start({.demands = on_b, .weight = 1}, log(3));
  engine.run();
  CHECK(log.time(3) == near(2.0 / 3));
  CHECK(log.time(1) == near(2.0));
  CHECK(log.time(2) == near(2.0));
}

TEST_CASE("a flow that leaves sets others free across a full resource") {
  // A 1 B/s with a (1 B) and ab; B 1 B/s with ab, b. Weight 1. Start: all at level 0.5 (A and B full at
  // once). a has 0.25 B only: ends at 0.5 s. ab (2 B) is still held by B: ab = b = 0.5. b (0.5 B) ends at 1
  // s. Then ab has done 0.5 B and has 1.5 B left at 1 B/s: ends at 2.5 s. Rates of life are B/s over its
  // bytes, so byte-fairness needs weights 1/bytes.
  Engine engine;
  Log log{engine, {}};
  const ResourceId a = engine.add_resource("A", 1);
  const ResourceId b = engine.add_resource("B", 1);
  const Demand on_a[] = {{a, 0.25}};
  const Demand on_b[] = {{b, 0.5}};
  const Demand on_both[] = {{a, 2}, {b, 2}};
  engine.start({.demands = on_a, .weight = 4}, log(1));
  engine.start({.demands = on_both, .weight = 0.5}, log(2));
  engine.start({.demands = on_b, .weight = 2}, log(3));
  engine.run();
  CHECK(log.time(1) == near(0.5));
  CHECK(log.time(3) == near(1.0));
  CHECK(log.time(2) == near(2.5));
}

TEST_CASE("a flow that comes later") {
  // Copy of 1 ms alone; after 0.5 ms a second one of 1 ms comes. Both at half rate: the first has 0.5 ms of
  // work left and ends at 1.5 ms; the second has done 0.5 ms and ends at 2 ms.
  Gpu gpu;
  gpu.copy();
  struct Later {
    Gpu& gpu;
    void come(std::uint64_t /*tag*/) {
      const Demand demands[] = {{gpu.hbm, 3.35e9}};
      gpu.engine.start({.demands = demands}, gpu.log(3));
    }
  } later{gpu};
  gpu.engine.at(0.5_ms, Callback::of<&Later::come>(&later));
  gpu.engine.run();
  CHECK(gpu.log.time(2) == near(1.5e-3));
  CHECK(gpu.log.time(3) == near(2.0e-3));
}

TEST_CASE("latency uses nothing") {
  // The second copy waits 1 ms before it uses HBM, when the first has just ended: neither notices the other.
  Gpu gpu;
  gpu.copy();
  const Demand demands[] = {{gpu.hbm, 3.35e9}};
  gpu.engine.start({.demands = demands, .latency = 1_ms}, gpu.log(3));
  gpu.engine.run();
  CHECK(gpu.log.time(2) == near(1e-3));
  CHECK(gpu.log.time(3) == near(2e-3));
}

TEST_CASE("progress, cancel and resize") {
  Gpu gpu;
  const FlowHandle first = gpu.copy();
  struct Act {
    Gpu& gpu;
    FlowHandle first;
    FlowHandle second{};
    void begin(std::uint64_t /*tag*/) {
      CHECK(gpu.engine.progress(first) == near(0.25));
      const Demand demands[] = {{gpu.hbm, 3.35e9}};
      second = gpu.engine.start({.demands = demands}, gpu.log(3));
    }
    // At 0.5 ms: 0.25 + 0.25/2 = 0.375 of the first and 0.125 of the second are done.
    void cancel(std::uint64_t /*tag*/) {
      CHECK(gpu.engine.progress(first) == near(0.375));
      CHECK(gpu.engine.progress(second) == near(0.125));
      gpu.engine.cancel(first);
      CHECK_FALSE(gpu.engine.active(first));
      gpu.engine.cancel(first);
      CHECK_THROWS_AS(gpu.engine.progress(first), std::logic_error);
      CHECK_THROWS_AS(gpu.engine.resize(first, 1), std::logic_error);
    }
    // At 0.5 ms as well: the second shall end at 0.625 of its life, 0.5 ms later at the full rate: at 1 ms.
    void shorten(std::uint64_t /*tag*/) { gpu.engine.resize(second, 0.625); }
    // Or the longer: 1.125 of its life, 1 ms later: at 1.5 ms.
    void lengthen(std::uint64_t /*tag*/) { gpu.engine.resize(second, 1.125); }
    void too_short(std::uint64_t /*tag*/) {
      CHECK_THROWS_AS(gpu.engine.resize(second, 0.1), std::logic_error);
      gpu.engine.resize(second, gpu.engine.progress(second));  // ends now
    }
  } act{gpu, first};
  gpu.engine.at(0.25_ms, Callback::of<&Act::begin>(&act));
  gpu.engine.at(0.5_ms, Callback::of<&Act::cancel>(&act));
  SECTION("cancel only") {
    gpu.engine.run();
    CHECK(std::isnan(gpu.log.time(2)));
    CHECK(gpu.log.time(3) == near(0.5e-3 + 0.875e-3));
    CHECK(gpu.engine.used(gpu.hbm) == near(1.375 * 3.35e9));
  }
  SECTION("shorter") {
    gpu.engine.at(0.5_ms, Callback::of<&Act::shorten>(&act));
    gpu.engine.run();
    CHECK(gpu.log.time(3) == near(1e-3));
    CHECK(gpu.engine.used(gpu.hbm) == near((0.375 + 0.625) * 3.35e9));
  }
  SECTION("longer") {
    gpu.engine.at(0.5_ms, Callback::of<&Act::lengthen>(&act));
    gpu.engine.run();
    CHECK(gpu.log.time(3) == near(1.5e-3));
  }
  SECTION("no shorter than what is done") {
    gpu.engine.at(0.5_ms, Callback::of<&Act::too_short>(&act));
    gpu.engine.run();
    CHECK(gpu.log.time(3) == near(0.5e-3));
  }
}

TEST_CASE("resize before the life begins") {
  Gpu gpu;
  const Demand demands[] = {{gpu.hbm, 3.35e9}};
  const FlowHandle latent = gpu.engine.start({.demands = demands, .latency = 1_ms}, gpu.log(1));
  gpu.engine.resize(latent, 0.5);
  gpu.engine.run();
  CHECK(gpu.log.time(1) == near(1.5e-3));
  CHECK(gpu.engine.used(gpu.hbm) == near(0.5 * 3.35e9));
}

TEST_CASE("flows that use nothing") {
  Engine engine;
  Log log{engine, {}};
  const ResourceId r = engine.add_resource("r", 1);
  const Demand zero[] = {{r, 0.0}};
  engine.start({.alone = 3_us}, log(1));
  engine.start({.latency = 2_us}, log(2));
  engine.start({}, log(3));
  engine.start({.demands = zero}, log(4));
  const FlowHandle cancelled = engine.start({.latency = 1_us}, log(5));
  engine.cancel(cancelled);
  engine.run();
  REQUIRE(log.entries.size() == 4);
  CHECK(log.entries[0].tag == 3);
  CHECK(log.entries[1].tag == 4);
  CHECK(log.entries[2].tag == 2);
  CHECK(log.entries[3].tag == 1);
  CHECK(log.time(3) == 0);
  CHECK(log.time(4) == 0);
  CHECK(log.time(2) == 2e-6);
  CHECK(log.time(1) == 3e-6);
  CHECK(engine.used(r) == 0);
  CHECK(engine.events() == 4);
}

TEST_CASE("a resource named twice counts the sum") {
  Engine engine;
  Log log{engine, {}};
  const ResourceId r = engine.add_resource("r", 1);
  const Demand demands[] = {{r, 1}, {r, 0}, {r, 2}};
  engine.start({.demands = demands}, log(1));
  engine.run();
  CHECK(log.time(1) == near(3));
  CHECK(engine.used(r) == near(3));
}

TEST_CASE("misuse is refused") {
  Engine engine;
  const double nan = std::nan("");
  const double inf = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(engine.add_resource("r", 0), std::logic_error);
  CHECK_THROWS_AS(engine.add_resource("r", -1), std::logic_error);
  CHECK_THROWS_AS(engine.add_resource("r", nan), std::logic_error);
  CHECK_THROWS_AS(engine.add_resource("r", inf), std::logic_error);
  const ResourceId r = engine.add_resource("r", 1);
  for (const double amount : {-1.0, nan, inf}) {
    const Demand demands[] = {{r, amount}};
    CHECK_THROWS_AS(engine.start({.demands = demands}, {}), std::logic_error);
    CHECK_THROWS_AS(engine.start({.alone = Seconds(amount)}, {}), std::logic_error);
    CHECK_THROWS_AS(engine.start({.latency = Seconds(amount)}, {}), std::logic_error);
    CHECK_THROWS_AS(engine.start({.weight = amount}, {}), std::logic_error);
    CHECK_THROWS_AS(engine.at(Seconds(amount), {}), std::logic_error);
  }
  const Demand unknown[] = {{r + 1, 1.0}};
  CHECK_THROWS_AS(engine.start({.demands = unknown}, {}), std::logic_error);
  CHECK_THROWS_AS(engine.used(r + 1), std::logic_error);
  CHECK_FALSE(engine.active({}));
  CHECK_THROWS_AS(engine.progress({}), std::logic_error);
  engine.run();
  CHECK(engine.events() == 0);
  CHECK_THROWS_AS(engine.add_resource("late", 1), std::logic_error);
  CHECK(engine.name(r) == "r");
  CHECK(engine.capacity(r) == 1);
}

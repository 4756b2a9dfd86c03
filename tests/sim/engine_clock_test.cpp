// Timers, horizons, order of simultaneous events, several engines in one process.
#include <catch2/catch.hpp>
#include <csignal>
#include <stdexcept>
#include <vector>

#include "sim/engine/engine.h"

using gpuplan::Seconds;
using namespace gpuplan::sim;
using namespace gpuplan::literals;

namespace {

struct Log {
  Engine& engine;
  std::vector<std::uint64_t> tags;
  std::vector<double> times;
  void note(std::uint64_t tag) {
    tags.push_back(tag);
    times.push_back(engine.now().si());
  }
  Callback operator()(std::uint64_t tag) { return Callback::of<&Log::note>(this, tag); }
};

using Tags = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("timers fire in order of time, then in the order in which they were set") {
  Engine engine;
  Log log{engine, {}, {}};
  engine.at(2_s, log(1));
  engine.at(1_s, log(2));
  engine.at(2_s, log(3));
  engine.at(0_s, log(4));
  engine.at(1_s, log(5));
  engine.run();
  CHECK(log.tags == Tags{4, 2, 5, 1, 3});
  CHECK(log.times == std::vector<double>{0, 1, 1, 2, 2});  // exactly
  CHECK(engine.events() == 5);
}

TEST_CASE("timers and flows that end at the same time keep the order of their making") {
  Engine engine;
  Log log{engine, {}, {}};
  const ResourceId r = engine.add_resource("r", 4);
  const Demand demand[] = {{r, 1}};
  engine.at(1_s, log(1));
  for (std::uint64_t tag = 2; tag < 6; ++tag) {  // 4 flows of 1 unit share 4 units/s: all end at 1 s
    engine.start({.demands = demand, .alone = 0_s, .weight = 1}, log(tag));
  }
  engine.at(1_s, log(6));
  engine.start({.alone = 1_s}, log(7));
  engine.start({.latency = 1_s}, log(8));
  engine.run();
  CHECK(log.tags == Tags{1, 2, 3, 4, 5, 6, 7, 8});
  for (const double time : log.times) {
    CHECK(time == 1);
  }
}

TEST_CASE("a callback may set timers, start and cancel flows for the present time") {
  Engine engine;
  Log log{engine, {}, {}};
  const ResourceId r = engine.add_resource("r", 1);
  struct Act {
    Engine& engine;
    Log& log;
    FlowHandle doomed{};
    void now(std::uint64_t tag) {
      log.note(tag);
      engine.at(engine.now(), log(20));
      engine.start({}, log(21));
      engine.cancel(doomed);  // due at this very time, but not yet done
    }
  } act{engine, log};
  const Demand demand[] = {{r, 1}};
  engine.at(1_s, Callback::of<&Act::now>(&act, 10));
  act.doomed = engine.start({.demands = demand}, log(11));
  engine.at(1_s, log(12));
  engine.run();
  CHECK(log.tags == Tags{10, 12, 20, 21});
  CHECK(engine.now() == 1_s);
}

TEST_CASE("run stops at the horizon and goes on") {
  Engine engine;
  Log log{engine, {}, {}};
  const ResourceId r = engine.add_resource("r", 1);
  const Demand demand[] = {{r, 4}};
  const FlowHandle flow = engine.start({.demands = demand}, log(1));
  engine.at(1_s, log(2));
  engine.at(2_s, log(3));
  engine.at(Seconds(1 + 1e-12), log(4));
  engine.run(1_s);
  CHECK(log.tags == Tags{2});
  CHECK(engine.now() == 1_s);
  CHECK(engine.progress(flow) == 0.25);
  CHECK(engine.used(r) == 1);
  engine.run(Seconds(1.5));
  CHECK(log.tags == Tags{2, 4});
  CHECK(engine.now() == Seconds(1.5));
  CHECK(engine.used(r) == 1.5);
  CHECK_THROWS_AS(engine.run(1_s), std::logic_error);
  CHECK_THROWS_AS(engine.at(1_s, {}), std::logic_error);
  engine.run();
  CHECK(log.tags == Tags{2, 4, 3, 1});
  CHECK(engine.now() == 4_s);
  engine.run();  // nothing left
  CHECK(engine.now() == 4_s);
  engine.at(4_s, log(5));
  engine.run(4_s);
  CHECK(log.tags.back() == 5);
}

TEST_CASE("stop ends the run after the present callback and keeps what is due") {
  Engine engine;
  Log log{engine, {}, {}};
  struct Stop {
    Engine& engine;
    void now(std::uint64_t /*tag*/) { engine.stop(); }
  } stop{engine};
  engine.at(1_s, log(1));
  engine.at(1_s, Callback::of<&Stop::now>(&stop));
  engine.at(1_s, log(2));
  engine.run();
  CHECK(log.tags == Tags{1});
  CHECK(engine.now() == 1_s);
  engine.run();
  CHECK(log.tags == Tags{1, 2});
}

TEST_CASE("exceptions of a callback leave run, and the engine stays usable") {
  Engine engine;
  Log log{engine, {}, {}};
  struct Fail {
    Engine& engine;
    void now(std::uint64_t /*tag*/) { throw std::runtime_error("from a callback"); }
    void nested(std::uint64_t /*tag*/) { engine.run(); }
  } fail{engine};
  engine.at(1_s, Callback::of<&Fail::now>(&fail));
  engine.at(2_s, Callback::of<&Fail::nested>(&fail));
  engine.at(3_s, log(1));
  CHECK_THROWS_WITH(engine.run(), "from a callback");
  CHECK(engine.now() == 1_s);
  CHECK_THROWS_AS(engine.run(), std::logic_error);
  engine.run();
  CHECK(log.tags == Tags{1});
  CHECK(engine.now() == 3_s);
}

TEST_CASE("engines one after the other and side by side start at zero and do not meet") {
  Engine first;
  Log first_log{first, {}, {}};
  first.at(Seconds(0.1), first_log(1));
  first.at(Seconds(1e6), first_log(2));
  first.run(1_s);
  {
    Engine second;
    Log log{second, {}, {}};
    CHECK(second.now() == 0_s);
    second.at(Seconds(0.1), log(1));
    second.start({.alone = Seconds(0.3)}, log(2));
    second.run();
    CHECK(log.times == std::vector<double>{0.1, 0.3});  // exactly: the process's clock does not show
  }
  first.run();
  CHECK(first_log.times == std::vector<double>{0.1, 1e6});
  Engine third;
  Log log{third, {}, {}};
  third.at(Seconds(1e-9), log(1));
  third.at(Seconds(2e-9), log(2));
  third.run();
  CHECK(log.times == std::vector<double>{1e-9, 2e-9});  // though SimGrid's clock now shows 1e6 s
}

TEST_CASE("the program's own handling of ^C stays") {
  struct sigaction before {};
  struct sigaction after {};
  sigaction(SIGINT, nullptr, &before);
  Engine engine;
  engine.at(1_s, {});
  engine.run();
  sigaction(SIGINT, nullptr, &after);
  CHECK(before.sa_handler == after.sa_handler);
}

// Random small systems against a brute-force simulation that shares no code or idea with the engine's
// solver: it recomputes all rates at every event by raising the common level in the plainest way.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "sim/engine/engine.h"

using gpuplan::Seconds;
using namespace gpuplan::sim;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Job {
  double start = 0;  // when it is started
  double latency = 0;
  double alone = 0;
  double weight = 0;
  std::map<ResourceId, double> demands;
  double cancel = kInfinity;  // when it is cancelled, if it still runs
  double resize = kInfinity;  // when it is resized, if it still runs
  double resize_by = 1;       // to its progress plus this much of what is left of its life
};

struct System {
  std::vector<double> capacities;
  std::vector<Job> jobs;
};

struct Outcome {
  std::vector<double> ends;  // per job; infinite when cancelled
  std::vector<double> used;  // per resource
};

// Weighted max-min rates by the definition: raise all levels together until a cap or a resource stops them.
std::vector<double> rates_by_definition(const System& system, const std::vector<std::size_t>& running) {
  std::vector<double> rate(system.jobs.size(), 0.0);
  std::vector<double> cap(system.jobs.size(), 0.0);
  std::vector<double> weight(system.jobs.size(), 0.0);
  std::vector<std::size_t> rising = running;
  for (const std::size_t j : running) {
    const Job& job = system.jobs[j];
    cap[j] = job.alone > 0 ? 1 / job.alone : kInfinity;
    for (const auto& [r, amount] : job.demands) {
      cap[j] = std::min(cap[j], system.capacities[r] / amount);
    }
    weight[j] = job.weight > 0 ? job.weight : cap[j];
  }
  while (!rising.empty()) {
    // The least rise of the level that anybody allows.
    double rise = kInfinity;
    for (const std::size_t j : rising) {
      rise = std::min(rise, (cap[j] - rate[j]) / weight[j]);
    }
    std::vector<double> spare = system.capacities;
    std::vector<double> pull(system.capacities.size(), 0.0);
    for (const std::size_t j : running) {
      for (const auto& [r, amount] : system.jobs[j].demands) {
        spare[r] -= amount * rate[j];
      }
    }
    for (const std::size_t j : rising) {
      for (const auto& [r, amount] : system.jobs[j].demands) {
        pull[r] += amount * weight[j];
      }
    }
    for (std::size_t r = 0; r < spare.size(); ++r) {
      if (pull[r] > 0) {
        rise = std::min(rise, std::max(spare[r], 0.0) / pull[r]);
      }
    }
    for (const std::size_t j : rising) {
      rate[j] += rise * weight[j];
    }
    std::vector<std::size_t> still;
    for (const std::size_t j : rising) {
      bool stopped = rate[j] >= cap[j] * (1 - 1e-13);
      for (const auto& [r, amount] : system.jobs[j].demands) {
        stopped |= spare[r] - rise * pull[r] <= 1e-13 * system.capacities[r];
      }
      if (!stopped) {
        still.push_back(j);
      }
    }
    REQUIRE(still.size() < rising.size());
    rising = still;
  }
  return rate;
}

Outcome by_brute_force(const System& system) {
  const std::size_t n = system.jobs.size();
  Outcome outcome{std::vector<double>(n, kInfinity), std::vector<double>(system.capacities.size(), 0.0)};
  std::vector<double> progress(n, 0.0);
  std::vector<double> end(n, 1.0);
  std::vector<int> state(n, 0);  // 0 before its life, 1 running, 2 over
  std::vector<bool> resized(n, false);
  double now = 0;
  for (;;) {
    std::vector<std::size_t> running;
    for (std::size_t j = 0; j < n; ++j) {
      if (state[j] == 1) {
        running.push_back(j);
      }
    }
    const std::vector<double> rate = rates_by_definition(system, running);
    double next = kInfinity;
    for (std::size_t j = 0; j < n; ++j) {
      const Job& job = system.jobs[j];
      if (state[j] == 0) {
        next = std::min(next, job.start + job.latency);
      }
      if (state[j] != 2 && job.cancel >= now) {
        next = std::min(next, job.cancel);
      }
      if (state[j] != 2 && !resized[j]) {
        next = std::min(next, job.resize);
      }
      if (state[j] == 1) {
        next = std::min(next, now + (end[j] - progress[j]) / rate[j]);
      }
    }
    if (next == kInfinity) {
      return outcome;
    }
    for (const std::size_t j : running) {
      progress[j] += rate[j] * (next - now);
      for (const auto& [r, amount] : system.jobs[j].demands) {
        outcome.used[r] += amount * rate[j] * (next - now);
      }
    }
    now = next;
    for (std::size_t j = 0; j < n; ++j) {
      const Job& job = system.jobs[j];
      if (state[j] == 1 && progress[j] >= end[j] * (1 - 1e-12)) {
        state[j] = 2;
        outcome.ends[j] = now;
      }
      if (state[j] == 0 && job.start + job.latency <= now) {
        state[j] = 1;
      }
      if (state[j] != 2 && job.cancel <= now) {
        state[j] = 2;
      }
      if (state[j] != 2 && !resized[j] && job.resize <= now) {
        resized[j] = true;
        end[j] = progress[j] + job.resize_by * (1 - progress[j]);
      }
    }
  }
}

// Plays the system on the engine; `hash` takes in the sequence of completions and their exact times.
struct Player {
  const System& system;
  Engine engine;
  Outcome outcome;
  std::vector<FlowHandle> flows;
  std::uint64_t hash = 1469598103934665603ULL;

  explicit Player(const System& s, bool backwards = false)
      : system(s), outcome{std::vector<double>(s.jobs.size(), kInfinity), {}}, flows(s.jobs.size()) {
    for (const double capacity : s.capacities) {
      engine.add_resource("r", capacity);
    }
    for (std::size_t i = 0; i < s.jobs.size(); ++i) {
      const std::uint64_t j = backwards ? s.jobs.size() - 1 - i : i;
      engine.at(Seconds(s.jobs[j].start), Callback::of<&Player::start>(this, j));
      if (s.jobs[j].cancel < kInfinity) {
        engine.at(Seconds(s.jobs[j].cancel), Callback::of<&Player::cancel>(this, j));
      }
      if (s.jobs[j].resize < kInfinity) {
        engine.at(Seconds(s.jobs[j].resize), Callback::of<&Player::resize>(this, j));
      }
    }
    engine.run();
    for (ResourceId r = 0; r < engine.resources(); ++r) {
      outcome.used.push_back(engine.used(r));
    }
  }
  void mix(std::uint64_t value) { hash = (hash ^ value) * 1099511628211ULL; }
  void start(std::uint64_t j) {
    const Job& job = system.jobs[j];
    std::vector<Demand> demands;
    for (const auto& [r, amount] : job.demands) {
      demands.push_back({r, amount});
    }
    flows[j] = engine.start({.demands = demands,
                             .alone = Seconds(job.alone),
                             .latency = Seconds(job.latency),
                             .weight = job.weight},
                            Callback::of<&Player::done>(this, j));
  }
  void done(std::uint64_t j) {
    outcome.ends[j] = engine.now().si();
    std::uint64_t bits = 0;
    std::memcpy(&bits, &outcome.ends[j], sizeof bits);
    mix(j);
    mix(bits);
  }
  void cancel(std::uint64_t j) { engine.cancel(flows[j]); }
  void resize(std::uint64_t j) {
    if (engine.active(flows[j])) {
      const double done = engine.progress(flows[j]);
      engine.resize(flows[j], done + system.jobs[j].resize_by * (1 - done));
    }
  }
};

System random_system(std::uint64_t seed, std::size_t resources, std::size_t jobs, bool fair, bool meddle) {
  std::mt19937_64 bits(seed);
  const auto uniform = [&bits](double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  };
  System system;
  for (std::size_t r = 0; r < resources; ++r) {
    system.capacities.push_back(std::pow(10.0, uniform(0, 3)));
  }
  const double crowd = uniform(0.2, 3);  // jobs at a time, per resource
  double time = 0;
  for (std::size_t j = 0; j < jobs; ++j) {
    Job job;
    time += uniform(0, 2) / (crowd * static_cast<double>(resources));
    job.start = time;
    job.latency = uniform(0, 1) < 0.3 ? uniform(0, 0.2) : 0;
    job.alone = uniform(0, 1) < 0.6 ? uniform(0.2, 2) : 0;
    job.weight = fair ? 0 : std::pow(10.0, uniform(-2, 2));
    const std::size_t uses = 1 + bits() % 4;
    for (std::size_t u = 0; u < uses; ++u) {
      const auto r = static_cast<ResourceId>(bits() % resources);
      job.demands[r] = system.capacities[r] * uniform(0.01, 1.5);
    }
    if (meddle && uniform(0, 1) < 0.15) {
      job.cancel = job.start + uniform(0, 3);
    } else if (meddle && uniform(0, 1) < 0.2) {
      job.resize = job.start + job.latency + uniform(0.001, 1);
      job.resize_by = uniform(0.1, 1.5);
    }
    system.jobs.push_back(std::move(job));
  }
  return system;
}

void check_equal(const Outcome& a, const Outcome& b, double tolerance) {
  REQUIRE(a.ends.size() == b.ends.size());
  for (std::size_t j = 0; j < a.ends.size(); ++j) {
    if (std::isinf(a.ends[j]) || std::isinf(b.ends[j])) {
      REQUIRE(a.ends[j] == b.ends[j]);
    } else {
      REQUIRE(a.ends[j] == Approx(b.ends[j]).epsilon(tolerance));
    }
  }
  for (std::size_t r = 0; r < a.used.size(); ++r) {
    REQUIRE(a.used[r] == Approx(b.used[r]).epsilon(tolerance));
  }
}

}  // namespace

TEST_CASE("random systems against brute force") {
  // Few resources: everything meets; many: solutions stay local and must widen where they have to.
  std::size_t cases = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    for (const std::size_t resources : {1U, 3U, 12U, 40U}) {
      const bool fair = seed % 2 == 0;
      const System system = random_system(seed * 100 + resources, resources, 60, fair, seed % 3 == 0);
      INFO("seed " << seed << ", " << resources << " resources");
      check_equal(Player(system).outcome, by_brute_force(system), 1e-9);
      ++cases;
    }
  }
  CHECK(cases == 240);
}

TEST_CASE("amounts are conserved") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const System system = random_system(seed, 8, 400, seed % 2 == 0, false);
    std::vector<double> demanded(8, 0.0);
    for (const Job& job : system.jobs) {
      for (const auto& [r, amount] : job.demands) {
        demanded[r] += amount;
      }
    }
    const Player player(system);
    for (ResourceId r = 0; r < 8; ++r) {
      CHECK(player.outcome.used[r] == Approx(demanded[r]).epsilon(1e-11));
      CHECK(player.outcome.used[r] <= player.engine.capacity(r) * player.engine.now().si() * (1 + 1e-11));
    }
    CHECK(player.engine.events() == 2 * system.jobs.size());  // a timer and a completion each
  }
}

TEST_CASE("sums do not drift over many changes") {
  // Three chains of 20,000 flows each on two resources that never fall idle: loads change by addition and
  // subtraction some 100,000 times in between.
  struct Chains {
    Engine engine;
    std::mt19937_64 bits{5};
    std::vector<double> demanded = std::vector<double>(2, 0.0);
    int left = 60000;
    double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    void next(std::uint64_t tag) {
      if (left-- <= 0) {
        return;
      }
      const Demand demands[] = {{0, 1e3 * (0.1 + uniform())}, {1, 1e-3 * (0.1 + uniform())}};
      demanded[0] += demands[0].amount;
      demanded[1] += demands[1].amount;
      engine.start({.demands = demands, .alone = Seconds(uniform())}, Callback::of<&Chains::next>(this, tag));
    }
  } chains;
  chains.engine.add_resource("large", 2e3);
  chains.engine.add_resource("small", 2e-3);
  for (std::uint64_t i = 0; i < 3; ++i) {
    chains.next(i);
  }
  chains.engine.run();
  CHECK(chains.engine.events() == 60000);
  CHECK(chains.engine.used(0) == Approx(chains.demanded[0]).epsilon(1e-11));
  CHECK(chains.engine.used(1) == Approx(chains.demanded[1]).epsilon(1e-11));
}

TEST_CASE("the order in which flows are made does not matter") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    System system = random_system(seed, 6, 80, seed % 2 == 0, true);
    for (Job& job : system.jobs) {
      job.start = std::floor(job.start * 4) / 4;  // many at the same time
    }
    check_equal(Player(system).outcome, Player(system, true).outcome, 1e-9);
  }
}

TEST_CASE("the same system gives the same completions to the last bit") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const System system = random_system(seed, 10, 500, seed % 2 == 0, true);
    const Player first(system);
    const Player second(system);  // on a process whose SimGrid clock stands elsewhere
    CHECK(first.hash == second.hash);
    CHECK(first.outcome.ends == second.outcome.ends);
    CHECK(first.outcome.used == second.outcome.used);
    CHECK(first.hash != Player(random_system(seed + 100, 10, 500, seed % 2 == 0, true)).hash);
  }
}

TEST_CASE("twice the capacity and half the latency is half the time") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const System system = random_system(seed, 5, 100, true, false);
    System fast = system;
    for (double& capacity : fast.capacities) {
      capacity *= 2;
    }
    for (Job& job : fast.jobs) {
      job.start /= 2;
      job.latency /= 2;
      job.alone /= 2;
    }
    Outcome slow = Player(system).outcome;
    for (double& end : slow.ends) {
      end /= 2;
    }
    CHECK(Player(fast).outcome.ends == slow.ends);  // powers of two: exactly
  }
}

TEST_CASE("flows of very different size keep their shares") {
  // Weights and amounts over 12 decades on one resource; brute force in the same terms.
  System system;
  system.capacities = {1e12, 1e3};
  for (int i = 0; i < 13; ++i) {
    Job job;
    job.demands[0] = std::pow(10.0, i);
    if (i % 2 == 0) {
      job.demands[1] = std::pow(10.0, 3 - i % 5);
    }
    job.weight = i % 3 == 0 ? 0 : std::pow(10.0, 6 - i);
    system.jobs.push_back(job);
  }
  check_equal(Player(system).outcome, by_brute_force(system), 1e-8);
}

// Collectives, kernels and copies at once: fixed cases by hand, properties, scenarios, problems.
#include <catch2/catch.hpp>
#include <random>

#include "sim/collective/gpu_demand.h"
#include "sim/report/together_report.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const Library& library() {
  static const Library loaded = Library::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}
const collectives::CollectiveModel& collective_model() {
  static const auto loaded = collectives::CollectiveModel::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

// A kernel whose price is given.
class Fixed final : public KernelOperation {
 public:
  explicit Fixed(kernels::Price price) : price_(price) {}
  KernelOutcome price(const KernelPricing& /*pricing*/, kernels::Explanation* /*why*/) const override {
    return {.price = price_};
  }
  json::Value resolved() const override { return {}; }

 private:
  kernels::Price price_;
};

// Eight GPUs of a DGX A100.
struct Machine {
  Gpu gpu = *library().hardware.gpu("A100-SXM4-80GB");
  Node node = *library().hardware.node("DGX-A100");
  fabric::Topology topology = fabric::build_cluster(
      fabric::resolve_cluster({.node = "DGX-A100", .gpu = gpu.name, .nics = {}, .fabric = {}},
                              library().hardware, "$"),
      library().hardware, "$");
  kernels::KernelModel kernels = kernels::KernelModel::for_gpu(gpu, GPUPLAN_SOURCE_DIR);
  collectives::Communicator group = collectives::communicator_on(gpu, node, 1, 8);
  std::vector<Straggler> stragglers{topology.device_count()};
  std::vector<kernels::SmLimits> sm;

  [[nodiscard]] double hbm() const { return kernels.achievable_bandwidth().si(); }
  [[nodiscard]] std::vector<fabric::DeviceId> gpus(std::size_t count) const {
    return {topology.gpus().begin(), topology.gpus().begin() + static_cast<std::ptrdiff_t>(count)};
  }
  [[nodiscard]] Activity kernel(const std::string& name, double seconds, double compute, double hbm_bytes,
                                std::size_t count = 1) const {
    kernels::Price price;
    price.time = Seconds(seconds);
    price.compute = Seconds(compute);
    price.hbm_bytes = Bytes(hbm_bytes);
    Activity a;
    a.name = name;
    a.kernel = std::make_shared<Fixed>(price);
    a.gpus = gpus(count);
    return a;
  }
  [[nodiscard]] Activity collective(collectives::Collective collective, double bytes,
                                    std::size_t count) const {
    Activity a;
    a.name = "collective";
    a.collective = collectives::CollectiveOperation{collective, Bytes(bytes)};
    a.gpus = gpus(count);
    return a;
  }
  [[nodiscard]] TogetherResult play(const std::vector<Activity>& activities) const {
    const TogetherMachine machine{.topology = topology,
                                  .gpu = gpu,
                                  .node = node,
                                  .group = group,
                                  .stragglers = stragglers,
                                  .ecmp_seed = std::nullopt};
    return play_together(machine, activities, collective_model(), kernels, sm);
  }
};

Approx exactly(double value) { return Approx(value).epsilon(1e-9); }

CollectiveScenario scenario_of(const std::string& fields) {
  return resolve_collectives(json::parse(R"({"schema": 1, "kind": "collective")" + fields + "}", "t"), "t",
                             library());
}
TogetherResult shipped(const std::string& name) {
  const std::string path = std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/collective/" + name + ".json";
  return *play_together(resolve_collectives(json::parse_file(path), name, library()), library());
}
std::string problem_of(const std::string& fields) {
  try {
    (void)scenario_of(fields);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("together: a kernel and a copy that want more memory bandwidth than there is") {
  // The kernel takes 1 ms and 30 % of the bandwidth, the copy 1 ms and all of it: 130 % in all, so both run
  // at 1 / 1.3 of their rate, and end at 1.3 ms. A copy of half the size takes 0.5 x 1.3 = 0.65 ms; the
  // kernel has done 0.5 ms by then, and the rest alone: 0.65 + 0.5 = 1.15 ms.
  const Machine m;
  TogetherResult r =
      m.play({m.kernel("kernel", 1e-3, 0.0, 0.3e-3 * m.hbm()), m.kernel("copy", 1e-3, 0.0, 1e-3 * m.hbm())});
  CHECK(r.activities[0].time().si() == exactly(1.3e-3));
  CHECK(r.activities[1].time().si() == exactly(1.3e-3));
  CHECK(r.activities[0].shared->name == "node0/gpu0 HBM");
  CHECK(r.use.hbm == exactly(1.0));
  r = m.play(
      {m.kernel("kernel", 1e-3, 0.0, 0.3e-3 * m.hbm()), m.kernel("copy", 0.5e-3, 0.0, 0.5e-3 * m.hbm())});
  CHECK(r.activities[0].time().si() == exactly(1.15e-3));
  CHECK(r.activities[1].time().si() == exactly(0.65e-3));
}

TEST_CASE("together: a collective holds its SMs, kernels get the others") {
  // A kernel that needs all 108 SMs for 100 ms, beside an all-gather that holds k of them for T: by then it
  // has done T (108 - k) / 108, and the rest at full rate: 100 ms + T k / 108. The all-gather is as fast as
  // alone: links and memory are wide enough.
  const Machine m;
  const Activity gather = m.collective(collectives::Collective::all_gather, 1e9, 8);
  const auto price = collective_model().price(m.group, *gather.collective);
  const double t = price.time.si(), k = price.choice.channels;
  const TogetherResult r = m.play({m.kernel("kernel", 0.1, 0.1, 0.0, 8), gather});
  CHECK(r.activities[1].time().si() == exactly(t));
  CHECK(r.activities[0].time().si() == exactly(0.1 + t * k / 108.0));
  CHECK(r.activities[0].shared->name.ends_with("SMs"));
  // A kernel that needs half of the SMs does not notice k <= 54.
  const TogetherResult half = m.play({m.kernel("kernel", 0.1, 0.05, 0.0, 8), gather});
  CHECK(half.activities[0].time().si() == exactly(0.1));
}

TEST_CASE("together: kernel, copy and collective on one GPU, by hand") {
  // The kernel needs 20 ms, all SMs and 40 % of the memory bandwidth B; the copy 20 ms and 80 % of B; the
  // collective holds k SMs for T and takes h of B. While it runs the kernel has (108 - k) / 108 of its rate,
  // if memory lets it: a slowed kernel asks 0.4 (108 - k) / 108 of B, the copy 0.8, more than B: memory is
  // full too. In max-min terms with weights as the rates alone, all on memory at one level L of their own
  // rate: the kernel is held by the SMs at its level s = (108 - k) / 108 or by memory at L, whichever is
  // lower; L solves 0.4 min(s, L) + 0.8 L + h = 1 (the collective is at its own rate, below L).
  const Machine m;
  const Activity reduce = m.collective(collectives::Collective::all_reduce, 2e8, 8);
  const auto price = collective_model().price(m.group, *reduce.collective);
  const double k = price.choice.channels, s = (108.0 - k) / 108.0;
  const double transfer = price.parts.transfer * 1e-6, latency = price.time.si() - transfer;
  const double bytes = hbm_bytes(*reduce.collective, price.choice.algorithm, 8).si();
  const double h = bytes / transfer / m.hbm();
  std::vector<Activity> all = {m.kernel("kernel", 20e-3, 20e-3, 0.4 * 20e-3 * m.hbm(), 8),
                               m.kernel("copy", 20e-3, 0.0, 0.8 * 20e-3 * m.hbm(), 8), reduce};
  const TogetherResult r = m.play(all);
  // 1. Latency: no bytes of the collective yet, SMs held: 0.4 min(s, L) + 0.8 L = 1.
  const auto level = [&](double rest) {
    const double both = rest / 1.2;  // kernel and copy both at L
    return both <= s ? both : (rest - 0.4 * s) / 0.8;
  };
  const double first = level(1.0), during = level(1.0 - h);
  REQUIRE(during < 1.0);
  REQUIRE(first < 1.0);
  // The collective stays at its own rate only while that level is at most L: 1 > L, so it shares: all three
  // on memory at level L' with the collective at L' of its rate too: 0.4 min(s, L') + (0.8 + h) L' = 1.
  const double shared = 1.0 / (1.2 + h) <= s ? 1.0 / (1.2 + h) : (1.0 - 0.4 * s) / (0.8 + h);
  const double end = latency + transfer / shared;
  CHECK(r.activities[2].time().si() == exactly(end));
  // Kernel and copy after it, at 1 / 1.2 each, until both end together or one by one.
  const double kernel_done = latency * std::min(s, first) + (end - latency) * std::min(s, shared);
  const double copy_done = latency * first + (end - latency) * shared;
  const double kernel_left = 20e-3 - kernel_done, copy_left = 20e-3 - copy_done;
  const double sooner = std::min(kernel_left, copy_left) * 1.2, rest = std::abs(kernel_left - copy_left);
  CHECK(std::min(r.activities[0].time(), r.activities[1].time()).si() == exactly(end + sooner));
  CHECK(r.end.si() == exactly(end + sooner + rest));
}

TEST_CASE("together: two collectives over the same links take twice as long, on others as long as alone") {
  const TogetherResult r = shipped("two-on-one-rail");
  // GPU 0 of 4 nodes, 1 GiB each: 2 x 3/4 x 1.0737 GB leave every GPU, over PCIe 5 at 63 GB/s for both of
  // them: 2 x 1.6106 / 63 = 51.1 ms; one alone has a NIC's 48 of 50 GB/s.
  CHECK(r.activities[0].time().si() == Approx(2 * 1.5 * 1073741824.0 / 63e9).epsilon(0.01));
  CHECK(r.activities[1].time().si() == exactly(r.activities[0].time().si()));
  CHECK(r.activities[0].alone.si() == Approx(1.5 * 1073741824.0 / 48e9).epsilon(0.03));
  CHECK(r.activities[2].slowdown() == exactly(1.0));
}

TEST_CASE("together: NVLink and the network do not meet") {
  for (const ActivityResult& a : shipped("all-gather-beside-all-reduce").activities) {
    CHECK(a.slowdown() == exactly(1.0));
  }
}

TEST_CASE("together: a GEMM loses to the all-reduce beside it about what was measured") {
  // Galvatron: 1.126 on mean. An SM of 108 for each of 24 channels is 108 / 84 = 1.29 at most.
  const TogetherResult r = shipped("gemm-beside-all-reduce");
  CHECK(r.activities[0].slowdown() > 1.05);
  CHECK(r.activities[0].slowdown() < 108.0 / 84.0);
  CHECK(r.activities[1].slowdown() == Approx(1.0).epsilon(0.02));
}

TEST_CASE("together: a copy from the host shares PCIe with another, and lets kernels be") {
  const TogetherResult r = shipped("copies-beside-kernels");
  // Two GPUs behind one PCIe switch, whose way up is 63 GB/s: 2 x 500 MB / 63 GB/s = 15.9 ms.
  CHECK(r.activities[2].alone.si() == Approx(2 * 500e6 / 63e9).epsilon(0.01));
}

TEST_CASE("together: nothing is faster than alone, and names of GPUs do not matter") {
  std::mt19937 random(5);
  const Machine m;
  const auto uniform = [&] { return std::uniform_real_distribution<double>(0.05, 1.0)(random); };
  for (int trial = 0; trial < 40; ++trial) {
    std::vector<Activity> all;
    for (int i = 0; i < 4; ++i) {
      const double t = 1e-3 * uniform();
      Activity a = random() % 2 == 0 ? m.kernel("k" + std::to_string(i), t, t * uniform(),
                                                t * uniform() * m.hbm(), 1 + random() % 8)
                                     : m.collective(static_cast<collectives::Collective>(random() % 6),
                                                    1e8 * uniform(), 2 + random() % 7);
      a.name = "a" + std::to_string(i);
      a.start = Seconds(1e-4 * uniform());
      a.count = 1 + static_cast<std::int64_t>(random() % 3);
      all.push_back(a);
    }
    const TogetherResult r = m.play(all);
    for (const ActivityResult& a : r.activities) {
      INFO(trial << " " << a.name << " " << a.what);
      CHECK(a.slowdown() > 1.0 - 1e-9);
      CHECK(a.end <= r.end);
    }
    for (const double use : {r.use.sm, r.use.hbm, r.use.nvlink, r.use.pcie}) {
      CHECK(use <= 1.0 + 1e-9);
    }
    // The same with GPU g as 7 - g.
    for (Activity& a : all) {
      for (fabric::DeviceId& gpu : a.gpus) {
        gpu = m.topology.gpus()[7u - static_cast<unsigned>(m.topology.device(gpu).index)];
      }
      std::sort(a.gpus.begin(), a.gpus.end());
    }
    const TogetherResult mirrored = m.play(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(mirrored.activities[i].time().si() == Approx(r.activities[i].time().si()).epsilon(1e-6));
    }
  }
}

TEST_CASE("stragglers: everybody waits for the last to come, a slow clock slows its kernels") {
  Machine m;
  const Activity gather = m.collective(collectives::Collective::all_gather, 1e9, 8);
  const double alone = m.play({gather}).activities[0].alone.si();
  const fabric::DeviceId slow = m.topology.gpus()[5];
  m.stragglers[slow].late = Seconds(3e-3);
  CHECK(m.play({gather}).end.si() == exactly(3e-3 + alone));
  m.stragglers[slow] = {.clock = 0.8};
  // 10 ms of kernel, 9 of them compute: 1 + 9 / 0.8 = 12.25 ms.
  const TogetherResult r = m.play({m.kernel("kernel", 10e-3, 9e-3, 0.0, 8)});
  CHECK(r.end.si() == exactly(12.25e-3));
}

TEST_CASE("stragglers: what a job of 64 GPUs loses") {
  const std::string path = std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/collective/slow-gpu.json";
  const CollectiveScenario scenario = resolve_collectives(json::parse_file(path), "slow-gpu", library());
  const auto rows = price_collectives(scenario, library());
  const std::optional<JobLoss> loss = job_loss(scenario, rows.at(0), library());
  REQUIRE(loss);
  // 1.2 s of kernels, of which 0.72 s hide the all-reduce of 0.14 s; at 80 % clock 1.5 s, and 5 ms late.
  CHECK(loss->healthy.si() == exactly(1.2));
  CHECK(loss->now.si() == exactly(1.505));
  CHECK(loss->share() == exactly(1.0 - 1.2 / 1.505));
  CHECK(loss->gpu_hours_per_day == exactly(64 * 24 * (1.0 - 1.2 / 1.505)));
}

TEST_CASE("together: problems name the field and what would be valid") {
  const std::string machine = R"(, "machine": {"gpu": "H100-SXM5-80GB"}, "together": [)";
  CHECK(problem_of(machine + R"({"on": "all"}])").find("$.together[0]: found neither") != std::string::npos);
  CHECK(problem_of(machine + R"({"collective": "all_reduce"}])").find("$.together[0].bytes") !=
        std::string::npos);
  CHECK(problem_of(machine + R"({"collective": "all_reduce", "bytes": 8, "on": "node0/gpu3"}])")
            .find("two or more") != std::string::npos);
  CHECK(problem_of(machine + R"({"collective": "all_reduce", "bytes": 8, "on": "node7"}])")
            .find("$.together[0].on") != std::string::npos);
  CHECK(problem_of(machine + R"({"collective": "all_reduce", "bytes": 8, "on": "rail9"}])")
            .find("a GPU that each node has") != std::string::npos);
  CHECK(problem_of(machine + R"({"kernel": {"op": "gem"}}])").find("did you mean gemm") != std::string::npos);
  CHECK(problem_of(machine + R"({"kernel": {"op": "gemm", "m": 0}}])").find("$.together[0].kernel.m") !=
        std::string::npos);
  CHECK(problem_of(machine +
                   R"({"kernel": {"op": "copy", "bytes": 8}}, {"kernel": {"op": "copy", "bytes": 8}}])")
            .find("again") != std::string::npos);
  CHECK(problem_of(R"(, "stragglers": [{"gpu": "node0/gpu9"}])").find("$.stragglers[0].gpu") !=
        std::string::npos);
  CHECK(problem_of(R"(, "stragglers": [{"gpu": "node0/gpu1", "clock": 0}])").find("a share above 0") !=
        std::string::npos);
}

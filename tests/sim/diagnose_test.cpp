// Diagnoses from counters: cases by hand, and the explanations' own noisy counters told apart.
#include <catch2/catch.hpp>

#include "sim/diagnose/diagnosis.h"
#include "sim/scenario/profile_scenario.h"
#include "workloads/traffic/random.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const Library& library() {
  static const Library loaded = Library::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

ProfileScenario profile(const std::string& rest, int gpus = 8) {
  return resolve_profile(
      json::parse(R"({"schema": 1, "kind": "profile", "machine": {"gpu": "A100-SXM4-80GB", "gpus": )" +
                      std::to_string(gpus) + "}, " + rest + "}",
                  "p"),
      "p", library());
}

Diagnoses diagnosed(const std::string& observed_and_step, int gpus = 8) {
  const ProfileScenario p = profile(observed_and_step, gpus);
  return diagnose(p.observation, p.capacities);
}

std::string problem_of(const std::string& text) {
  try {
    profile(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("diagnose: 35 % of the SMs because 3.2 GB of fp32 pictures are copied in between") {
  // 64 x 16 x 3 x 512 x 512 x 4 B = 3.22 GB at 24.3 GB/s (PCIe 4, pinned): 133 ms beside 70 ms of kernels:
  // 70 / 203 = 34 % busy, PCIe carries 3.22 GB / 0.203 s = 15.9 GB/s.
  const Diagnoses found =
      diagnosed(R"("observed": {"gpu_active": 0.35, "sm_active": 0.33, "tensor_active": 0.2},
      "step": {"time": 0.203, "input_bytes": 3221225472})");
  const Diagnosis& first = found.ranked.front();
  CHECK(first.id == "input_copy");
  CHECK(first.probability > 0.5);
  REQUIRE(first.phases.size() >= 2);
  CHECK(first.phases.back().share == Approx(133.0 / 203.0).margin(0.03));
  // Fetched ahead the copy hides the kernels: 203 -> 133 ms; as bytes it hides behind them: 70 ms.
  REQUIRE(first.moves.size() == 3);
  CHECK(first.moves[0].time == Approx(70.0 / 203.0).margin(0.03));
  CHECK(first.moves[1].time == Approx((70.0 + 133.0 / 4.0) / 203.0).margin(0.03));
  CHECK(first.moves[2].time == Approx(133.0 / 203.0).margin(0.03));
}

TEST_CASE("diagnose: the same 35 % with an idle bus is the loader, launches or empty SMs, as counters say") {
  const auto likeliest = [](const std::string& observed, int gpus = 8) {
    return std::string(diagnosed(R"("observed": )" + observed, gpus).ranked.front().id);
  };
  CHECK(likeliest(R"({"gpu_active": 0.36, "sm_active": 0.34, "pcie_rx": 6e8, "cpu": 0.97})") == "loader");
  CHECK(likeliest(R"({"gpu_active": 0.86, "sm_active": 0.35, "dram_active": 0.25, "pcie_rx": 1e8,
                      "busiest_thread": 1.0, "power": 190})") == "launch_gaps");
  CHECK(likeliest(R"({"gpu_active": 1.0, "sm_active": 0.33, "tensor_active": 0.1, "dram_active": 0.14,
                      "pcie_rx": 1e8, "busiest_thread": 0.5, "cpu": 0.1, "nvlink": 0})",
                  1) == "few_blocks");
  CHECK(likeliest(R"({"gpu_active": 1.0, "sm_active": 0.5, "tensor_active": 0.25, "dram_active": 0.27,
                      "nvlink": 1.25e11, "network": 0, "pcie_rx": 0, "power": 250})") ==
        "nvlink_collectives");
  CHECK(likeliest(R"({"gpu_active": 1.0, "sm_active": 0.95, "tensor_active": 0.62, "dram_active": 0.4,
                      "pcie_rx": 5e8, "power": 370, "clock": 1.38e9})") == "kernels");
  CHECK(likeliest(R"({"gpu_active": 0.97, "sm_active": 0.9, "tensor_active": 0.2, "dram_active": 0.5,
                      "pcie_rx": 2.4e10, "power": 280})") == "pcie_bound");
}

TEST_CASE("diagnose: names the measurement that separates two explanations, and it does") {
  const std::string seen = R"("gpu_active": 0.36, "sm_active": 0.34)";
  const Diagnoses vague = diagnosed(R"("observed": {)" + seen + "}");
  CHECK(vague.ranked.front().probability < 0.6);  // many things leave SMs idle
  REQUIRE(vague.next);
  CHECK(vague.next->if_likeliest != Approx(vague.next->if_instead).margin(0.05));
  // The bus is what tells a copy from a loader.
  const Diagnoses copy = diagnosed(R"("observed": {)" + seen + R"(, "pcie_rx": 15.6e9})");
  const Diagnoses none = diagnosed(R"("observed": {)" + seen + R"(, "pcie_rx": 3e8})");
  CHECK(copy.ranked.front().id == "input_copy");
  CHECK(none.ranked.front().id != "input_copy");
}

TEST_CASE(
    "diagnose: links busy beside kernels accuse nobody, and SM, HBM, PCIe and NVLink alone leave several") {
  // Input fetched ahead and collectives hidden: 10 % of PCIe, a quarter of NVLink.
  CHECK(diagnosed(R"("observed": {"gpu_active": 1.0, "sm_active": 0.93, "tensor_active": 0.5,
                     "dram_active": 0.4, "pcie_rx": 2.4e9, "nvlink": 7.5e10, "power": 350, "clock": 1.38e9})")
            .ranked.front()
            .id == "kernels");
  const ProfileScenario p = resolve_profile(
      json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/profile/training-35-percent.json"), "p",
      library());
  const Diagnoses found = diagnose(p.observation, p.capacities);
  CHECK(found.ranked.front().probability < 0.6);
  // PCIe at 1 % is no copy that stops kernels; HBM at 20 % is no GPU that is full.
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(found.ranked[i].id != "input_copy");
    CHECK(found.ranked[i].id != "kernels");
    CHECK(found.ranked[i].probability > 0.1);
  }
  REQUIRE(found.next);
  CHECK(found.next->counter == Counter::gpu_active);  // idle while it waits, or kernels that do little
  CHECK(std::abs(found.next->if_likeliest - found.next->if_instead) > 0.4);
}

TEST_CASE("diagnose: recognises noisy counters of each explanation") {
  const Capacities capacities = profile(R"("observed": {"sm_active": 0.5})").capacities;
  const std::vector<Explained> all = explanations(capacities);
  Random random(11, 0);
  int right = 0, near = 0, count = 0;
  for (const Explained& e : all) {
    for (int trial = 0; trial < 25; ++trial) {
      const double wrong = e.phases.size() > 2 ? 0.3 + 0.5 * random.uniform() : 0.0;
      const double first = (1.0 - wrong) * (0.3 + 0.7 * random.uniform());
      const double shares[3] = {first, 1.0 - wrong - first, wrong};
      // A phase's values are off by what it has of all counters; a tool by 2 %.
      Observation seen;
      for (std::size_t c = 0; c < kCounters; ++c) {
        double value = 0.02 * random.normal();
        for (std::size_t i = 0; i < e.phases.size(); ++i) {
          const Expected& x = e.phases[i].counters[c];
          value += shares[i] * (x.mean + x.deviation * random.normal());
        }
        seen.shares[c] = std::clamp(value, 0.0, 1.1);
      }
      const Diagnoses found = diagnose(seen, capacities);
      right += found.ranked[0].id == e.id ? 1 : 0;
      near += found.ranked[0].id == e.id || found.ranked[1].id == e.id ? 1 : 0;
      ++count;
    }
  }
  INFO(right << " and " << near << " of " << count);
  CHECK(right > 0.8 * count);
  CHECK(near > 0.93 * count);
}

TEST_CASE("diagnose: probabilities add up to one, and shares of time too") {
  const Diagnoses found = diagnosed(R"("observed": {"sm_active": 0.6, "dram_active": 0.5})");
  double sum = 0.0;
  for (const Diagnosis& d : found.ranked) {
    sum += d.probability;
    double time = 0.0;
    for (const PhaseShare& phase : d.phases) {
      time += phase.share;
    }
    CHECK(time == Approx(1.0).margin(0.021));  // those of less than 1 % are left out
  }
  CHECK(sum == Approx(1.0));
}

TEST_CASE("diagnose: what a profile cannot be") {
  CHECK(problem_of(R"("observed": {"pcie_rx": 60e9})").find("$.observed.pcie_rx: found 2.4") !=
        std::string::npos);
  CHECK(problem_of(R"("observed": {})").find("at least one, as sm_active") != std::string::npos);
  CHECK(problem_of(R"("observed": {"sm_activ": 0.3})").find("sm_active") != std::string::npos);
  CHECK(problem_of(R"("observed": {"sm_active": 35})").find("$.observed.sm_active: found 35") !=
        std::string::npos);
  CHECK(problem_of(R"("observed": {"sm_active": 0.3}, "step": {"input_bytes": 3})").find("time") !=
        std::string::npos);
}

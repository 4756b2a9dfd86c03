// The fabric questions answered by scenarios/collective/: who wins, what limits, and a range that is argued
// from datasheets and published runs.
#include <catch2/catch.hpp>

#include "sim/report/collective_comparison.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

// A scenario of the library with its comparison, which points into it.
struct Answered {
  CollectiveScenario scenario;
  CollectiveComparison comparison;
  explicit Answered(const json::Value& document)
      : scenario(resolve_collectives(document, "test", library())),
        comparison(compare_collectives(scenario, library())) {}
  Answered(const Answered&) = delete;
  Answered& operator=(const Answered&) = delete;

  [[nodiscard]] double number(const std::string& metric) const {
    REQUIRE(comparison.result.find(metric) != nullptr);
    return comparison.result.number(metric);
  }
  [[nodiscard]] std::string text(const std::string& metric) const {
    REQUIRE(comparison.result.find(metric) != nullptr);
    return comparison.result.find(metric)->value.string();
  }
};

json::Value file(const std::string& name) {
  return json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/collective/" + name + ".json");
}

bool within(double value, double low, double high) {
  INFO(value << " in " << low << " .. " << high);
  CHECK((value >= low && value <= high));
  return value >= low && value <= high;
}

// Where the last winner of the variant takes over, in bytes, and who that is.
Winner last_winner(const VariantOutcome& variant, bool nccl) {
  const AlgorithmComparison& one = variant.comparisons.at(0);
  return nccl ? one.by_nccl.back() : one.by_time.back();
}

}  // namespace

TEST_CASE("Answer: a ring all-reduce over 64 GPUs by hand") {
  const CollectiveScenario scenario = resolve_collectives(file("ring-all-reduce-by-hand"), "test", library());
  const auto rows = price_collectives(scenario, library());
  for (const CollectiveRow& row : rows) {
    // 2 (64-1) steps; 2 x 63/64 = 1.96875 of the bytes leave each GPU.
    CHECK(row.price.parts.step_count == 126);
    CHECK(row.price.parts.wire_bytes / row.operation.bytes.si() == Approx(1.96875));
  }
  const CollectiveRow& gib = rows.at(3);
  bool derived = false;
  for (const std::string& line : gib.why.lines) {
    derived = derived || line.find("2 (N-1) = 126 steps") != std::string::npos;
  }
  CHECK(derived);
  // 1 GiB: a node's NICs carry 1.96875 GiB at 400 GB/s in 5.28 ms at least; 8 rails of NDR were measured at
  // 90 to 97 % of that, and 126 steps of some microseconds come on top: 5.3 to 7.5 ms.
  CHECK(within(gib.price.time.si(), 5.28e-3, 7.5e-3));
}

TEST_CASE("Answer: 64 H100, gradients and FSDP on five networks") {
  const Answered answer(file("64-gpus-five-networks"));
  const auto time = [&](const std::string& variant) {
    return answer.number("collective." + variant + ".all_reduce[bytes=1073741824].time");
  };
  // Rails: every node sends and receives about 2 GiB x 63/64 (a tree: 2 GiB) over 400 GB/s: 5.3 ms; measured
  // clusters of 8 x NDR reach 330 to 390 GB/s of bus, that is 5.4 to 6.4 ms.
  CHECK(within(time("rails 8x400G"), 5.28e-3, 6.8e-3));
  // One NIC of eight: 8 times the bytes a NIC, 42.3 ms at line rate; the penalty is at most 8, and less by
  // what does not shrink with bytes.
  CHECK(within(time("one NIC 400G"), 42.2e-3, 50e-3));
  CHECK(within(time("one NIC 400G") / time("rails 8x400G"), 6.0, 8.2));
  // 100 GbE: a quarter of that NIC: 169 ms at line rate; RoCE reaches 80 to 95 % of it.
  CHECK(within(time("100 GbE"), 169e-3, 225e-3));
  // PCIe boxes: half a GPU's 64 GB/s link shared across sockets, 15 to 30 GB/s of bus: 70 to 141 ms.
  CHECK(within(time("PCIe boxes"), 70e-3, 141e-3));
  // 4:1: two of eight uplinks a leaf carry 2 GiB at 50 GB/s each: 21.5 ms.
  CHECK(within(time("fat tree 4:1"), 20e-3, 25e-3));

  // 26 GB of gradients, 24.2 GiB: 26e9 x 1.96875 / 400e9 = 128 ms at line rate.
  CHECK(within(answer.number("workload.rails 8x400G.data parallel.communication"), 0.128, 0.165));
  // Compute: 6 x 13e9 x 4096 / (989.4e12 x 0.4) = 0.807 s, two thirds of which hide the all-reduce.
  CHECK(answer.number("workload.rails 8x400G.data parallel.compute") ==
        Approx(6.0 * 13e9 * 4096.0 / (989.4e12 * 0.4)).epsilon(0.001));
  CHECK(answer.number("workload.rails 8x400G.data parallel.exposed") == 0.0);
  CHECK(answer.number("workload.fat tree 4:1.data parallel.exposed") == 0.0);
  const double single = answer.number("workload.one NIC 400G.data parallel.communication");
  CHECK(answer.number("workload.one NIC 400G.data parallel.exposed") ==
        Approx(single - 0.6667 * answer.number("workload.one NIC 400G.data parallel.compute")));
  // FSDP moves three times 26 GB, once each way of an all-reduce's two: 1.5 times the bytes.
  for (const char* name : {"rails 8x400G", "one NIC 400G", "100 GbE"}) {
    const std::string prefix = std::string("workload.") + name;
    CHECK(within(answer.number(prefix + ".FSDP.communication") /
                     answer.number(prefix + ".data parallel.communication"),
                 1.4, 2.1));
  }
  CHECK(answer.text("workload.fat tree 4:1.data parallel.limiter").find("spine") != std::string::npos);
  CHECK(answer.text("workload.one NIC 400G.data parallel.limiter") == "link_bandwidth");
  // The order of step times: rails first, Ethernet last.
  for (const char* workload : {"data parallel", "FSDP"}) {
    const auto step = [&](const std::string& variant) {
      return answer.number("workload." + variant + "." + workload + ".step");
    };
    CHECK(step("rails 8x400G") <= step("fat tree 4:1"));
    CHECK(step("fat tree 4:1") < step("one NIC 400G"));
    CHECK(step("one NIC 400G") < step("PCIe boxes"));
    CHECK(step("PCIe boxes") < step("100 GbE"));
  }
}

TEST_CASE("Answer: where trees beat rings") {
  const Answered answer(file("tree-or-ring-2-to-512-gpus"));
  double before = 0.0;
  for (const VariantOutcome& variant : answer.comparison.variants) {
    const int ranks = variant.scenario->group.ranks;
    INFO(ranks);
    if (ranks <= 8) {
      // In one node a tree is a chain up and down, as many steps as the ring's: NCCL takes rings alone.
      CHECK(last_winner(variant, true).algorithm == collectives::Algorithm::ring);
      CHECK(last_winner(variant, true).bytes == 256.0);
      continue;
    }
    // Over nodes: the tree first, the ring for large messages, later with every doubling.
    CHECK(variant.comparisons[0].by_time.front().algorithm == collectives::Algorithm::tree);
    CHECK(last_winner(variant, false).algorithm == collectives::Algorithm::ring);
    CHECK(last_winner(variant, true).algorithm == collectives::Algorithm::ring);
    const double crossover = last_winner(variant, true).bytes;
    CHECK(crossover > before);
    before = crossover;
  }
  // 512 GPUs, by NCCL's arithmetic with large messages on both sides. Ring, Simple: 8.4 + (1022-126) x 3.4 +
  // 126 x 14 = 4818.8 us, x 1.4 = 6746.3; bus min(360, 400) x 512/1022 = 180.35 GB/s. Tree, Simple: 8.4 +
  // 2 (7 x 4 + 6 x 14) = 232.4 us; 8 x 36 / 2 = 144 GB/s x 0.9. They meet where
  // S (1/129.6 - 1/180.35) ns = 6513.9 us: 3.00 GB. With LL128 the ring starts at 14 + 896 x 1.9 + 126 x 4 =
  // 2220.4 us and reaches 293.6 x 512/1022 = 147.1 GB/s, the tree's LL128 half of 232 GB/s: Simple's tree is
  // the better one. Ring LL128 meets it at S (1/129.6 - 1/147.1) = 1988 us: 2.17 GB; so NCCL leaves trees at
  // about 2 to 5 GB.
  CHECK(within(before, 1.5e9, 5.5e9));
}

TEST_CASE("Answer: one NVLink domain of 72 or nine nodes of eight") {
  const Answered answer(file("nvlink-domain-of-8-or-72"));
  const auto time = [&](const std::string& variant, const std::string& row) {
    return answer.number("collective." + variant + "." + row + ".time");
  };
  const std::string large = "alltoall[bytes=1073741824]";
  // NVL72: 71/72 GiB over a GPU's 900 GB/s takes 1.18 ms at least, at 60 to 90 % of it 1.3 to 2 ms. Nodes of
  // eight: 64/72 GiB over a NIC of 50 GB/s: 19.1 ms at line rate.
  CHECK(within(time("GB200 NVL72", large), 1.2e-3, 2.2e-3));
  CHECK(within(time("9 x HGX B200", large), 19.1e-3, 24e-3));
  // Eighteen times the bandwidth for 8/9 as many bytes: at most 18 x 71/64 x ... about 16 times as fast.
  CHECK(within(time("9 x HGX B200", large) / time("GB200 NVL72", large), 8.0, 16.0));
  // All-reduce in the switches: 1 + 1/72 GiB over 900 GB/s = 1.2 ms at least, against 2 GiB over 400 GB/s.
  CHECK(within(time("GB200 NVL72", "all_reduce[bytes=1073741824]"), 1.2e-3, 2.6e-3));
  CHECK(within(time("9 x HGX B200", "all_reduce[bytes=1073741824]"), 5.3e-3, 7e-3));
  // 58 layers of dispatch (7.57 MB) and combine (14.7 MB). Over NICs 8/9 of 22.2 MB x 58 at 50 GB/s: 22.9 ms
  // and 116 starts of tens of microseconds.
  CHECK(
      within(answer.number("workload.9 x HGX B200.experts, 128 tokens a GPU.communication"), 22.9e-3, 40e-3));
  CHECK(answer.text("workload.9 x HGX B200.experts, 128 tokens a GPU.limiter") == "link_bandwidth");
  CHECK(answer.text("workload.GB200 NVL72.experts, 128 tokens a GPU.limiter") == "latency");
}

TEST_CASE("Answer: tensor parallelism over PCIe or NVLink") {
  const Answered answer(file("tensor-parallel-pcie-or-nvlink"));
  const auto total = [&](const std::string& variant, const std::string& workload) {
    return answer.number("workload." + variant + "." + workload + ".communication");
  };
  // Prefill: 160 x 128 MiB x 1.75 = 37.6 GB a GPU. NVLink 4 at 350 to 480 GB/s of bus: 78 to 107 ms; PCIe 4
  // of 31.5 GB/s at 15 to 65 %: 1.8 to 8 s.
  CHECK(within(total("8xH100 NVLink", "prefill, 8192 tokens"), 78e-3, 107e-3));
  CHECK(within(total("8xL40S PCIe", "prefill, 8192 tokens"), 1.8, 8.0));
  CHECK(answer.text("workload.8xL40S PCIe.prefill, 8192 tokens.limiter") == "link_bandwidth");
  // Decode: 512 KiB is 0.92 MB on the wire: 29 us of PCIe at line rate against 2 us of NVLink; with latency
  // the gap is one order of magnitude, not 14 or 40.
  CHECK(within(total("8xH100 NVLink", "decode, 32 sequences"), 160 * 8e-6, 160 * 25e-6));
  CHECK(within(total("8xL40S PCIe", "decode, 32 sequences") / total("8xH100 NVLink", "decode, 32 sequences"),
               6.0, 30.0));
  CHECK(total("4xA100 PCIe", "decode, 32 sequences") > 5.0 * total("4xA100 NVLink", "decode, 32 sequences"));
}

TEST_CASE("Answer: eight H200, small by the engine's kernel, large by the switch") {
  const Answered answer(file("small-and-large-8xh200"));
  const auto value = [&](const std::string& variant, const std::string& bytes, const std::string& what) {
    return answer.number("collective." + variant + ".all_reduce[bytes=" + bytes + "]." + what);
  };
  // Measured: 16 to 17 us by NCCL, 3.0 to 3.5 by the engine's; 482 and 367 GB/s at 16 GiB.
  CHECK(within(value("NCCL", "4096", "time"), 15e-6, 18e-6));
  CHECK(within(value("engine's kernel", "4096", "time"), 2.9e-6, 3.7e-6));
  CHECK(value("NVLS forced", "8589934592", "busbw") == Approx(482e9).epsilon(0.04));
  CHECK(value("ring forced", "8589934592", "busbw") == Approx(367e9).epsilon(0.04));
  CHECK(answer.text("collective.NCCL.all_reduce[bytes=8589934592].algorithm") == "nvls");
}

TEST_CASE("Answer: 32 H100 at 4 GiB reach what their NICs carry") {
  const Answered answer(json::parse(
      R"({"schema": 1, "kind": "collective", "bytes": [4294967296], "machine": {"gpu": "H100-SXM5-80GB"},
          "variants": [{"name": "32", "machine": {"nodes": 4}}, {"name": "64", "machine": {"nodes": 8}}]})",
      "test"));
  // 4 x 8 B200 over 8 x 400 Gb/s of EFA were measured at 382 GB/s; H100 of NVLink 4 can do no more than their
  // 400 GB/s of NICs.
  for (const char* name : {"32", "64"}) {
    CHECK(within(answer.number(std::string("collective.") + name + ".all_reduce[bytes=4294967296].busbw"),
                 320e9, 400e9));
  }
}

TEST_CASE("Answer: uneven all-to-all and the phases of a hierarchy") {
  const Answered uneven(file("experts-uneven"));
  const auto time = [&](const std::string& variant) {
    return uneven.number("collective." + variant + ".alltoall[bytes=117440512].time");
  };
  // Parts 2, 1, 1, ...: 16/9 = 1.78 as many bytes to the first; the power law of exponent 1 over 8:
  // 8 / 2.717857 = 2.94. Times grow with them, less the start.
  CHECK(within(time("one twice as popular") / time("even"), 1.5, 1.79));
  CHECK(within(time("power law 1") / time("even"), 2.4, 2.95));
  const Answered hierarchy(file("hierarchical-or-flat"));
  // With little NIC the hierarchy sends 2 x 7/8 of the bytes where a flat ring sends 2 x 63/64: it wins there
  // by up to 12 %, while on rails the passes inside the node cost more than the steps they save.
  const VariantOutcome& slow = hierarchy.comparison.variants.at(2);
  CHECK(last_winner(slow, false).algorithm == collectives::Algorithm::hierarchical);
  CHECK(last_winner(hierarchy.comparison.variants.at(0), false).algorithm !=
        collectives::Algorithm::hierarchical);
  const auto& row = slow.comparisons.at(0).rows.back();
  CHECK(within(row.times.at(0).si() / row.times.at(3).si(), 1.0, 63.0 / 56.0));
}

TEST_CASE("Variants, workloads and uneven parts: mistakes name their path") {
  const auto problems = [](const std::string& fields) {
    try {
      (void)resolve_collectives(json::parse(R"({"schema": 1, "kind": "collective")" + fields + "}", "test"),
                                "test", library());
    } catch (const InputError& error) {
      return error.problems();
    }
    return std::vector<Problem>{};
  };
  auto found = problems(R"(, "variants": [{"machine": {}}])");
  REQUIRE(found.size() == 1);
  CHECK(found[0].path == "test: $.variants[0].name");
  found = problems(R"(, "variants": [{"name": "a"}, {"name": "a"}])");
  REQUIRE(found.size() == 1);
  CHECK(found[0].path == "test: $.variants[1].name");
  found = problems(R"(, "variants": [{"name": "a", "machin": {}}])");
  REQUIRE(found.size() >= 1);
  CHECK(found[0].path == "test: $.variants[0].machin");
  CHECK(found[0].suggestion == "did you mean machine?");
  found = problems(R"(, "variants": [{"name": "a", "machine": {"gpu": "H10O-SXM5-80GB"}}])");
  REQUIRE(found.size() == 1);
  CHECK(found[0].path == "test: $.variants[0].machine.gpu");
  CHECK(problems(R"(, "workloads": [{"name": "w"}])").at(0).path == "test: $.workloads[0].moves");
  CHECK(problems(R"(, "workloads": [{"name": "w", "moves": [{"bytes": 1}], "compute": {}}])").at(0).path ==
        "test: $.workloads[0].compute");
  CHECK(problems(R"(, "uneven": {"peers": [1, 2]})").at(0).path == "test: $.uneven.peers");
  CHECK(problems(R"(, "uneven": {})").at(0).path == "test: $.uneven");
  CHECK(problems(R"(, "collectives": ["alltoall"], "algorithm": "hierarchical")").at(0).path ==
        "test: $.algorithm");
  CHECK(problems(R"(, "algorithm": "hierarchcal")").at(0).suggestion == "did you mean hierarchical?");
  // null takes a field of the base away.
  const CollectiveScenario scenario = resolve_collectives(
      json::parse(
          R"({"schema": 1, "kind": "collective", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
              "variants": [{"name": "one", "machine": {"nodes": null}}, {"name": "two"}]})",
          "test"),
      "test", library());
  CHECK(scenario.variants.at(0).group.ranks == 8);
  CHECK(scenario.variants.at(1).group.ranks == 16);
}

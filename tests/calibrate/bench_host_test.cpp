// The host logic of the microbenchmarks: all of it that needs no GPU and no nvcc.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "calibrate/bench/host/arithmetic.h"
#include "calibrate/bench/host/bits.h"
#include "calibrate/bench/host/budget.h"
#include "calibrate/bench/host/grids.h"
#include "calibrate/bench/host/json.h"
#include "calibrate/bench/host/options.h"
#include "calibrate/bench/host/reference.h"
#include "calibrate/bench/host/report.h"
#include "calibrate/bench/host/statistics.h"

using namespace gpubench;

TEST_CASE("bench statistics: median and spread by hand") {
  // Sorted 1 2 3 4 10: p10 at position 0.4, p90 at position 3.6.
  const Summary s = summarise({10, 3, 1, 4, 2});
  CHECK(s.median == 3);
  CHECK(s.p10 == Approx(1.4));
  CHECK(s.p90 == Approx(4 + 0.6 * 6));
  CHECK(s.repeats == 5);
  CHECK(summarise({7}).p90 == 7);
  CHECK(std::isnan(summarise({}).median));
  CHECK(rates(100, {2, 4}) == std::vector<double>{50, 25});
}

TEST_CASE("bench statistics: a NaN never counts as agreement") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(relative_error({3, 4}, {3, 4}) == 0);
  CHECK(relative_error({3, 5}, {3, 4}) == Approx(0.2));
  CHECK(std::isnan(relative_error({nan, 4}, {3, 4})));
  CHECK(std::isnan(relative_error({3}, {3, 4})));
  CHECK_FALSE(CheckResult{"x", nan, 1.0}.passed());
  CHECK(CheckResult{"x", 0.5, 0.5}.passed());
}

TEST_CASE("bench options") {
  const std::vector<std::string> sections = {"bandwidth", "gemm"};
  const auto parse = [&](std::vector<std::string> arguments) { return parse_options(arguments, sections); };
  CHECK(parse({}).quick);
  CHECK(parse({}).error.empty());
  const Options full = parse({"--full", "--only", "gemm", "--out", "x.json", "--device", "3"});
  CHECK_FALSE(full.quick);
  CHECK(full.out == "x.json");
  CHECK(full.device == 3);
  CHECK(wants(full, "gemm"));
  CHECK_FALSE(wants(full, "bandwidth"));
  CHECK(wants(parse({}), "bandwidth"));
  CHECK(std::string(parse({"--check"}).mode()) == "check");
  CHECK(parse({"--full"}).total_s() < 480);
  CHECK(parse({"--quick"}).total_s() < 180);
  CHECK(parse({"--only", "gem"}).error.find("'gem'") != std::string::npos);
  CHECK(parse({"--only"}).error == "--only needs a value");
  CHECK_FALSE(parse({"--device", "-1"}).error.empty());
  CHECK_FALSE(parse({"--device", "12345678901234567890"}).error.empty());
  CHECK_FALSE(parse({"--fast"}).error.empty());
}

TEST_CASE("bench budget: what a section leaves or overdraws is shared among the rest") {
  double now = 5;
  Budget budget(100, {1, 3, 1}, [&] { return now; });
  CHECK(budget.begin_section() == Approx(20));
  now += 10;  // left over: 10
  CHECK(budget.has_time());
  CHECK(budget.section_used_s() == Approx(10));
  CHECK(budget.begin_section() == Approx(90 * 0.75));
  now += 80;  // overdrawn
  CHECK_FALSE(budget.has_time());
  CHECK(budget.begin_section() == Approx(10));
  now += 20;
  CHECK(budget.begin_section() == 0);
  CHECK_FALSE(budget.has_time());
}

TEST_CASE("bench grids: any order is a permutation whose prefixes cover the range") {
  for (int count : {0, 1, 2, 7, 8, 100, 513}) {
    std::vector<int> order = spread_order(count);
    const int half = count / 2;
    if (count >= 100) {
      const auto upper = std::count_if(order.begin(), order.begin() + half, [&](int i) { return i >= half; });
      CHECK(static_cast<double>(upper) / half == Approx(0.5).margin(0.05));
    }
    std::sort(order.begin(), order.end());
    REQUIRE(static_cast<int>(order.size()) == count);
    for (int i = 0; i < count; ++i) CHECK(order[i] == i);
  }
}

TEST_CASE("bench grids: footprints reach from 64 kB to 4 GB and are dense around the L2") {
  const std::int64_t l2 = 50 << 20;
  const auto sizes = footprints(l2, std::int64_t{8} << 30);
  CHECK(sizes.front() == 64 << 10);
  CHECK(sizes.back() == std::int64_t{4} << 30);
  CHECK(std::is_sorted(sizes.begin(), sizes.end()));
  CHECK(std::set<std::int64_t>(sizes.begin(), sizes.end()).size() == sizes.size());
  CHECK(std::count_if(sizes.begin(), sizes.end(), [&](auto s) { return s > l2 / 2 && s < 2 * l2; }) >= 8);
  for (auto size : sizes) CHECK(size % 4096 == 0);
  CHECK(footprints(l2, 1 << 20).back() == 1 << 20);
}

TEST_CASE("bench grids: rotation leaves the L2 behind and stays inside the arena") {
  CHECK(rotation_sets(100, 100, 100000) == 4);         // 4 x 100 > 3 x 100
  CHECK(rotation_sets(100, 100, 250) == 2);            // no more fit
  CHECK(rotation_sets(1000, 100, 10000) == 1);         // one is far larger than the L2
  CHECK(rotation_sets(1, 100000, 1 << 30, 64) == 64);  // no more than asked for
  CHECK(rotation_sets(0, 100, 100) == 1);
}

TEST_CASE("bench grids: the GEMM grid") {
  for (bool quick : {true, false}) {
    const auto shapes = gemm_grid(quick);
    CHECK(shapes.size() == (quick ? 12 * 8 : 24 * llm_layers().size()));
    std::set<std::vector<int>> seen;
    for (const GemmShape& s : shapes) {
      CHECK(seen.insert({s.m, s.n, s.k}).second);
      CHECK(s.n % 16 == 0);  // fp8 asks for that
      CHECK(s.k % 16 == 0);
    }
  }
}

TEST_CASE("bench arithmetic: attention by hand") {
  // 3 queries, 5 keys, causal: 3 + 4 + 5 pairs.
  CHECK(attention_pairs({1, 1, 1, 3, 5, 8, true}) == 12);
  CHECK(attention_pairs({1, 1, 1, 3, 5, 8, false}) == 15);
  CHECK(attention_flops({2, 4, 2, 3, 5, 8, true}) == 2 * 4 * 12 * 8 * 4);
  // Llama-like at 8 k: 0.17 GB against 17 GB.
  const AttentionShape llama = {1, 32, 8, 8192, 8192, 128, true};
  CHECK(flash_bytes(llama) == 2.0 * 128 * 8192 * (2 * 32 + 2 * 8));
  CHECK(naive_attention_bytes(llama) == Approx(17.3e9).epsilon(0.01));
}

TEST_CASE("bench arithmetic: decode splits fill the GPU") {
  CHECK(decode_splits(264, 264, 100) == 1);
  CHECK(decode_splits(8, 264, 4) == 4);  // no more parts than tiles
  const int splits = decode_splits(8, 264, 1000);
  CHECK(8 * splits <= 264);
  CHECK(8 * splits >= 0.8 * 264);
  CHECK(decode_splits(1000, 264, 1) == 1);
}

TEST_CASE("bench arithmetic: bus factors, banks and sectors") {
  CHECK(bus_factor("all_reduce", 8) == Approx(1.75));
  CHECK(bus_factor("all_gather", 8) == Approx(0.875));
  CHECK(bus_factor("send_receive", 2) == 1);
  CHECK(bank_conflict_degree(0) == 1);  // a broadcast
  CHECK(bank_conflict_degree(1) == 1);
  CHECK(bank_conflict_degree(2) == 2);
  CHECK(bank_conflict_degree(33) == 1);
  CHECK(bank_conflict_degree(24) == 8);
  CHECK(bank_conflict_degree(32) == 32);
  CHECK(sectors_per_warp(1, 0) == 4);
  CHECK(sectors_per_warp(1, 1) == 5);
  CHECK(sectors_per_warp(2, 0) == 8);
  CHECK(sectors_per_warp(8, 0) == 32);
  CHECK(sectors_per_warp(64, 0) == 32);
}

TEST_CASE("bench arithmetic: a random cycle visits everything once") {
  for (std::uint32_t count : {1u, 2u, 3u, 1000u}) {
    const auto next = random_cycle(count, 7);
    std::uint32_t at = 0;
    std::set<std::uint32_t> seen;
    for (std::uint32_t i = 0; i < count; ++i) {
      seen.insert(at);
      at = next[at];
    }
    CHECK(at == 0);
    CHECK(seen.size() == count);
  }
}

TEST_CASE("bench bits: bf16 rounds to nearest even") {
  CHECK(bf16_value(bf16_bits(1.0f)) == 1.0f);
  CHECK(bf16_bits(1.0f + 1.0f / 256) == bf16_bits(1.0f));               // half way, down to even
  CHECK(bf16_bits(1.0f + 3.0f / 256) == bf16_bits(1.0f + 2.0f / 128));  // half way, up to even
  CHECK(bf16_value(bf16_bits(-3.4e38f)) < -1e38f);
  CHECK(std::isinf(bf16_value(bf16_bits(std::numeric_limits<float>::infinity()))));
  CHECK(std::isnan(bf16_value(bf16_bits(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("bench reference: attention of one head by hand") {
  // One query of 2 dimensions, two keys; scores 0 and sqrt(2) ln 3 / sqrt(2) = ln 3, so weights 1/4 and 3/4.
  const double score = std::sqrt(2.0) * std::log(3.0);
  const auto out = reference_attention({1, 1, 1, 1, 2, 2, false}, {1, 0}, {0, 0, score, 0}, {4, 0, 8, 4});
  CHECK(out[0] == Approx(0.25 * 4 + 0.75 * 8));
  CHECK(out[1] == Approx(0.75 * 4));
  // Causal with two queries: the first sees the first key only.
  const auto causal =
      reference_attention({1, 1, 1, 2, 2, 2, true}, {1, 0, 1, 0}, {0, 0, score, 0}, {4, 0, 8, 4});
  CHECK(causal[0] == Approx(4));
  CHECK(causal[2] == Approx(7));
}

TEST_CASE("bench report: the JSON reads back as it was written") {
  Report report;
  report.mode = "quick";
  report.date = "2026-01-01T00:00:00Z";
  report.device.add("name", "A \"GPU\"\n").add("sm_count", 132).add("ecc", true);
  report.sections.push_back({"gemm", 10.0, 4.5, 7, {"m=1"}, {}, "", "", {}});
  report.checks.push_back({"copy", 0, 0});
  report.records.push_back(
      {"gemm", Fields().add("m", 16).add("dtype", "bf16"), "s", summarise({1e-6, 2e-6})});
  report.records.push_back({"gemm", {}, "s", {}});
  std::ostringstream text;
  write_report(text, report);
  const auto json = nlohmann::json::parse(text.str());
  CHECK(json["schema"] == 1);
  CHECK(json["passed"] == true);
  CHECK(json["device"]["name"] == "A \"GPU\"\n");
  CHECK(json["device"]["ecc"] == true);
  CHECK(json["sections"][0]["cut"][0] == "m=1");
  CHECK_FALSE(json["sections"][0].contains("skipped"));
  CHECK(json["checks"][0]["passed"] == true);
  CHECK(json["records"][0]["params"] == nlohmann::json({{"m", 16}, {"dtype", "bf16"}}));
  CHECK(json["records"][0]["median"].get<double>() == Approx(1.5e-6));
  CHECK(json["records"][0]["repeats"] == 2);
  CHECK(json["records"][1]["median"].is_null());
  CHECK(json_number(1089994752.0) == "1089994752");
  CHECK(json_number(-0.125) == "-0.125");

  report.sections[0].error = "out of memory";
  CHECK_FALSE(report.passed());
}

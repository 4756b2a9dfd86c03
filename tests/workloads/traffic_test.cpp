// Generated traffic against theory, and the rules of the spec. Seeds are fixed; a tolerance is five standard
// errors of the estimate unless its line says otherwise.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <vector>

#include "hwmodels/json/describe.h"
#include "workloads/traffic/arrivals.h"
#include "workloads/traffic/lengths.h"
#include "workloads/traffic/random.h"
#include "workloads/traffic/traffic_spec.h"

using namespace gpuplan;

namespace {

struct Moments {
  double mean = 0;
  double cv = 0;
};
Moments moments(const std::vector<double>& x) {
  const auto n = static_cast<double>(x.size());
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double squares = 0;
  for (const double v : x) {
    squares += (v - mean) * (v - mean);
  }
  return {mean, std::sqrt(squares / n) / mean};
}

// Largest distance between the sample's distribution and `cdf`, times sqrt(n). Kolmogorov: above 1.95 in 1 of
// 1,000 samples.
double kolmogorov(std::vector<double> x, const std::function<double(double)>& cdf) {
  std::sort(x.begin(), x.end());
  const auto n = static_cast<double>(x.size());
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = cdf(x[i]);
    worst = std::max({worst, at - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - at});
  }
  return worst * std::sqrt(n);
}

std::vector<double> gaps(const ArrivalSpec& spec, std::size_t count, std::uint64_t seed = 7) {
  const auto arrivals = make_arrivals(spec, seed);
  std::vector<double> out;
  Seconds last{0};
  Seconds time{0};
  while (out.size() < count && arrivals->next(time)) {
    REQUIRE(time >= last);
    out.push_back((time - last).si());
    last = time;
  }
  return out;
}

std::vector<double> samples(const LengthSpec& spec, std::size_t count) {
  const auto lengths = make_lengths(spec);
  Random random(3, 2);
  std::vector<double> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(lengths->next(random));
  }
  return out;
}

std::vector<Problem> problems_of(const std::string& text) {
  TrafficSpec spec;
  std::vector<Problem> problems;
  json::read(json::parse(text, "test"), "$.traffic", spec, problems);
  if (problems.empty()) {
    validate(spec, "$.traffic", problems);
  }
  return problems;
}
TrafficSpec spec_of(const std::string& text) {
  TrafficSpec spec;
  std::vector<Problem> problems;
  json::read(json::parse(text, "test"), "$.traffic", spec, problems);
  validate(spec, "$.traffic", problems);
  for (const Problem& problem : problems) {
    FAIL(to_string(problem));
  }
  return spec;
}
std::vector<Request> requests_of(RequestSource& source) {
  std::vector<Request> out;
  Request request;
  while (source.next(request)) {
    out.push_back(request);
  }
  CHECK_FALSE(source.next(request));
  return out;
}
std::vector<Request> requests_of(const std::string& text, std::uint64_t seed = 1) {
  return requests_of(*make_source(spec_of(text), seed, "."));
}

const std::string kLengths = R"("prompt": {"mean": 100}, "output": {"mean": 10})";

}  // namespace

TEST_CASE("random numbers: reference values and distributions") {
  // Uniform: mean 1/2, variance 1/12; standard error of the mean 1/sqrt(12 n).
  constexpr std::size_t n = 200000;
  Random random(1, 1);
  std::vector<double> uniform(n);
  std::vector<double> normal(n);
  std::vector<double> exponential(n);
  for (std::size_t i = 0; i < n; ++i) {
    uniform[i] = random.uniform();
    normal[i] = random.normal();
    exponential[i] = random.exponential();
  }
  CHECK(moments(uniform).mean == Approx(0.5).margin(5 / std::sqrt(12.0 * n)));
  CHECK(kolmogorov(uniform, [](double x) { return x; }) < 1.95);
  CHECK(kolmogorov(normal, [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }) < 1.95);
  CHECK(kolmogorov(exponential, [](double x) { return 1 - std::exp(-x); }) < 1.95);
  CHECK(*std::min_element(uniform.begin(), uniform.end()) > 0);
  CHECK(*std::max_element(uniform.begin(), uniform.end()) < 1);
  // Gamma of shape k: mean k, variance k. Shape 1/2 is a squared normal over 2: cdf erf(sqrt(x)).
  for (const double shape : {0.04, 0.5, 1.0, 3.0, 50.0}) {
    INFO(shape);
    std::vector<double> x(n);
    std::generate(x.begin(), x.end(), [&] { return random.gamma(shape); });
    CHECK(moments(x).mean == Approx(shape).margin(5 * std::sqrt(shape / n)));
    if (shape == 0.5) {
      CHECK(kolmogorov(x, [](double v) { return std::erf(std::sqrt(v)); }) < 1.95);
    }
  }
  // Streams differ, and so do seeds.
  CHECK(Random(1, 1).bits() != Random(1, 2).bits());
  CHECK(Random(1, 1).bits() != Random(2, 1).bits());
  CHECK(Random(1, 1).bits() == Random(1, 1).bits());
}

TEST_CASE("arrival processes have the stated rate and variation") {
  constexpr std::size_t n = 100000;
  SECTION("Poisson: exponential gaps") {
    const auto x = gaps({.process = ArrivalProcess::poisson, .rate = Hertz(4)}, n);
    CHECK(moments(x).mean == Approx(0.25).epsilon(5 / std::sqrt(1.0 * n)));
    CHECK(kolmogorov(x, [](double t) { return 1 - std::exp(-4 * t); }) < 1.95);
  }
  SECTION("gamma: cv as asked") {
    for (const double cv : {0.3, 1.0, 2.0, 4.0}) {
      INFO(cv);
      const auto x = gaps({.process = ArrivalProcess::gamma, .rate = Hertz(10), .cv = cv}, n);
      CHECK(moments(x).mean == Approx(0.1).epsilon(5 * cv / std::sqrt(1.0 * n)));
      // Standard error of a cv estimate is about cv sqrt((excess kurtosis + 2) / 4n); gamma's is 6 cv^2.
      CHECK(moments(x).cv == Approx(cv).epsilon(5 * std::sqrt((6 * cv * cv + 2) / (4.0 * n))));
    }
  }
  SECTION("constant: exactly i / rate") {
    const auto x = gaps({.process = ArrivalProcess::constant, .rate = Hertz(8)}, 100);
    CHECK(x.front() == 0);
    CHECK(std::all_of(x.begin() + 1, x.end(), [](double gap) { return gap == 0.125; }));
  }
  SECTION("staged: each stage has its own rate, and then it ends") {
    const ArrivalSpec spec{
        .process = ArrivalProcess::staged,
        .stages = {{Seconds(1000), Hertz(20)}, {Seconds(500), Hertz(0)}, {Seconds(100), Hertz(200)}}};
    const auto arrivals = make_arrivals(spec, 5);
    std::vector<double> counts(3);
    Seconds time{0};
    while (arrivals->next(time)) {
      REQUIRE(time < Seconds(1600));
      counts[time < Seconds(1000) ? 0 : time < Seconds(1500) ? 1 : 2] += 1;
    }
    CHECK(counts[0] == Approx(20000).margin(5 * std::sqrt(20000.0)));  // Poisson counts
    CHECK(counts[1] == 0);
    CHECK(counts[2] == Approx(20000).margin(5 * std::sqrt(20000.0)));
  }
}

TEST_CASE("lengths have the stated distribution") {
  constexpr std::size_t n = 100000;
  SECTION("fixed") { CHECK(moments(samples({.mean = 512.0}, 10)).mean == 512); }
  SECTION("uniform includes both ends") {
    const LengthSpec spec{.distribution = LengthDistribution::uniform, .min = 3, .max = 6};
    const auto x = samples(spec, n);
    for (const double value : {3.0, 4.0, 5.0, 6.0}) {
      const auto count = static_cast<double>(std::count(x.begin(), x.end(), value));
      CHECK(count == Approx(n / 4.0).margin(5 * std::sqrt(n * 0.25 * 0.75)));
    }
    CHECK(make_lengths(spec)->mean() == 4.5);
  }
  SECTION("lognormal by mean and median, and by mean and cv") {
    // Median 600, mean 1000: sigma^2 = 2 ln(1000/600) = 1.0217, cv = sqrt(e^1.0217 - 1) = 1.3333.
    const LengthSpec by_p50{.distribution = LengthDistribution::lognormal, .mean = 1000.0, .p50 = 600.0};
    LengthSpec by_cv{.distribution = LengthDistribution::lognormal, .mean = 1000.0, .cv = 4.0 / 3};
    CHECK(std::sqrt(std::exp(2 * std::log(1000.0 / 600)) - 1) == Approx(4.0 / 3));
    CHECK(samples(by_p50, 1000) == samples(by_cv, 1000));
    auto x = samples(by_p50, n);
    CHECK(moments(x).mean == Approx(1000).epsilon(5 * 4.0 / 3 / std::sqrt(1.0 * n)));
    std::nth_element(x.begin(), x.begin() + n / 2, x.end());
    CHECK(x[n / 2] == Approx(600).epsilon(5 * 1.2533 * std::sqrt(1.0217 / n)));  // error of a median, in logs
    CHECK(make_lengths(by_p50)->mean() == Approx(1000).epsilon(1e-6));
    CHECK(describe_lengths(by_p50) == "lognormal, mean 1000, p50 600");
    // Clipped: the stated mean is what comes out.
    by_cv.max = 2048;
    by_cv.min = 100;
    const double stated = make_lengths(by_cv)->mean();
    CHECK(stated < 960);
    const Moments clipped = moments(samples(by_cv, n));
    CHECK(clipped.mean == Approx(stated).epsilon(5 * clipped.cv / std::sqrt(1.0 * n)));
    CHECK(describe_lengths(by_cv).find("clipping moves the mean from 1000 to ") != std::string::npos);
  }
  SECTION("histogram") {
    const LengthSpec spec{.distribution = LengthDistribution::histogram,
                          .values = {{10, 1}, {20, 0}, {30, 3}, {40, 0}}};
    const auto x = samples(spec, n);
    CHECK(std::count(x.begin(), x.end(), 20.0) == 0);
    CHECK(std::count(x.begin(), x.end(), 40.0) == 0);
    const auto count = static_cast<double>(std::count(x.begin(), x.end(), 30.0));
    CHECK(count == Approx(0.75 * n).margin(5 * std::sqrt(n * 0.25 * 0.75)));
    CHECK(make_lengths(spec)->mean() == 25);
  }
}

TEST_CASE("a source keeps to its limits and is the same for the same seed") {
  const std::string poisson = R"("arrivals": {"process": "poisson", "rate": 10})";
  const auto by_count = requests_of("{" + poisson + ", " + kLengths + R"(, "requests": 50})");
  CHECK(by_count.size() == 50);
  const auto by_time = requests_of("{" + poisson + ", " + kLengths + R"(, "duration": 100})");
  CHECK(static_cast<double>(by_time.size()) == Approx(1000).margin(5 * std::sqrt(1000.0)));
  CHECK(by_time.back().arrival < Seconds(100));
  const auto same = [](const std::vector<Request>& a, const std::vector<Request>& b, auto field) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](const Request& x, const Request& y) { return x.*field == y.*field; });
  };
  const std::string random_lengths =
      R"("prompt": {"distribution": "lognormal", "mean": 900, "cv": 1}, "output": {"distribution": "uniform", "min": 1, "max": 99})";
  const auto a = requests_of("{" + poisson + ", " + random_lengths + R"(, "requests": 200})", 1);
  CHECK(same(a, requests_of("{" + poisson + ", " + random_lengths + R"(, "requests": 200})", 1),
             &Request::arrival));
  CHECK_FALSE(same(a, requests_of("{" + poisson + ", " + random_lengths + R"(, "requests": 200})", 2),
                   &Request::arrival));
  // Other arrivals and outputs leave the prompts alone, and so on.
  const auto b = requests_of(R"({"arrivals": {"process": "gamma", "rate": 3, "cv": 3}, "requests": 200,
                                 "prompt": {"distribution": "lognormal", "mean": 900, "cv": 1}, "output": {"mean": 5}})",
                             1);
  CHECK(same(a, b, &Request::prompt_tokens));
  const auto c = requests_of("{" + poisson + R"(, "requests": 200, "prompt": {"mean": 3},
                                 "output": {"distribution": "uniform", "min": 1, "max": 99}})",
                             1);
  CHECK(same(a, c, &Request::output_tokens));
  CHECK(same(a, c, &Request::arrival));
}

TEST_CASE("closed loop, burst, joint lengths, clips") {
  const auto loop = make_source(
      spec_of(
          R"({"arrivals": {"process": "closed_loop", "concurrency": 16}, "requests": 40, "duration": 5, )" +
          kLengths + "}"),
      1, ".");
  CHECK(loop->facts().closed_loop);
  CHECK(loop->facts().concurrency == 16);
  CHECK_FALSE(loop->facts().rate.has_value());
  CHECK(requests_of(*loop).size() == 40);  // the duration is the simulator's business

  const auto burst =
      requests_of(R"({"arrivals": {"process": "burst"}, "requests": 1000, "max_prompt_tokens": 150,
                      "lengths": [[100, 10, 3], [200, 20, 1]]})");
  REQUIRE(burst.size() == 1000);
  std::size_t longer = 0;
  for (const Request& request : burst) {
    CHECK(request.arrival == Seconds(0));
    CHECK(request.prompt_tokens == (request.output_tokens == 20 ? 150 : 100));  // joint, then cut
    longer += request.output_tokens == 20 ? 1U : 0U;
  }
  CHECK(static_cast<double>(longer) == Approx(250).margin(5 * std::sqrt(1000 * 0.25 * 0.75)));

  const auto staged = make_source(
      spec_of(
          R"({"arrivals": {"process": "staged", "stages": [{"duration": 10, "rate": 1}, {"duration": 30, "rate": 5}]}, )" +
          kLengths + "}"),
      1, ".");
  CHECK(staged->facts().rate->si() == Approx(160.0 / 40));
}

TEST_CASE("sources from traces") {
  const std::filesystem::path dir = std::filesystem::temp_directory_path() / "gpuplan_traffic_test";
  std::filesystem::create_directories(dir);
  std::ofstream(dir / "timed.csv") << "arrival_s,prompt_tokens,output_tokens\n3,10,1\n5,20,2\n9,3000,3\n";
  std::ofstream(dir / "lengths.csv") << "prompt_tokens,output_tokens\n10,1\n20,2\n";
  std::ofstream(dir / "blocks.jsonl")
      << R"({"timestamp": 0, "input_length": 1100, "output_length": 1, "hash_ids": [4, 5, 6]})"
      << "\n";
  const auto source = [&](const std::string& text) { return make_source(spec_of(text), 1, dir.string()); };
  SECTION("replayed, faster, cut") {
    const auto timed = source(R"({"trace": "timed.csv", "time_scale": 0.5, "max_prompt_tokens": 100})");
    const auto requests = requests_of(*timed);
    REQUIRE(requests.size() == 3);
    CHECK(requests[1].arrival == Seconds(1));
    CHECK(requests[2].arrival == Seconds(3));
    CHECK(requests[2].prompt_tokens == 100);
    CHECK(timed->clipped() == 1);
    CHECK(timed->facts().description == "CSV trace timed.csv, times x 0.5");
    CHECK(requests_of(*source(R"({"trace": "timed.csv", "duration": 4})")).size() == 2);
    CHECK(requests_of(*source(R"({"trace": "timed.csv", "requests": 10})")).size() == 3);
  }
  SECTION("lengths under generated arrivals, over and over when a count is asked for") {
    const std::string constant = R"(, "arrivals": {"process": "constant", "rate": 2})";
    CHECK(requests_of(*source(R"({"trace": "lengths.csv")" + constant + "}")).size() == 2);
    const auto requests = requests_of(*source(R"({"trace": "lengths.csv", "requests": 5)" + constant + "}"));
    REQUIRE(requests.size() == 5);
    CHECK(requests[4].prompt_tokens == 10);
    CHECK(requests[4].arrival == Seconds(2));
    const auto lengths_only =
        requests_of(*source(R"({"trace": "timed.csv", "trace_arrivals": false)" + constant + "}"));
    REQUIRE(lengths_only.size() == 3);
    CHECK(lengths_only[2].arrival == Seconds(1));
  }
  SECTION("blocks") {
    const auto once = source(R"({"trace": "blocks.jsonl", "max_prompt_tokens": 1000})");
    Request request;
    REQUIRE(once->next(request));
    CHECK(once->block_tokens() == 512);
    CHECK(once->prefix_blocks().size() == 2);  // 1,000 tokens begin two blocks
    const auto twice = source(
        R"({"trace": "blocks.jsonl", "trace_arrivals": false, "requests": 2, "arrivals": {"process": "burst"}})");
    REQUIRE(twice->next(request));
    CHECK(twice->prefix_blocks()[0] == 4);
    REQUIRE(twice->next(request));
    CHECK(twice->prefix_blocks()[0] != 4);  // the second round is other text
  }
  SECTION("contradictions that only the trace shows") {
    CHECK_THROWS_WITH(source(R"({"trace": "lengths.csv"})"), Catch::Contains("has no arrival times"));
    // Generated arrivals beside a trace that has its own are what the trace replaces.
    CHECK_NOTHROW(source(R"({"trace": "timed.csv", "arrivals": {"rate": 1}})"));
    CHECK_THROWS_WITH(source(R"({"trace": "missing.csv"})"), Catch::Contains("missing.csv: found no file"));
  }
  std::filesystem::remove_all(dir);
}

TEST_CASE("rules of the spec name the field") {
  const std::string ok = R"("arrivals": {"rate": 2}, "requests": 10, )";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "$.traffic.arrivals"},
      {"{" + ok + R"("output": {"mean": 5}})", "$.traffic.prompt"},
      {"{" + ok + R"("prompt": {"mean": 5}})", "$.traffic.output"},
      {R"({"arrivals": {"rate": 2}, )" + kLengths + "}", "$.traffic.requests"},
      {R"({"arrivals": {"process": "burst"}, "duration": 5, )" + kLengths + "}", "$.traffic.requests"},
      {R"({"arrivals": {"process": "staged"}, )" + kLengths + "}", "$.traffic.arrivals.stages"},
      {R"({"arrivals": {"process": "staged", "stages": [{"duration": 5, "rate": 0}]}, )" + kLengths + "}",
       "$.traffic.arrivals.stages"},
      {R"({"arrivals": {"stages": [{"duration": 5, "rate": 1}]}, "requests": 5, )" + kLengths + "}",
       "$.traffic.arrivals.stages"},
      {R"({"arrivals": {"rate": 0}, "requests": 5, )" + kLengths + "}", "$.traffic.arrivals.rate"},
      {R"({"arrivals": {"process": "poison"}, "requests": 5, )" + kLengths + "}",
       "$.traffic.arrivals.process"},
      {R"({"arrivals": {"process": "closed_loop", "concurrency": 0}, "requests": 5, )" + kLengths + "}",
       "$.traffic.arrivals.concurrency"},
      {R"({"trace": "t.csv", "trace_arrivals": false})", "$.traffic.arrivals"},
      {"{" + ok + kLengths + R"(, "time_scale": 2})", "$.traffic.time_scale"},
      {"{" + ok + kLengths + R"(, "warmup_requests": 10})", "$.traffic.warmup_requests"},
      {"{" + ok + kLengths + R"(, "lengths": [[1, 1, 1]]})", "$.traffic.lengths"},
      {"{" + ok + R"("lengths": [[1, 1]]})", "$.traffic.lengths[0]"},
      {"{" + ok + R"("lengths": [[1, 0.5, 1]]})", "$.traffic.lengths[0][1]"},
      {"{" + ok + R"("lengths": [[1, 1, 0]]})", "$.traffic.lengths"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {}})", "$.traffic.prompt.mean"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"mean": 5, "p50": 4}})", "$.traffic.prompt.p50"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"distribution": "lognormal", "mean": 5}})",
       "$.traffic.prompt"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"distribution": "lognormal", "mean": 5, "p50": 6}})",
       "$.traffic.prompt.p50"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"distribution": "uniform", "min": 9, "max": 5}})",
       "$.traffic.prompt.min"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"distribution": "uniform", "max": 5}})",
       "$.traffic.prompt.min"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"distribution": "histogram"}})",
       "$.traffic.prompt.values"},
      {"{" + ok + R"("output": {"mean": 5}, "prompt": {"distribution": "histogram", "values": [[5, -1]]}})",
       "$.traffic.prompt.values[0][1]"},
  };
  for (const auto& [text, path] : cases) {
    INFO(text);
    const std::vector<Problem> problems = problems_of(text);
    REQUIRE_FALSE(problems.empty());
    CHECK(problems.front().path == path);
  }
  CHECK(problems_of("{" + ok + kLengths + "}").empty());
  CHECK(problems_of(R"({"trace": "t.csv"})").empty());
}

TEST_CASE("the traffic spec is written as it was read") {
  const TrafficSpec spec =
      spec_of(R"({"arrivals": {"process": "staged", "stages": [{"duration": 5, "rate": 1}]},
    "prompt": {"distribution": "lognormal", "mean": 1000, "p50": 600, "max": 8192},
    "output": {"distribution": "histogram", "values": [[5, 1], [6, 2]]}, "warmup_requests": 3})");
  const json::Value once = json::write(spec);
  CHECK(json::write(spec_of(json::dump(once))) == once);
}

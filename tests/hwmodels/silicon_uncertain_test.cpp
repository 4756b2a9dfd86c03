// Uncertain numbers, their names and how they are drawn.
#include <algorithm>
#include <cmath>
#include <set>

#include "hwmodels/uncertainty/draws.h"
#include "tests/hwmodels/silicon_testing.h"

using namespace gpuplan;
using namespace gpuplan::silicon;

namespace {

Uncertain uncertain(double low, double mid, double high) {
  Uncertain u;
  u.low = low;
  u.mid = mid;
  u.high = high;
  return u;
}

}  // namespace

TEST_CASE("uncertain: low, median and high stand at their scores") {
  const Uncertain price = uncertain(10.0, 15.0, 18.0);
  CHECK(price.at(-kNormal90) == Approx(10.0));
  CHECK(price.at(0.0) == 15.0);
  CHECK(price.at(kNormal90) == Approx(18.0));
  // Log-normal on either side: half the score, the square root of the factor.
  CHECK(price.at(kNormal90 / 2) == Approx(15.0 * std::sqrt(18.0 / 15.0)));
  CHECK(price.at(-kNormal90 / 2) == Approx(15.0 * std::sqrt(10.0 / 15.0)));
}

TEST_CASE("uncertain: a share that may be zero is normal and never negative") {
  const Uncertain share = uncertain(0.0, 0.5, 1.0);
  CHECK(share.at(-kNormal90) == Approx(0.0).margin(1e-12));
  CHECK(share.at(kNormal90) == Approx(1.0));
  CHECK(share.at(0.5 * kNormal90) == Approx(0.75));
  CHECK(share.at(-9.0) == 0.0);
}

TEST_CASE("uncertain: tails end at the first and the last percentile") {
  const Uncertain u = uncertain(1.0, 2.0, 4.0);
  CHECK(u.at(2.4) == u.at(50.0));
  CHECK(u.at(-2.4) == u.at(-50.0));
  CHECK(u.at(2.0) < u.at(2.4));
}

TEST_CASE("spread: percentiles by hand") {
  // 0, 1, ..., 10: the tenth percentile is the second of eleven.
  std::vector<double> samples{10, 0, 9, 1, 8, 2, 7, 3, 6, 4, 5};
  const Spread s = spread_of(samples);
  CHECK(s.p10 == Approx(1.0));
  CHECK(s.p50 == Approx(5.0));
  CHECK(s.p90 == Approx(9.0));
  std::vector<double> two{3.0, 1.0};
  CHECK(spread_of(two).p10 == Approx(1.2));
  std::vector<double> never(4, INFINITY);
  CHECK(std::isinf(spread_of(never).p50));
}

TEST_CASE("inputs: each has a name, a source and a place of its own") {
  const std::vector<NamedInput> inputs = named_inputs(shipped().inputs("N7"));
  std::set<std::string> names;
  for (const NamedInput& input : inputs) {
    INFO(input.name);
    names.insert(input.name);
    CHECK_FALSE(input.value.source.empty());
    CHECK(input.value.low <= input.value.mid);
    CHECK(input.value.mid <= input.value.high);
  }
  CHECK(names.size() == inputs.size());
  CHECK(names.contains("process.wafer_usd"));
  // A value goes where its name says.
  std::vector<double> values;
  for (const NamedInput& input : inputs) {
    values.push_back(input.name == "price.hbm3_usd_per_gb" ? 123.0 : 1.0);
  }
  CHECK(inputs_of(values).price.hbm3_usd_per_gb == 123.0);
  CHECK(inputs_of(values).price.hbm2e_usd_per_gb == 1.0);
}

TEST_CASE("inputs: scores are standard normal, and those of one kind go together") {
  const std::vector<NamedInput> inputs = named_inputs(shipped().inputs("N7"));
  const std::size_t n = inputs.size(), samples = 4000;
  const std::vector<double> scores = draw_scores(inputs, samples, 11);
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(
        std::find_if(inputs.begin(), inputs.end(), [&](const NamedInput& i) { return i.name == name; }) -
        inputs.begin());
  };
  const auto mean_product = [&](std::size_t a, std::size_t b) {
    double sum = 0.0;
    for (std::size_t s = 0; s < samples; ++s) {
      sum += scores[s * n + a] * scores[s * n + b];
    }
    return sum / static_cast<double>(samples);
  };
  const std::size_t hbm = column("price.hbm3_usd_per_gb"), wafer = column("process.wafer_usd");
  const std::size_t defects = column("process.defects_per_cm2");
  // Standard errors are 1 / sqrt(4000) = 0.016 for products, 0.022 for squares.
  CHECK(mean_product(hbm, hbm) == Approx(1.0).margin(0.09));
  CHECK(mean_product(hbm, wafer) == Approx(0.5).margin(0.07));
  CHECK(mean_product(hbm, defects) == Approx(0.0).margin(0.07));
  CHECK(draw_scores(inputs, samples, 11) == scores);
  CHECK(draw_scores(inputs, samples, 12) != scores);
}

TEST_CASE("inputs: replaced by name, or refused with the nearest name") {
  std::vector<NamedInput> inputs = named_inputs(shipped().inputs("N4"));
  override_inputs(
      inputs, json::parse(R"({"process.wafer_usd": [14000, 17000, 20000], "price.packaging_usd": 500})", "t"),
      "$.inputs");
  const auto of = [&](const char* name) {
    return std::find_if(inputs.begin(), inputs.end(), [&](const NamedInput& i) { return i.name == name; })
        ->value;
  };
  CHECK(of("process.wafer_usd").high == 20000.0);
  CHECK(of("price.packaging_usd").low == 500.0);
  CHECK(of("price.packaging_usd").at(1.0) == 500.0);

  const auto complaint = [&](const char* text) -> std::string {
    try {
      override_inputs(inputs, json::parse(text, "t"), "$.inputs");
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(complaint(R"({"process.wafer_us": 1})").find("did you mean process.wafer_usd") != std::string::npos);
  CHECK(complaint(R"({"process.wafer_usd": -1})").find("$.inputs.process.wafer_usd: found") == 0);
  CHECK(complaint(R"({"process.wafer_usd": [3, 2, 1]})").find("low <= mid <= high") != std::string::npos);
  CHECK(complaint(R"({"process.wafer_usd": "cheap"})").find("a number, or [low, mid, high]") !=
        std::string::npos);
  CHECK(complaint("[1]").find("an object of inputs") != std::string::npos);
}

TEST_CASE("draws: means and variances of the distributions") {
  Draws draws(3);
  const int n = 40000;
  double gamma = 0.0, square = 0.0, small = 0.0, poisson = 0.0;
  for (int i = 0; i < n; ++i) {
    const double g = draws.gamma(3.0);
    gamma += g;
    square += g * g;
    small += draws.gamma(0.5);
    poisson += draws.poisson(0.7);
  }
  // A gamma of shape a and mean 1 has variance 1/a. Five standard errors: 5 sqrt(1/3 / 40000) = 0.014.
  CHECK(gamma / n == Approx(1.0).margin(0.015));
  CHECK(square / n - 1.0 == Approx(1.0 / 3.0).margin(0.03));
  CHECK(small / n == Approx(1.0).margin(0.036));  // variance 2
  CHECK(poisson / n == Approx(0.7).margin(0.021));
}

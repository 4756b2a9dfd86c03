// Inputs that are not known exactly: their percentiles, draws and swings.
#include "hwmodels/uncertainty/uncertain.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace gpuplan;

TEST_CASE("an uncertain number has the percentiles that it was given") {
  const Uncertain price{2.0, 3.0, 6.0, {}};
  CHECK(price.at(0.0) == 3.0);
  CHECK(price.at(-1.2815515655) == Approx(2.0));
  CHECK(price.at(1.2815515655) == Approx(6.0));
  // Above the median: 3 x 2^share; half way to the P90 it is 3 x sqrt 2.
  CHECK(price.at(0.5 * 1.2815515655) == Approx(3.0 * std::sqrt(2.0)));
  // A share that may be zero runs straight, and ends at its limits.
  const Uncertain share{0.0, 0.0, 0.1, {}, 0.0, 0.15};
  CHECK(share.at(-3.0) == 0.0);
  CHECK(share.at(0.5 * 1.2815515655) == Approx(0.05));
  CHECK(share.at(3.0) == 0.15);  // 0.1 x 3 / 1.28 = 0.23
  CHECK(exactly(5.0, {}).at(2.0) == 5.0);
  CHECK(exactly(5.0, {}).exact());
  CHECK_FALSE(price.exact());
}

TEST_CASE("draws have the spread of their input, and a seed fixes them") {
  const std::vector<Uncertain> inputs = {{2.0, 3.0, 6.0, {}}, exactly(7.0, {})};
  const auto sample = [&](std::uint64_t seed, const std::vector<Uncertain>& from) {
    std::vector<double> out;
    draw(from, seed, 20000, [&](std::span<const double> v) {
      CHECK(v[1] == 7.0);
      out.push_back(v[0]);
    });
    return out;
  };
  std::vector<double> first = sample(1, inputs);
  CHECK(first == sample(1, inputs));
  CHECK(first != sample(2, inputs));
  const Spread spread = spread_of(first);
  // 20,000 draws: a tenth of them is 2,000 +- 42, which moves a percentile by a hundredth at most.
  CHECK(spread.p10 == Approx(2.0).epsilon(0.02));
  CHECK(spread.p50 == Approx(3.0).epsilon(0.02));
  CHECK(spread.p90 == Approx(6.0).epsilon(0.02));
  // What another input is does not move the draws of the first.
  CHECK(sample(1, {inputs[0], exactly(7.0, {"else", Standing::derived})}) == sample(1, inputs));
  std::vector<double> none;
  CHECK(spread_of(none).p50 == 0.0);
  // Where some have no end: the median is told, the P90 is endless.
  const double endless = std::numeric_limits<double>::infinity();
  std::vector<double> some = {endless, 1.0, 2.0, 3.0, endless};
  CHECK(spread_of(some).p50 == 3.0);
  CHECK(spread_of(some).p90 == endless);
  std::vector<double> three = {3.0, 1.0, 2.0};
  CHECK(spread_of(three).p50 == 2.0);
  CHECK(spread_of(three).p10 == Approx(1.2));  // a fifth of the way from the first to the second
}

TEST_CASE("a product of log-normal inputs spreads as their half widths squared") {
  // Two factors from 1/2 to 2 at 80 %: together exp(sqrt 2 x ln 2) = 2.665.
  const std::vector<Uncertain> inputs = {{0.5, 1.0, 2.0, {}}, {0.5, 1.0, 2.0, {}}};
  std::vector<double> products;
  draw(inputs, 3, 20000, [&](std::span<const double> v) { products.push_back(v[0] * v[1]); });
  CHECK(spread_of(products).p90 == Approx(std::exp(std::sqrt(2.0) * std::log(2.0))).epsilon(0.03));
}

TEST_CASE("a tornado names the widest input first, and leaves out what moves nothing") {
  const std::vector<Uncertain> inputs = {{1.0, 2.0, 3.0, {}}, {10.0, 20.0, 40.0, {}}, {1.0, 5.0, 9.0, {}}};
  const auto swings = tornado(inputs, [](std::span<const double> v) { return 100.0 / v[1] + v[0]; });
  // 100/10 - 100/40 = 7.5 against 3 - 1 = 2; the third is not in the formula.
  REQUIRE(swings.size() == 2);
  CHECK(swings[0].input == 1);
  CHECK(swings[0].at_low == Approx(12.0));
  CHECK(swings[0].at_high == Approx(4.5));
  CHECK(swings[0].width() == Approx(7.5));
  CHECK(swings[1].width() == Approx(2.0));
}

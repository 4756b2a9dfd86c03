#include "calibrate/fit/residual_fit.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

constexpr std::array<std::string_view, 2> kNames = {"x", "y"};

// A bent surface, with every seventh sample far off.
std::vector<ResidualSample> samples(double outlier) {
  std::vector<ResidualSample> out;
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j < 10; ++j) {
      const double x = 0.25 * i, y = 0.5 * j;
      const double clean = 0.1 * std::sin(x) + 0.02 * y * y;
      out.push_back({{x, y}, clean + ((i * 10 + j) % 7 == 0 ? outlier : 0.0)});
    }
  }
  return out;
}

const ResidualPlan kPlan = {{{"x", 20}, {"y", 8}}};

double worst(const kernels::ResidualField& field) {
  double largest = 0.0;
  for (double x = 0.4; x < 9.0; x += 0.37) {
    for (double y = 0.3; y < 4.3; y += 0.41) {
      const double error = field.at(std::array{x, y}) - (0.1 * std::sin(x) + 0.02 * y * y);
      largest = std::max(largest, std::abs(error));
    }
  }
  return largest;
}

}  // namespace

TEST_CASE("Curves follow what the samples show, and odd samples do not bend them") {
  const kernels::ResidualField clean(fit_residual(kPlan, kNames, samples(0.0), {}), kNames);
  CHECK(worst(clean) < 0.015);
  const kernels::ResidualField robust(fit_residual(kPlan, kNames, samples(0.8), {}), kNames);
  CHECK(worst(robust) < 0.03);
}

TEST_CASE("More work does not become cheaper, whatever the samples show") {
  std::vector<ResidualSample> falling;
  std::vector<OrderPair> order;
  for (int i = 0; i < 200; ++i) {
    const double x = 0.05 * i;
    falling.push_back({{x, 0.0}, -0.1 * x});            // measured: 10 % less a unit
    order.push_back({{x, 0.0}, {x + 1.0, 0.0}, 0.04});  // physics: 4 % more a unit
  }
  const ResidualPlan plan = {{{"x", 12}}};
  const kernels::ResidualField free(fit_residual(plan, kNames, falling, {}), kNames);
  const kernels::ResidualField held(fit_residual(plan, kNames, falling, order), kNames);
  CHECK(free.at(std::array{8.0, 0.0}) - free.at(std::array{2.0, 0.0}) == Approx(-0.6).margin(0.03));
  for (double x = 0.0; x < 8.5; x += 0.5) {
    CHECK(held.at(std::array{x + 1.0, 0.0}) - held.at(std::array{x, 0.0}) > -0.045);
  }
}

TEST_CASE("Too few samples give no curve, the fit is the same every time") {
  std::vector<ResidualSample> few = samples(0.0);
  few.resize(20);
  CHECK(fit_residual(kPlan, kNames, few, {}).empty());
  const auto once = fit_residual(kPlan, kNames, samples(0.3), {}),
             again = fit_residual(kPlan, kNames, samples(0.3), {});
  REQUIRE(once.size() == 1);
  CHECK(once[0].values == again[0].values);
  CHECK(once[0].axes[0].knots.size() == 20);
}

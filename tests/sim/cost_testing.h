// The `cost` object of a scenario, as a user writes it.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "hwmodels/json/problem.h"
#include "sim/cost/cost_spec.h"
#include "tests/sim/sim_testing.h"

inline gpuplan::sim::CostSpec spec_of(const std::string& text) {
  gpuplan::sim::CostSpec spec;
  std::vector<gpuplan::Problem> problems;
  gpuplan::json::read(gpuplan::json::parse(text, "test"), "$.cost", spec, problems);
  REQUIRE(problems.empty());
  return spec;
}

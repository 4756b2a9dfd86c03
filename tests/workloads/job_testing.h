// Training jobs of tests, resolved.
#pragma once

#include <catch2/catch.hpp>
#include <vector>

#include "workloads/training/job.h"

// `job` with what it leaves out filled in; a test fails on one that breaks a rule.
inline gpuplan::TrainingJob resolved(gpuplan::TrainingJob job) {
  std::vector<gpuplan::Problem> problems;
  gpuplan::resolve_job(job, "$", problems);
  for (const gpuplan::Problem& problem : problems) {
    FAIL(gpuplan::to_string(problem));
  }
  return job;
}

// What an inference engine adds to its kernels: CPU time per step and per running sequence, fitted to
// measured times per output token; and how wide the intervals of its predictions must be.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/scenario/serving_scenario.h"
#include "sim/serving/engine_profile.h"

namespace gpuplan::calibrate {

// Errors of mean TPOT, as fractions.
struct EngineFitError {
  std::int64_t rows = 0;
  double median = 0.0, p90 = 0.0, bias = 0.0;
};

struct EngineFit {
  sim::EngineProfile profile;
  EngineFitError fitted, held_out;
  int simulations_of_all = 0;  // how often all rows were simulated
};

struct EngineFitOptions {
  int jobs = 2;
  std::function<void(const std::string& line)> progress = {};  // may be empty
};

// Starts from `profile`, whose other fields stay. Takes the rows of `table` (the columns of
// serving/measured.csv) that are marked trust=ok, measure mean TPOT, TTFT or throughput with this engine, and
// ran on a GPU that a kernel profile was fitted for. A third of the configurations, chosen by a hash of their
// id, is held out. Deterministic. InputError: a broken table; no row of this engine.
EngineFit fit_engine(const std::string& table, sim::EngineProfile profile, const sim::Library& library,
                     const EngineFitOptions& options);

}  // namespace gpuplan::calibrate

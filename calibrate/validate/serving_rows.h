// Measured serving rows (the columns of serving/measured.csv) against simulated ones. A configuration and
// load is simulated once for all its metrics, in worker processes (one simulation a process).
//
// A row is expressed by: engine profile = framework; lengths fixed at the row's, or
// drawn from 80 to 100 % of them where the source's client is known to; concurrency = closed
// loop, rate = Poisson, max = a burst, static_batch = a burst of that size. What cannot be expressed (expert
// models, pipeline or data parallelism inside a replica, disaggregation, unknown lengths) is counted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "calibrate/validate/error_summary.h"
#include "sim/scenario/serving_scenario.h"

namespace gpuplan::calibrate {

// Whether the header of `path` is one of a serving table; false too where it cannot be read.
bool is_serving_table(const std::string& path);

struct ServingTableOptions {
  int jobs = 2;
  std::vector<std::pair<std::string, std::string>> where;  // column = value, all must hold
  std::map<std::string, double> engine = {};  // fields of `engine` in place of the engine profile's
};

// Keys of the rows: gpu, framework, metric, trust, model. Throws InputError with "file:line".
ValidationRows validate_serving_table(const std::string& path, const sim::Library& library,
                                      const ServingTableOptions& options);

}  // namespace gpuplan::calibrate

// What the benchmarks share.
#pragma once

#include <ctime>

namespace gpuplan::bench {

// CPU time of the process.
inline double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace gpuplan::bench

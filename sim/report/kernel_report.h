// From the prices of a kernel scenario to metrics, table, bottlenecks and warnings; and the arithmetic behind
// one of them.
//
// Metrics of a single case: kernel.time and the rest of the contract. Of several: the same for each as
// kernel.<case>.time, and kernel.time and the rest for all of them one after another. `launch_time` of a
// single kernel is what issuing it into a stream adds between kernels and no part of `time`; of a network it
// is the exposed part of `time`.
#pragma once

#include "sim/kernels/run.h"
#include "sim/report/result.h"

namespace gpuplan::sim {

struct KernelReport {
  Result result;
  json::Value table;                  // an object a case, with its kernels where it is a network
  std::vector<std::string> findings;  // what the table shows
};
KernelReport report_kernels(const KernelScenario& scenario, const std::vector<KernelRow>& rows,
                            const KernelPricer& pricer, const Library& library);

struct KernelExplanation {
  std::string title;               // "bf16[m=16] = 35.5 us, limited by hbm_bandwidth"
  std::vector<std::string> lines;  // derivation
};
KernelExplanation explain_kernel(const KernelScenario& scenario, const KernelRow& row,
                                 const KernelPricer& pricer);

// What the datasheet peak is of that `price.flops` runs on: the 16-bit matrix peak where nothing else is
// known.
FlopsPerSecond peak_of(const KernelCase& one, const Gpu& gpu);

}  // namespace gpuplan::sim

// Which kernels a serving run launched, and what they used: watches the run's batches, counts them by shape,
// and prices each operation of their lowering once.
//
// Its times are those that the steps were made of, decode attention on the same grid of contexts included;
// what contention adds to a step is not in them. Known to differ from the run's own sum: a run of decode
// steps that an arrival cuts short, whose parts the run takes as shares of all the steps that it had planned
// (decode attention by up to 0.5 %, the sum of all kernels by less).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sim/report/kernel_table.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/serving/observer.h"

namespace gpuplan::sim {

class ServingKernels final : public ServingObserver {
 public:
  void on_step(const StepRecord& step) override;  // swap copies
  [[nodiscard]] bool wants_batches() const override { return true; }
  void on_batch(const BatchRecord& batch) override;

  // Kernels of one GPU of each replica, all replicas together; swap copies are one row, "swap_copy", with the
  // time that they took.
  [[nodiscard]] KernelTable table(const ServingScenario& scenario, const std::string& data_dir) const;

 private:
  using Shape = std::pair<std::int64_t, std::int64_t>;
  void count_decodes(const BatchRecord& batch);

  std::map<std::int64_t, double> bodies_;  // steps by tokens
  std::map<std::int64_t, double> heads_;   // steps by sequences that get a token
  std::map<Shape, double> decodes_;        // steps by sequences and point on the grid of contexts
  std::map<Shape, double> prompts_;        // chunks by queries and context
  double copies_ = 0.0, copy_seconds_ = 0.0, copy_bytes_ = 0.0;
};

}  // namespace gpuplan::sim

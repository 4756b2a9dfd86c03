// Prices of training steps kept between the steps of a search: jobs that differ in their split, micro-batch,
// recompute or sharding share most of their kernels and collectives.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "sim/training/estimate.h"

namespace gpuplan::sim {

// Fields of a job that a part of its price depends on, packed.
struct CostKey {
  std::array<std::uint32_t, 12> words{};
  bool operator==(const CostKey&) const = default;
};
struct CostKeyHash {
  std::size_t operator()(const CostKey& key) const;
};

// All jobs given to one cache must agree in model, GPUs, fine_tune, optimizer, expert_imbalance,
// expert_capacity, prefetch, seq_len, global_batch, precision (but for `reduce` and `gather`) and software
// (but for the overlaps).
class StepCostCache {
 public:
  explicit StepCostCache(const TrainingEstimator& estimator) : estimator_(estimator) {}
  // Equals costs_of(estimator, job, lower_training(job)); valid until the next call.
  const StepCosts& costs(const TrainingJob& job);
  StepEstimate estimate(const TrainingJob& job) { return estimator_.estimate(job, costs(job)); }

 private:
  struct Passes {
    PassCost dense, sparse, embedding, head;
    std::vector<PassCost> chain;
  };
  struct Streams {
    StreamCost dense, sparse, embedding, head;
    std::vector<StreamCost> chain;
  };
  struct Boundary {
    double send = 0.0, rejoin = 0.0;
  };
  template <class Value>
  using Table = std::unordered_map<CostKey, Value, CostKeyHash>;

  const Passes& passes(const TrainingJob& job);
  const Streams& streams(const TrainingJob& job);
  const std::vector<StageCost>& stages(const TrainingJob& job);
  const Boundary& boundary(const TrainingJob& job);

  const TrainingEstimator& estimator_;
  Table<Passes> passes_;
  Table<Streams> streams_;
  Table<std::vector<StageCost>> stages_;
  Table<Boundary> boundaries_;
  StepCosts costs_;
};

}  // namespace gpuplan::sim

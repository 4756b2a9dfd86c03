// What the formula of a training step sums: the time of each kernel and collective, summed by phase of a
// layer and by stage. Priced once from a lowered step, or kept between the steps of a search.
#pragma once

#include <array>
#include <vector>

#include "sim/training/input_price.h"
#include "workloads/training/step.h"

namespace gpuplan::sim {

class TrainingEstimator;

// Sum of one phase of a layer on one rank, in seconds.
struct PhaseSum {
  double kernels = 0.0;                        // GPU busy
  double launches = 0.0;                       // host busy, beside the kernels
  double blocked = 0.0;                        // host busy between them: it waits for each
  double matrices = 0.0;                       // kernels that a collective can hide behind
  double in_line = 0.0, behind = 0.0;          // collectives: in the way, and meant to hide behind matrices
  double convolutions_by_memory = 0.0;         // of `kernels`: convolutions that HBM limits
  std::array<double, kTrainingParts> parts{};  // of `kernels`
  PhaseSum& operator+=(const PhaseSum& other);
};

// A layer's passes, and what gathers and scatters its weights, in seconds.
struct PassCost {
  PhaseSum forward, backward, recompute, weights;
  double flops = 0.0;
};
struct StreamCost {
  double gather_forward = 0.0, gather_backward = 0.0, scatter = 0.0;
  bool hides = false;
  double load_forward = 0.0, load_backward = 0.0;  // from the host, by another link
  bool load_hides = false;
};

// Over data, once a step.
struct ExchangeCost {
  double seconds = 0.0;
  bool hides = false;  // behind a pass
  double tail = 0.0;   // of it: the last bucket, which nothing is left to hide; 0: a layer's share
};

// What the optimiser does outside the GPU, once a step, in seconds.
struct OffloadCost {
  double gradients = 0.0, pass = 0.0, weights = 0.0;  // down, the CPU's pass (or its drives), back
  bool overlaps = false;
};

struct StageCost {
  int layers = 0, moe_layers = 0, recomputed = 0;
  bool first = false, last = false;
  PhaseSum optimizer;
  ExchangeCost reduce, parameters;
  OffloadCost offload;
};

struct StepCosts {
  PassCost dense, sparse, embedding, head;
  StreamCost dense_stream, sparse_stream, embedding_stream, head_stream;
  std::vector<PassCost> chain;  // layers that differ from each other, and their streams
  std::vector<StreamCost> chain_streams;
  std::vector<StageCost> stages;
  double send = 0.0, rejoin = 0.0;  // of a boundary between stages
  InputCost input;
};

// The parts of it, from the parts of a lowered step.
PhaseSum cost_of(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingPhase& phase);
PassCost passes_of(const TrainingEstimator& estimator, const TrainingJob& job, const LayerWork& work);
StreamCost streams_of(const TrainingEstimator& estimator, const TrainingJob& job, const LayerWork& work);
StageCost cost_of(const TrainingEstimator& estimator, const TrainingJob& job, const StageWork& work);
double total_of(const TrainingEstimator& estimator, const TrainingJob& job,
                const std::vector<TrainingCollective>& all);
double send_of(const TrainingEstimator& estimator, const TrainingJob& job, Bytes boundary);

StepCosts costs_of(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingStep& step);

}  // namespace gpuplan::sim

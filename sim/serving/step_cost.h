// Price of one engine iteration from the prices of its kernels.
//
// A step runs its kernels one after the other on one stream, so times sum. What depends only on the number of
// tokens (matrices, norms, all-reduce) is priced once per token count and kept; decode attention is priced on
// a grid of contexts per batch size and interpolated (a geometric grid, 16 points per octave: the staircase
// of split-KV is smoothed by less than its own step); prefill attention is priced chunk by chunk. Sequences
// of different length are priced at their mean context: exact in bytes, blind to the imbalance between SMs.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "hwmodels/kernels/kernel_model.h"
#include "workloads/lowering/iteration.h"

namespace gpuplan::sim {

// Time and resource use of a group of kernels on one rank.
struct StepUse {
  std::array<double, kStepParts> seconds{};  // by StepPart
  double time = 0.0;                         // s, sum of `seconds`
  double flops = 0.0;
  double hbm_bytes = 0.0;
  double link_bytes = 0.0;
  std::array<double, kStepParts> error{};            // expected relative error times seconds, by part
  double outside = 0.0;                              // seconds priced outside the measured range
  std::array<double, kernels::kLimiters> limited{};  // seconds by limiter

  StepUse& operator+=(const StepUse& other);
  friend StepUse operator*(StepUse use, double factor);
};

// Where a context lies between two points of the grid that decode attention is priced on: `share` of the way
// from point `low` to the next.
struct GridPlace {
  std::size_t low = 0;
  double share = 0.0;
};
GridPlace place_on_context_grid(double context);
double grid_context(std::size_t index);  // tokens

struct StepCostSpec {
  bool cuda_graphs = true;
  std::int64_t max_graph_batch = 512;
  double step_overhead = 0.0;               // s
  double step_overhead_per_sequence = 0.0;  // s
};

class StepCost {
 public:
  StepCost(IterationLowering lowering, kernels::KernelModel model, ScaleUp scale_up, bool switch_reduction,
           StepCostSpec spec);

  // Layers without attention for `tokens` tokens (padded to the captured graph sizes where graphs apply).
  const StepUse& body(std::int64_t tokens);
  // lm_head and sampler for `sequences` rows.
  const StepUse& head(std::int64_t sequences);
  // Attention of all layers for one decode token of `batch` sequences with mean context `context`.
  double decode_attention_time(std::int64_t batch, double context);
  StepUse decode_attention(std::int64_t batch, double context);
  // Attention of all layers for a chunk of `queries` tokens ending at `context`.
  StepUse prefill_attention(std::int64_t queries, std::int64_t context);

  // Time in which the GPU waits for the CPU: scheduling and sampling output per step, and, where no graph
  // covers the step, what launching kernel by kernel adds beyond `gpu_seconds` of work.
  [[nodiscard]] double overhead(std::int64_t sequences, std::int64_t tokens, double gpu_seconds) const;

  // Tokens that the step computes on: the next captured graph size, or `tokens` beyond the largest.
  [[nodiscard]] std::int64_t padded(std::int64_t tokens) const;

  [[nodiscard]] const IterationLowering& lowering() const { return lowering_; }
  [[nodiscard]] const kernels::KernelModel& kernels() const { return model_; }
  [[nodiscard]] ScaleUp scale_up() const { return scale_up_; }
  [[nodiscard]] bool switch_reduction() const { return switch_reduction_; }
  [[nodiscard]] const StepCostSpec& spec() const { return spec_; }

  // Price of one lowered operation (one launch).
  [[nodiscard]] kernels::Price price(const LoweredOperation& op, kernels::Explanation* why = nullptr) const;

 private:
  struct Knot {
    double time = 0.0;
    double hbm_bytes = 0.0;
    double flops = 0.0;
    double error = 0.0;
    bool known = false;
    bool outside = false;
    std::array<double, kernels::kLimiters> limited{};
  };
  Knot& knot(std::int64_t batch, std::size_t index);
  GridPlace place(double context);  // place_on_context_grid, the last one tried first
  [[nodiscard]] StepUse use_of(std::span<const LoweredOperation> operations) const;

  IterationLowering lowering_;
  kernels::KernelModel model_;
  ScaleUp scale_up_;
  bool switch_reduction_;
  StepCostSpec spec_;
  double kernels_per_iteration_;
  double stream_launch_;
  std::vector<std::optional<StepUse>> body_;
  std::vector<std::optional<StepUse>> head_;
  std::vector<std::vector<Knot>> decode_;  // [batch][index on the context grid]
  std::vector<LoweredOperation> scratch_;
  std::size_t near_ = 0;  // point of the grid below the last context
};

}  // namespace gpuplan::sim

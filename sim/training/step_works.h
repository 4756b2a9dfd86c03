// The pieces of work that a step is made of, priced once each.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "sim/training/step_program.h"

namespace gpuplan::sim {

// A layer, the embedding or the head; layers of a chain come behind.
enum class Block { dense, sparse, embedding, head };
inline constexpr std::size_t kBlocks = 4;

// A pass: as one piece of work, and as two, where something runs beside it: what fills the SMs, and the rest,
// which a collective's SMs do not slow down.
struct ComputeWork {
  std::uint32_t whole = 0;
  std::array<std::uint32_t, 2> parts{};
};

struct BlockWorks {
  ComputeWork forward;
  std::array<ComputeWork, 2> backward;  // whole; with the forward pass computed again
  std::array<ComputeWork, 2> inputs;    // its half for the gradients of inputs
  ComputeWork weights;                  // and for those of weights
  std::vector<std::uint32_t> gather_forward, gather_backward, scatter;
  bool hides = true;                                         // gathered and scattered beside computation
  std::optional<std::uint32_t> load_forward, load_backward;  // offloaded weights
  bool load_hides = true;
};

// Once a step, of one stage. Slices: a layer's share.
struct StageWorks {
  std::vector<std::uint32_t> reduce, parameters;  // slices, one after the other for each layer
  std::vector<std::pair<std::uint32_t, int>>
      buckets;  // or gradients by bucket: work, blocks that it waits for
  bool reduce_hides = false, parameters_hide = false;
  std::optional<std::uint32_t> optimizer;
  // Of offloaded state: gradients down (a layer's slice behind its backward pass, or all), the CPU's pass,
  // weights back.
  std::optional<std::uint32_t> store_slice, store, host_pass, load;
  std::uint32_t host = 0;
};

struct StepWorks {
  std::vector<BlockWorks> blocks;  // kBlocks, then the chain's
  std::vector<StageWorks> stages;
  std::optional<std::uint32_t> send, rejoin;
  std::uint32_t nothing = 0;  // of a stage without layers
  std::optional<std::uint32_t> input_loader, input_copy;
  bool input_prefetches = true, input_blocks = false;
  std::vector<StepWork> works;
};

// What each GPU has; NICs of its node shared evenly.
RankResources resources_of(const TrainingEstimator& estimator);

StepWorks price_works(const TrainingEstimator& estimator, const TrainingJob& job, const TrainingStep& step);

}  // namespace gpuplan::sim

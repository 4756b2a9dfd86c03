// Pipeline schedules as data: in which order each stage runs the forward and backward passes of its
// micro-batches. A schedule is one file and one line of registry.cpp:
//
//   gpipe        all forward passes, then all backward passes (Huang et al. 2019)
//   1f1b         after a warm-up one forward, one backward: at most as many micro-batches in flight as stages
//                to come (Narayanan et al. 2019)
//   interleaved  1F1B with several model chunks a stage, which divides the bubble by their number and
//                multiplies the transfers (Narayanan et al. 2021)
//   zero_bubble  1F1B whose backward passes are cut in two; the weights' half fills the bubble (Qi et al.
//   2023,
//                ZB-H1: no more memory than 1F1B)
//   dualpipe     from both ends at once, two copies of the weights, backward cut in two (DeepSeek-V3 2024)
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace gpuplan::pipeline {

enum class ScheduleKind { gpipe, one_f_one_b, interleaved, zero_bubble, dualpipe };
std::span<const std::string_view> enum_names(ScheduleKind tag);

// backward: gradients of inputs and of weights together; the other two are its halves.
enum class Pass { forward, backward, backward_input, backward_weight };

struct PipelineOp {
  Pass pass = Pass::forward;
  int micro_batch = 0;
  int position = 0;  // of the model chunk in its chain
  bool operator==(const PipelineOp&) const = default;
};

struct PipelineShape {
  int stages = 1;  // devices in a row
  int chunks = 1;  // model chunks a stage (interleaved; others: 1)
  int micro_batches = 1;
};

struct PipelineSchedule {
  PipelineShape shape;
  // Stage of each model chunk, first to last. Micro-batch m takes chain m % chains.size(): one chain, but
  // DualPipe's two, which run in opposite directions through the same stages.
  std::vector<std::vector<int>> chains;
  std::vector<std::vector<PipelineOp>> order;  // of each stage
  [[nodiscard]] const std::vector<int>& chain_of(int micro_batch) const {
    return chains[static_cast<std::size_t>(micro_batch) % chains.size()];
  }
};

// The rule that `shape` breaks, as "micro-batches in multiples of the stages (4)"; "" where none.
std::string_view broken_rule(ScheduleKind kind, const PipelineShape& shape);

// Throws std::logic_error where a rule is broken.
PipelineSchedule make_schedule(ScheduleKind kind, const PipelineShape& shape);

}  // namespace gpuplan::pipeline

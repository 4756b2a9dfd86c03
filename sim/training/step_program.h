// A training step as programs of streams: what each rank of a pipeline stage runs on its compute stream, on
// the stream of its collectives over data-parallel ranks and on that of its sends, in which order, and what
// waits for what. All ranks of a stage run the same program, so that it is held once a stage.
//
//   compute  a layer's pass is one piece of work: its kernels, host launches where they are slower, and the
//            collectives inside the layer (tensor, context, expert) that nothing hides. Ranks that share a
//            layer end it together.
//   data     weights gathered, gradients scattered or reduced. FSDP gathers a layer while the one before is
//            computed and holds two gathered layers at most (limit_all_gathers). ZeRO-1 and 2 gather weights
//            layer by layer before the first forward pass, and reduce gradients behind the last backward one
//            (buckets as large as layers: no latency of their own). PyTorch's DDP reduces its buckets in
//            order, each as soon as the blocks whose gradients it holds are differentiated.
//   send     activations and gradients to neighbouring stages; without overlap_pipeline the sender waits.
//   load     from the host to the GPU: input, offloaded weights, two layers ahead at most.
//   store    from the GPU to the host: gradients whose optimiser runs there.
//   input    the loader: storage and CPU workers, no part of the GPU.
//
// Known to fail: DualPipe's pairs of forward and backward passes run one after the other here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/training/estimate.h"

namespace gpuplan::sim {

// Ranks that wait for each other at a piece of work. block: those that share layers (tensor, context,
// expert); the others as the groups of collectives.
enum class Meet : std::uint8_t { none, block, shard, replica, data };
inline constexpr std::size_t kMeets = 5;

enum class StepStream : std::uint8_t { compute, data, send, load, store, input };
inline constexpr std::size_t kStepStreams = 6;

enum class StepPart : std::uint8_t {
  forward,
  backward,
  optimizer,
  host,
  weights,
  gradients,
  send,
  load,
  input
};
std::span<const std::string_view> enum_names(StepPart tag);

// What a piece of work takes of a rank's GPU and its links, over its whole life.
struct StepDemand {
  double sm_seconds = 0.0;
  double hbm = 0.0, nvlink = 0.0, nic = 0.0, pcie = 0.0;  // bytes
};

struct StepWork {
  std::string name;  // "layer forward"
  StepStream stream = StepStream::compute;
  StepPart part = StepPart::forward;
  Meet meet = Meet::none;  // on the compute stream ranks end together, on others they start together
  Seconds alone;           // with nothing beside it
  Seconds in_line;         // of it: collectives that nothing hides
  StepDemand demand;
  bool from_host = false;  // gathers what another link brings more slowly
};

struct StepOp {
  std::uint32_t work = 0;
  std::uint32_t first_next = 0, next_count = 0;  // operations of the same rank that wait for it
  std::int32_t to_stage = -1;                    // a send: the stage that receives, and what waits there
  std::uint32_t to_op = 0;
  std::int32_t micro_batch = -1;
};

struct StageProgram {
  std::vector<StepOp> ops;
  std::vector<std::uint32_t> next;  // indices into ops
  std::vector<std::uint8_t> waits;  // for each: on how many it waits
};

// What a rank has of each resource, per second.
struct RankResources {
  double sms = 1.0, hbm = 1.0, nvlink = 1.0, nic = 1.0, pcie = 1.0;
};

struct StepProgram {
  std::vector<StepWork> works;
  std::vector<StageProgram> stages;
  RankResources resources;
  std::size_t operations() const;
};

// Whether the pipeline's schedule can be laid out: the rules of workloads/pipeline (zero bubble has one chunk
// a stage there, DualPipe at least twice as many micro-batches as stages).
bool schedule_can_be_played(const TrainingJob& job);

// std::logic_error where it cannot.
StepProgram make_step_program(const TrainingEstimator& estimator, const TrainingJob& job,
                              const TrainingStep& step);

}  // namespace gpuplan::sim

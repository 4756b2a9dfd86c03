// State of one serving replica: sequences, the queues they stand in, and the paged KV cache. Plain data; the
// scheduler moves sequences between queues, the replica plays the steps.
#pragma once

#include <cassert>
#include <cstdint>
#include <deque>
#include <vector>

#include "hwmodels/units/units.h"

namespace gpuplan::sim {

using SequenceId = std::uint32_t;

struct Sequence {
  std::int64_t order = 0;  // arrival number over the whole run; also the FCFS rank
  std::int32_t prompt = 0, output = 0;
  std::int32_t priority = 0;   // lower is served first
  std::int32_t generated = 0;  // tokens emitted so far
  std::int32_t computed = 0;   // tokens whose K and V are in the cache
  std::int32_t blocks = 0;     // KV blocks held (on the GPU, or in host memory while swapped out)
  std::int32_t preemptions = 0;
  Seconds arrival, admitted, first_token, last_token;

  // Tokens that must pass through the model before the next one can be sampled: 1 while decoding.
  [[nodiscard]] std::int32_t remaining() const { return prompt + generated - computed; }
  // A last prompt token alone in its chunk is no decode: its sequence has emitted nothing yet.
  [[nodiscard]] bool decoding() const { return remaining() == 1 && computed > 0 && generated > 0; }
};

// Block counts of the paged KV cache; which block is whose does not matter to time.
struct KvPool {
  std::int64_t total = 0, free = 0;
  std::int64_t host_total = 0, host_free = 0;  // swap space
  std::int64_t watermark = 0;                  // blocks kept free when admitting
  int block_size = 16;

  [[nodiscard]] std::int64_t blocks_for(std::int64_t tokens) const {
    return (tokens + block_size - 1) / block_size;
  }
  // Whether `sequence` may grow by `tokens`; grow() then takes the blocks.
  [[nodiscard]] bool fits(const Sequence& sequence, std::int64_t tokens) const {
    return blocks_for(sequence.computed + tokens) - sequence.blocks <= free;
  }
  void grow(Sequence& sequence, std::int64_t tokens) {
    const std::int64_t need = blocks_for(sequence.computed + tokens) - sequence.blocks;
    if (need > 0) {
      free -= need;
      sequence.blocks += static_cast<std::int32_t>(need);
      assert(free >= 0);
    }
  }
  void release(Sequence& sequence) {
    free += sequence.blocks;
    sequence.blocks = 0;
    assert(free <= total);
  }
};

struct SchedulerLimits {
  std::int64_t max_num_seqs = 256;
  std::int64_t max_num_batched_tokens = 2048;
  bool chunked_prefill = true;
  bool by_priority = false;  // waiting queue ordered by priority, then arrival
  bool swap = false;         // preempt by swapping out instead of recomputing
};

struct ReplicaState {
  std::vector<Sequence> sequences;  // slots, reused
  std::vector<SequenceId> running;  // in order of admission
  std::deque<SequenceId> waiting;   // in order of service
  std::deque<SequenceId> swapped;
  KvPool kv;
  SchedulerLimits limits;
  std::int64_t preemptions = 0;
};

// Tokens that one sequence computes in one step.
struct Chunk {
  SequenceId sequence;
  std::int32_t tokens;
};

// What a scheduler decided for the next step.
struct StepPlan {
  std::vector<Chunk> chunks;
  std::int64_t tokens = 0;          // sum over chunks
  std::int64_t swap_in_blocks = 0;  // copied before the step
  std::int64_t swap_out_blocks = 0;
  bool preempted = false;

  void clear() {
    chunks.clear();
    tokens = swap_in_blocks = swap_out_blocks = 0;
    preempted = false;
  }
  void add(SequenceId sequence, std::int32_t chunk) {
    chunks.push_back({sequence, chunk});
    tokens += chunk;
  }
};

}  // namespace gpuplan::sim

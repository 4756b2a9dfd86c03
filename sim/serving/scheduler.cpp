#include "sim/serving/scheduler.h"

#include <algorithm>

namespace gpuplan::sim {

namespace {

// Whether a is served before b.
bool before(const ReplicaState& state, SequenceId a, SequenceId b) {
  const Sequence& x = state.sequences[a];
  const Sequence& y = state.sequences[b];
  if (state.limits.by_priority && x.priority != y.priority) {
    return x.priority < y.priority;
  }
  return x.order < y.order;
}

}  // namespace

SequenceId pick_victim(const ReplicaState& state) {
  if (!state.limits.by_priority) {
    return state.running.back();
  }
  return *std::max_element(state.running.begin(), state.running.end(),
                           [&](SequenceId a, SequenceId b) { return before(state, a, b); });
}

void enqueue_waiting(ReplicaState& state, SequenceId sequence) {
  std::deque<SequenceId>& queue = state.waiting;
  if (queue.empty() || before(state, queue.back(), sequence)) {
    queue.push_back(sequence);
  } else if (before(state, sequence, queue.front())) {
    queue.push_front(sequence);
  } else {
    queue.insert(std::upper_bound(queue.begin(), queue.end(), sequence,
                                  [&](SequenceId a, SequenceId b) { return before(state, a, b); }),
                 sequence);
  }
}

void preempt(ReplicaState& state, StepPlan& plan, SequenceId victim) {
  Sequence& sequence = state.sequences[victim];
  state.running.erase(std::find(state.running.begin(), state.running.end(), victim));
  const auto chunk = std::find_if(plan.chunks.begin(), plan.chunks.end(),
                                  [&](const Chunk& c) { return c.sequence == victim; });
  if (chunk != plan.chunks.end()) {
    plan.tokens -= chunk->tokens;
    plan.chunks.erase(chunk);
  }
  ++sequence.preemptions;
  ++state.preemptions;
  plan.preempted = true;

  // Blocks grown for this step hold nothing yet, so only the computed ones travel.
  const std::int64_t filled = state.kv.blocks_for(sequence.computed);
  const bool swap = state.limits.swap && filled > 0 && filled <= state.kv.host_free;
  state.kv.release(sequence);
  if (swap) {
    state.kv.host_free -= filled;
    sequence.blocks = static_cast<std::int32_t>(filled);
    plan.swap_out_blocks += filled;
    state.swapped.push_front(victim);
  } else {
    sequence.computed = 0;
    enqueue_waiting(state, victim);
  }
}

void swap_in(ReplicaState& state, StepPlan& plan) {
  KvPool& kv = state.kv;
  while (!state.swapped.empty() &&
         static_cast<std::int64_t>(state.running.size()) < state.limits.max_num_seqs) {
    Sequence& sequence = state.sequences[state.swapped.front()];
    // Room for what the sequence needs to go on at once; the watermark does not apply when nothing else runs.
    const std::int64_t spare = state.running.empty() ? 0 : kv.watermark;
    if (kv.free - kv.blocks_for(sequence.computed + sequence.remaining()) < spare) {
      return;
    }
    kv.free -= sequence.blocks;
    kv.host_free += sequence.blocks;
    plan.swap_in_blocks += sequence.blocks;
    state.running.push_back(state.swapped.front());
    state.swapped.pop_front();
  }
}

}  // namespace gpuplan::sim

// A scheduler decides, step by step, which sequences compute how many tokens, who is admitted and who loses
// its KV blocks. Implementations: schedulers/vllm_v1.cpp, schedulers/vllm_v0.cpp; one line in registry.cpp
// each.
#pragma once

#include "sim/serving/state.h"

namespace gpuplan::sim {

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // Fills `plan` and takes the KV blocks it needs. An empty plan means that nothing can run. Deterministic in
  // `state`; called only between steps. Contract for skipping ahead: when the plan holds exactly one decode
  // token for every running sequence and nothing was preempted, the same plan would be made again until a
  // sequence ends, one arrives, or the free blocks run out.
  virtual void plan(ReplicaState& state, StepPlan& plan) = 0;
};

// Building blocks that schedulers share (scheduler.cpp).

// Takes the KV blocks of `victim`, a running sequence, and puts it back into line: at the front of waiting
// (recompute), or of swapped when swapping is on and host memory has room. Its chunk leaves the plan.
void preempt(ReplicaState& state, StepPlan& plan, SequenceId victim);
// The running sequence that is preempted first: the last admitted, or the least urgent by priority.
SequenceId pick_victim(const ReplicaState& state);
// Puts a sequence into the waiting queue by policy.
void enqueue_waiting(ReplicaState& state, SequenceId sequence);
// Swaps in sequences while blocks and seats allow.
void swap_in(ReplicaState& state, StepPlan& plan);

}  // namespace gpuplan::sim

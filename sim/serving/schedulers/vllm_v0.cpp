// vLLM V0's default scheduler: whole prompts first, in steps of their own while running sequences wait; only
// when no prompt can be admitted do all running sequences decode one token. A prompt is admitted when the
// blocks of all its tokens leave the watermark free. Preempted sequences lose their blocks to recomputation
// or to swap space; swapped ones come back before new prompts are admitted.
//
// Simplification: V0 asks for one free block per decoding sequence before it appends even when the sequence's
// last block has room; here a block is asked for only when one is needed.
#include <algorithm>

#include "sim/serving/registry.h"
#include "sim/serving/scheduler.h"

namespace gpuplan::sim {

namespace {

class VllmV0 final : public Scheduler {
 public:
  void plan(ReplicaState& state, StepPlan& plan) override {
    if (state.swapped.empty()) {
      admit_prompts(state, plan);
      if (!plan.chunks.empty()) {
        return;
      }
    }
    decode(state, plan);
    if (!plan.preempted && !state.swapped.empty()) {
      const std::size_t before = state.running.size();
      swap_in(state, plan);
      for (std::size_t i = before; i < state.running.size(); ++i) {
        append(state, plan, state.running[i]);
      }
    }
  }

 private:
  static void admit_prompts(ReplicaState& state, StepPlan& plan) {
    while (!state.waiting.empty() &&
           static_cast<std::int64_t>(state.running.size()) < state.limits.max_num_seqs) {
      const SequenceId id = state.waiting.front();
      Sequence& sequence = state.sequences[id];
      const std::int32_t tokens = sequence.remaining();
      // A sequence that was preempted may have outgrown the budget: it then runs alone.
      const bool over = plan.tokens + tokens > state.limits.max_num_batched_tokens;
      const std::int64_t spare = state.running.empty() ? 0 : state.kv.watermark;
      if ((over && !plan.chunks.empty()) || state.kv.free - state.kv.blocks_for(tokens) < spare) {
        break;
      }
      state.waiting.pop_front();
      state.running.push_back(id);
      state.kv.grow(sequence, tokens);
      plan.add(id, tokens);
    }
  }

  static void append(ReplicaState& state, StepPlan& plan, SequenceId id) {
    Sequence& sequence = state.sequences[id];
    if (state.kv.fits(sequence, sequence.remaining())) {
      state.kv.grow(sequence, sequence.remaining());
      plan.add(id, sequence.remaining());
    }
  }

  static void decode(ReplicaState& state, StepPlan& plan) {
    std::size_t i = 0;
    while (i < state.running.size()) {
      const SequenceId id = state.running[i];
      bool alive = true;
      while (alive && !state.kv.fits(state.sequences[id], state.sequences[id].remaining())) {
        const SequenceId victim = pick_victim(state);
        preempt(state, plan, victim);
        alive = victim != id;
      }
      if (!alive) {
        break;
      }
      append(state, plan, id);
      i = static_cast<std::size_t>(std::find(state.running.begin(), state.running.end(), id) -
                                   state.running.begin()) +
          1;
    }
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_vllm_v0() { return std::make_unique<VllmV0>(); }

}  // namespace gpuplan::sim

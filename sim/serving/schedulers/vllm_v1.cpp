// vLLM V1's scheduler: one token budget per step, running sequences first (a decode needs one token, an
// unfinished prompt the rest of it or what the budget leaves), then waiting ones in order. KV blocks are
// taken for the tokens of the step only. When blocks run out the last admitted (or least urgent) sequence is
// preempted, and nobody is admitted in that step.
//
// Not modelled: prefix caching, encoder inputs, speculative tokens, partial-prefill limits.
#include <algorithm>

#include "sim/serving/registry.h"
#include "sim/serving/scheduler.h"

namespace gpuplan::sim {

namespace {

class VllmV1 final : public Scheduler {
 public:
  void plan(ReplicaState& state, StepPlan& plan) override {
    std::int64_t budget = state.limits.max_num_batched_tokens;
    schedule_running(state, plan, budget);
    if (!plan.preempted) {
      admit_swapped(state, plan, budget);
      admit_waiting(state, plan, budget);
    }
  }

 private:
  static void schedule_running(ReplicaState& state, StepPlan& plan, std::int64_t& budget) {
    std::size_t i = 0;
    while (i < state.running.size() && budget > 0) {
      const SequenceId id = state.running[i];
      const std::int32_t tokens =
          static_cast<std::int32_t>(std::min<std::int64_t>(state.sequences[id].remaining(), budget));
      if (!make_room(state, plan, id, tokens)) {
        break;  // the sequence itself was preempted; the ones before it are scheduled
      }
      state.kv.grow(state.sequences[id], tokens);
      plan.add(id, tokens);
      budget = state.limits.max_num_batched_tokens - plan.tokens;
      // A victim before `i` shifts the rest down.
      i = static_cast<std::size_t>(std::find(state.running.begin(), state.running.end(), id) -
                                   state.running.begin()) +
          1;
    }
  }

  // Preempts until `id` can grow; false when it had to preempt `id` itself.
  static bool make_room(ReplicaState& state, StepPlan& plan, SequenceId id, std::int32_t tokens) {
    while (!state.kv.fits(state.sequences[id], tokens)) {
      const SequenceId victim = pick_victim(state);
      preempt(state, plan, victim);
      if (victim == id) {
        return false;
      }
    }
    return true;
  }

  static void admit_swapped(ReplicaState& state, StepPlan& plan, std::int64_t& budget) {
    const std::size_t before = state.running.size();
    swap_in(state, plan);
    for (std::size_t i = before; i < state.running.size() && budget > 0; ++i) {
      Sequence& sequence = state.sequences[state.running[i]];
      const std::int32_t tokens =
          static_cast<std::int32_t>(std::min<std::int64_t>(sequence.remaining(), budget));
      if (!state.kv.fits(sequence, tokens)) {
        break;
      }
      state.kv.grow(sequence, tokens);
      plan.add(state.running[i], tokens);
      budget -= tokens;
    }
  }

  static void admit_waiting(ReplicaState& state, StepPlan& plan, std::int64_t& budget) {
    while (!state.waiting.empty() && state.swapped.empty() && budget > 0 &&
           static_cast<std::int64_t>(state.running.size()) < state.limits.max_num_seqs) {
      const SequenceId id = state.waiting.front();
      Sequence& sequence = state.sequences[id];
      if (!state.limits.chunked_prefill && sequence.remaining() > budget) {
        break;
      }
      const std::int32_t tokens =
          static_cast<std::int32_t>(std::min<std::int64_t>(sequence.remaining(), budget));
      const std::int64_t spare = state.running.empty() ? 0 : state.kv.watermark;
      if (state.kv.free - state.kv.blocks_for(tokens) < spare) {
        break;
      }
      state.waiting.pop_front();
      state.running.push_back(id);
      state.kv.grow(sequence, tokens);
      plan.add(id, tokens);
      budget -= tokens;
    }
  }
};

}  // namespace

std::unique_ptr<Scheduler> make_vllm_v1() { return std::make_unique<VllmV1>(); }

}  // namespace gpuplan::sim

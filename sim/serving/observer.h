// Observers watch a serving run from outside: timeline, progress. The simulation calls, never asks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hwmodels/units/units.h"
#include "sim/serving/state.h"

namespace gpuplan::sim {

// One step, or a run of equal decode steps played as one.
struct StepRecord {
  std::size_t replica = 0;
  Seconds start, end;
  std::int64_t steps = 1;
  std::int64_t decodes = 0;         // sequences that decode
  std::int64_t prefill_tokens = 0;  // prompt tokens in the step
  std::int64_t prefills = 0;
  std::int64_t running = 0, waiting = 0;
  std::int64_t kv_blocks_used = 0;
  bool copy = false;  // a swap copy, not a step
  Bytes copied{0.0};  // by it, per GPU
};

// Prompt tokens that one sequence computes in a step, and where in its sequence they end.
struct PromptChunk {
  std::int64_t queries = 0, context = 0;
};

// What a step, or each of a run of equal decode steps, computed on: all that its kernels depend on.
struct BatchRecord {
  std::int64_t steps = 1;
  std::int64_t tokens = 0;      // of all sequences, before padding to a captured graph
  std::int64_t emitting = 0;    // sequences that get a token
  std::int64_t decodes = 0;     // sequences that decode
  double decode_context = 0.0;  // their mean context in the first step; one more in each further one
  std::span<const PromptChunk> prompts;
};

struct RequestRecord {
  std::int64_t order = 0;
  std::size_t replica = 0;
  std::int32_t prompt = 0, output = 0, preemptions = 0;
  Seconds arrival, admitted, first_token, finish;
};

class ServingObserver {
 public:
  virtual ~ServingObserver() = default;
  virtual void on_step(const StepRecord& /*step*/) {}
  virtual void on_finish(const RequestRecord& /*request*/) {}
  // Batches are recorded only for observers that want them; asked once, before the run.
  [[nodiscard]] virtual bool wants_batches() const { return false; }
  virtual void on_batch(const BatchRecord& /*batch*/) {}
};

// Several observers as one.
class ObserverList final : public ServingObserver {
 public:
  void add(ServingObserver& observer) { observers_.push_back(&observer); }

  void on_step(const StepRecord& step) override {
    for (ServingObserver* observer : observers_) {
      observer->on_step(step);
    }
  }
  void on_finish(const RequestRecord& request) override {
    for (ServingObserver* observer : observers_) {
      observer->on_finish(request);
    }
  }
  [[nodiscard]] bool wants_batches() const override {
    for (const ServingObserver* observer : observers_) {
      if (observer->wants_batches()) {
        return true;
      }
    }
    return false;
  }
  void on_batch(const BatchRecord& batch) override {
    for (ServingObserver* observer : observers_) {
      observer->on_batch(batch);
    }
  }

 private:
  std::vector<ServingObserver*> observers_;
};

}  // namespace gpuplan::sim

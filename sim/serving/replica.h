// One replica: a scheduler, a KV pool and the GPUs of one tensor-parallel group, played step by step on the
// engine. A step is one flow on the group's resources (ranks are symmetric, one stands for all): matrix
// FLOPs, HBM bytes and link bytes, with the priced duration as its time alone; swap copies are flows on HBM
// and PCIe that must end before the step they make room for.
//
// Runs of decode steps in which nothing can change (no prompt in the batch, nobody to admit, no sequence
// ends, blocks suffice) are one flow. An arrival that could be admitted cuts such a run at the end of the
// step it falls into, so the result is the same as stepping one by one.
#pragma once

#include <memory>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/serving/observer.h"
#include "sim/serving/outcome.h"
#include "sim/serving/router.h"
#include "sim/serving/scheduler.h"
#include "sim/serving/step_cost.h"
#include "workloads/traffic/request.h"

namespace gpuplan::sim {

// Told when a request leaves a replica (served or rejected).
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  virtual void request_done(const Sequence& sequence, std::size_t replica) = 0;
};

// Engine resources of one replica's representative GPU.
struct ReplicaResources {
  ResourceId sm, hbm, link, pcie;
};

struct ReplicaSpec {
  SchedulerLimits limits;
  KvPool kv;
  std::int64_t max_model_len = 0;
  Bytes bytes_per_block;             // per GPU
  BytesPerSecond pcie_bandwidth;     // of one GPU, for swap copies
  std::int64_t max_run_steps = 512;  // longest run of decode steps played as one
};

class Replica {
 public:
  Replica(std::size_t index, const ReplicaSpec& spec, std::unique_ptr<Scheduler> scheduler, StepCost& cost,
          Engine& engine, ReplicaResources resources, ServingOutcome& outcome, RequestSink& sink,
          ServingObserver* observer);

  // Takes a request that arrived (at the server) at `request.arrival`. False: it can never be served here
  // (longer than max_model_len, or than the whole KV cache).
  bool submit(const Request& request, std::int64_t order);

  [[nodiscard]] ReplicaLoad load() const;
  [[nodiscard]] std::int64_t preemptions() const { return state_.preemptions; }

 private:
  void begin_step();
  void start_flow();
  void copies_done(std::uint64_t tag);
  void step_done(std::uint64_t tag);
  void plan_run();  // durations of the run, into step_ends_
  void finish_plain_step(Seconds now, Seconds took);
  void finish_run(Seconds now, Seconds took);
  void emit(Sequence& sequence, Seconds now);
  void retire(Seconds now);  // ends the sequences that have all their tokens
  void cut_run_for(const Sequence& arrival);
  void account_kv(Seconds now);
  [[nodiscard]] std::int64_t longest_run() const;
  void record_batch();  // tells the observer what the step in flight computed on

  std::size_t index_;
  ReplicaSpec spec_;
  std::unique_ptr<Scheduler> scheduler_;
  StepCost& cost_;
  Engine& engine_;
  ReplicaResources resources_;
  ServingOutcome& outcome_;
  RequestSink& sink_;
  ServingObserver* observer_;
  bool record_batches_;

  ReplicaState state_;
  std::vector<SequenceId> free_slots_;
  StepPlan plan_;

  // The step or run in flight.
  bool busy_ = false;
  bool run_ = false;  // a run of decode steps
  FlowHandle flow_;
  Seconds started_;
  StepUse use_;  // of the whole flow
  double overhead_ = 0.0;
  std::vector<double> step_ends_;  // of a run: end of step i after its start, uncontended (s)
  std::size_t run_steps_ = 0;      // steps that will be played (after cuts)
  double planned_ = 0.0;           // duration of the flow as started (s)
  std::int64_t decodes_ = 0, prefill_tokens_ = 0, prefills_ = 0;
  double decode_context_ = 0.0;  // sum of contexts of decoding sequences at the step's start
  Seconds kv_since_;
  std::vector<PromptChunk> prompts_;  // of the batch being recorded
};

}  // namespace gpuplan::sim

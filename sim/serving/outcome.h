// What a serving run leaves behind: raw counts and distributions, before they become metrics.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "sim/serving/quantiles.h"
#include "sim/serving/step_cost.h"
#include "workloads/memory/serving_memory.h"

namespace gpuplan::sim {

struct ServingOutcome {
  ServingMemory memory;

  // Requests (warm-up excluded from the distributions, not from the counts).
  std::int64_t arrived = 0, completed = 0, rejected = 0, preemptions = 0;
  std::int64_t measured = 0, attained = 0;          // of `measured` completions, how many met the SLO
  Samples ttft, tpot, e2e, queueing;                // s
  LogHistogram itl;                                 // s
  double prompt_tokens = 0.0, output_tokens = 0.0;  // of measured completions
  Seconds window_start, window_end;                 // first measured arrival, last measured completion
  Seconds end;

  // Over all replicas.
  double busy_seconds = 0.0;
  double running_seconds = 0.0;        // integral of running sequences over busy time
  double context_token_seconds = 0.0;  // integral of cached tokens of decoding sequences over decode time
  double decode_seconds = 0.0, decode_sequence_seconds = 0.0;  // time in pure decode steps, and x batch
  double kv_block_seconds = 0.0;                               // integral of used blocks over time
  std::int64_t kv_blocks_max = 0;
  std::int64_t steps = 0, decode_steps = 0;
  double computed_tokens = 0.0;
  StepUse use;                    // kernels, by part
  double overhead_seconds = 0.0;  // GPU waiting for the CPU
  double swap_seconds = 0.0, swap_bytes = 0.0;
  double resource_sm = 0.0, resource_hbm = 0.0, resource_link = 0.0, resource_pcie = 0.0;  // mean utilisation

  // The waiting queue, all replicas, seen at arrivals.
  std::int64_t queue_max = 0, queue_at_last_arrival = 0;
  double queue_growth = 0.0;  // requests per second over the second half of the arrivals
  Seconds last_arrival;
  bool overloaded = false;
  bool closed_loop = false;

  std::uint64_t events = 0;
  std::vector<std::string> notes;
};

}  // namespace gpuplan::sim

// What surrounds the steps of a training run: how long it is, what it saves and how often, what fails.
#pragma once

#include <cstdint>
#include <optional>

#include "hwmodels/json/describe.h"
#include "hwmodels/units/units.h"

namespace gpuplan::sim {

struct CheckpointSpec {
  std::optional<Seconds> interval;
  std::optional<std::int64_t> interval_steps;
  bool asynchronous = false;
  std::optional<Bytes> bytes;
  BytesPerSecond write_bandwidth = BytesPerSecond(2e9);
  std::optional<BytesPerSecond> read_bandwidth;
  BytesPerSecond file_system_bandwidth = BytesPerSecond(0);
};
template <class V>
void describe(V& v, CheckpointSpec& s) {
  v.field("interval", s.interval,
          "of computation between two checkpoints (s); default: interval_steps, else the best of Young and "
          "Daly, sqrt(2 x time it stops the job x mean time between failures)",
          json::positive());
  v.field("interval_steps", s.interval_steps, "the same in steps", json::Range{.min = 1, .max = 1e12});
  v.field("asynchronous", s.asynchronous,
          "the job stops for the copy to host memory only, and storage is written beside it");
  v.field("bytes", s.bytes, "of a checkpoint of the whole job; default: weights and optimiser state",
          json::positive());
  v.field("write_bandwidth", s.write_bandwidth, "to storage, of a node (B/s); default: 2e9 (assumed)",
          json::positive());
  v.field("read_bandwidth", s.read_bandwidth,
          "from storage, of a node (B/s); default: twice what it writes at (assumed)", json::positive());
  v.field("file_system_bandwidth", s.file_system_bandwidth,
          "that all nodes write at together, or read (B/s); 0: no limit but that of each node",
          json::not_negative());
}

struct ReliabilitySpec {
  std::optional<Seconds> node_mtbf;
  std::optional<double> gpu_hours_per_failure;
  Seconds detect = Seconds(60), reschedule = Seconds(120), warm_up = Seconds(120);
  std::optional<Seconds> load;
  std::optional<int> spares;
  Seconds repair = Seconds(86400);
  int trials = 100;
};
template <class V>
void describe(V& v, ReliabilitySpec& s) {
  v.field("node_mtbf", s.node_mtbf, "mean time between failures of one node (s)", json::positive());
  v.field("gpu_hours_per_failure", s.gpu_hours_per_failure,
          "GPU-hours that a job runs on average until something stops it; default: 50,676, the 419 "
          "unexpected interruptions of Llama 3 405B in 54 days on 16,384 H100",
          json::positive());
  v.field("detect", s.detect, "until a failure is noticed (s); 60: assumed", json::not_negative());
  v.field("reschedule", s.reschedule, "until the job starts again on whole nodes (s); 120: assumed",
          json::not_negative());
  v.field("load", s.load, "of the last checkpoint (s); default: its bytes at checkpoint.read_bandwidth",
          json::not_negative());
  v.field("warm_up", s.warm_up, "communicators, compilation, first slow steps (s); 120: assumed",
          json::not_negative());
  v.field("spares", s.spares,
          "nodes that stand by; without one the job waits for a repair; default: always enough",
          json::Range{.min = 0, .max = 100000});
  v.field("repair", s.repair, "until a failed node is back (s), mean; 86400: assumed; counts with spares",
          json::positive());
  v.field("trials", s.trials, "runs simulated for the spread of time and failures",
          json::Range{.min = 10, .max = 10000});
}

struct RunSpec {
  std::optional<double> tokens;
  std::optional<std::int64_t> steps;
};
template <class V>
void describe(V& v, RunSpec& s) {
  v.field("tokens", s.tokens, "that are trained on", json::positive());
  v.field("steps", s.steps, "that are trained; one of the two", json::Range{.min = 1, .max = 1e15});
}

}  // namespace gpuplan::sim

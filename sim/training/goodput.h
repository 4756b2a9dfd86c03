// What checkpoints and failures leave of a training run: the closed formula (Daly 2006, complete model).
//
// Failures arrive with mean time M between them whenever the job is up or starting again (exponential). The
// job computes for `interval`, stops for `stop` to save, and so on; after a failure it takes `restart` and
// computes again what was not safe. A checkpoint is safe `settles` after its stop (asynchronous writing), so
// that much more is lost. One interval then takes
//
//   E = M e^((restart + settles) / M) (e^((interval + stop) / M) - 1)       goodput = interval / E
//
// exactly (a failure at any time starts an uninterrupted stretch of restart + settles + interval + stop
// anew). Without a free node the job waits: with S spares and repair time T the share of time is Erlang's
// loss formula B(S + 1, T / M), whatever the distribution of repairs (the failing job is the arrival, repairs
// the servers). Known to fail: failures that come in bursts, or that a restart does not cure.
#pragma once

#include <optional>

#include "hwmodels/units/units.h"

namespace gpuplan::sim {

struct FailureModel {
  Seconds mean_between{0.0};  // failures of the job; 0: none
  Seconds interval, stop;     // computation between checkpoints, and what one stops it for; 0: no checkpoints
  Seconds settles{0.0};
  Seconds restart{0.0};
  std::optional<int> spares;
  Seconds repair{0.0};
};

// Computation over wall time, 0 to 1. Infinite intervals and no failures: 1.
double goodput(const FailureModel& model);
// Failures a second of wall time. While the job waits for a node none happens.
double failure_rate(const FailureModel& model);
// Share of wall time without enough nodes.
double share_without_nodes(const FailureModel& model);

// Erlang's loss formula: share of arrivals that find `servers` busy, offered `load` of them.
double erlang_loss(int servers, double load);

// Young 1974: sqrt(2 x stop x M).
Seconds best_interval(Seconds stop, Seconds mean_between);

}  // namespace gpuplan::sim

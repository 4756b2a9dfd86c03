// How NCCL estimates an algorithm before it chooses: latency and bandwidth by protocol, from constants of its
// own (tuner_constants.h). Good enough to choose with; the time a collective takes is another matter
// (timing.h). An algorithm is one file and one line of registry.cpp: ring, tree, collnet, nvls, pat.
#pragma once

#include <optional>
#include <span>

#include "hwmodels/collectives/communicator.h"

namespace gpuplan::collectives {

struct TunerEstimate {
  double latency = 0.0;    // us
  double bandwidth = 0.0;  // algorithm bandwidth, GB/s
  [[nodiscard]] double time(double bytes) const { return latency + bytes / (1e3 * bandwidth); }  // us
};

class CollectiveAlgorithm {
 public:
  CollectiveAlgorithm() = default;
  CollectiveAlgorithm(const CollectiveAlgorithm&) = delete;
  CollectiveAlgorithm& operator=(const CollectiveAlgorithm&) = delete;
  virtual ~CollectiveAlgorithm() = default;

  [[nodiscard]] virtual Algorithm tag() const = 0;
  // Nothing where NCCL would not run this collective so on these ranks.
  [[nodiscard]] virtual std::optional<TunerEstimate> estimate(const Communicator& group,
                                                              const CollectiveOperation& operation,
                                                              Protocol protocol) const = 0;
  // Channels it may use at most.
  [[nodiscard]] virtual int channels(const Communicator& group) const = 0;
};

// All of them, in NCCL's order, which decides ties.
std::span<const CollectiveAlgorithm* const> algorithms();

// Sequential steps of a ring: 2 (n-1) for all-reduce, n-1 for all-gather and reduce-scatter, else n.
int ring_steps(Collective collective, int ranks);

// Those of them that cross nodes: 2 (nodes-1), nodes-1, nodes.
int ring_steps_between_nodes(Collective collective, int nodes);

}  // namespace gpuplan::collectives

#include "hwmodels/collectives/tuner.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::collectives {

namespace {

// NCCL 2.30, device.h and comm.h: threads of a block and bytes that one should get at least.
constexpr double kLlThreads = 512.0, kLl128Threads = 640.0, kSimpleThreads = 512.0;
constexpr double kLlThreshold = 8.0, kSimpleThreshold = 64.0;

}  // namespace

int channels_used(Algorithm algorithm, Protocol protocol, int most, int ranks, double bytes) {
  double per_channel = kSimpleThreads * kSimpleThreshold;
  switch (protocol) {
    case Protocol::ll:
      per_channel = kLlThreads * kLlThreshold * (algorithm == Algorithm::ring ? ranks : 1.0);
      break;
    case Protocol::ll128:
      per_channel = kLl128Threads * kLlThreshold;
      break;
    case Protocol::simple:
      break;
  }
  if (algorithm == Algorithm::nvls || algorithm == Algorithm::nvls_tree) {
    return most;
  }
  return std::clamp(static_cast<int>(std::min(1e6, bytes / per_channel)), 1, std::max(1, most));
}

Choices candidates(const Communicator& group, const CollectiveOperation& operation) {
  Choices out;
  for (const CollectiveAlgorithm* algorithm : algorithms()) {
    for (const Protocol protocol : kProtocols) {
      if (protocol == Protocol::ll128 && !(group.ll128 && group.nvlink)) {
        continue;
      }
      const std::optional<TunerEstimate> estimate = algorithm->estimate(group, operation, protocol);
      if (estimate && estimate->bandwidth > 0.0) {
        out.push_back({algorithm->tag(), protocol,
                       channels_used(algorithm->tag(), protocol, algorithm->channels(group), group.ranks,
                                     operation.bytes.si()),
                       estimate->time(operation.bytes.si())});
      }
    }
  }
  return out;
}

Choice choose(const Communicator& group, const CollectiveOperation& operation, double p2p_ll_bytes) {
  const Choices all = candidates(group, operation);
  if (all.empty()) {
    const double message = operation.collective == Collective::all_to_all ? operation.bytes.si() / group.ranks
                                                                          : operation.bytes.si();
    const Protocol protocol = message <= p2p_ll_bytes ? Protocol::ll : Protocol::simple;
    return {Algorithm::point_to_point, protocol,
            channels_used(Algorithm::point_to_point, protocol, group.channels, group.ranks, message), 0.0};
  }
  return *std::min_element(all.begin(), all.end(),
                           [](const Choice& a, const Choice& b) { return a.estimate < b.estimate; });
}

}  // namespace gpuplan::collectives

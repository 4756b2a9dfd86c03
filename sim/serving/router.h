// A router spreads requests over replicas. Implementations: routers/*.cpp; one line in registry.cpp each.
#pragma once

#include <cstdint>
#include <span>

#include "workloads/traffic/request.h"

namespace gpuplan::sim {

struct ReplicaLoad {
  std::int64_t waiting = 0;  // queued or swapped out
  std::int64_t running = 0;
};

class Router {
 public:
  virtual ~Router() = default;
  // Index of the replica that takes `request`. Deterministic in its own history and `loads`.
  virtual std::size_t pick(const Request& request, std::span<const ReplicaLoad> loads) = 0;
};

}  // namespace gpuplan::sim

// Collectives as work of the engine: they take links, HBM and SMs, and slow down, and are slowed down by,
// whatever else takes them.
//
// Two forms. The flow form (CollectiveFlows) has the whole traffic of a collective in as few flows as there
// are parts that can run ahead of each other: one where all ranks wait for each other all the time (rings,
// trees, NVLS: each passes on what it receives, so the slowest edge sets the pace of all), one a rank where
// they do not (all-to-all, sends). Steps cost a latency, paid once and first. The step form (ring_steps.h)
// plays every step of every rank; it exists to teach, and to check the flow form.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/engine/engine.h"

namespace gpuplan::sim {

struct CollectiveWork {
  Seconds latency{0};  // launch, synchronisation and the latency of all steps
  Seconds alone{0};    // least time for the bytes, by protocol and channels; 0: what the demands allow
  bool lockstep = true;
  // What each rank takes over the whole collective: bytes of the links of its routes, of its HBM, and
  // SM-seconds (or what these resources are counted in).
  std::vector<std::vector<Demand>> ranks = {};
};

struct CollectiveHandle {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: no collective
  [[nodiscard]] bool valid() const { return generation != 0; }
};

// The collectives under way in one engine. Must outlive them; not to be moved.
class CollectiveFlows {
 public:
  explicit CollectiveFlows(Engine& engine) : engine_(&engine) {}
  CollectiveFlows(const CollectiveFlows&) = delete;
  CollectiveFlows& operator=(const CollectiveFlows&) = delete;

  // Starts now; `on_done` when the last rank is through. A lockstep collective is one flow: its weight, where
  // flows meet, is its rate alone, as of every flow.
  CollectiveHandle start(const CollectiveWork& work, Callback on_done);
  // Ends it without its callback; nothing happens when it has ended already.
  void cancel(CollectiveHandle collective);
  [[nodiscard]] bool active(CollectiveHandle collective) const;

 private:
  struct Run {
    std::vector<FlowHandle> flows;
    Callback on_done;
    std::uint32_t left = 0;  // flows still running
    std::uint32_t generation = 1;
  };
  void flow_done(std::uint64_t slot);
  void free(std::uint32_t slot);

  Engine* engine_;
  std::vector<Run> runs_;
  std::vector<std::uint32_t> free_;
  std::vector<Demand> merged_;  // scratch
};

}  // namespace gpuplan::sim

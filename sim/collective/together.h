// Collectives, kernels and copies at the same time on one machine, played in the engine: flows over the links
// of the topology and over each GPU's HBM and SMs. Who meets whom on a full resource slows down, in
// proportion (fluid.h); collectives hold their SMs (gpu_demand.h).
#pragma once

#include <string>
#include <vector>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/kernels/kernel_model.h"
#include "sim/collective/collective_flows.h"
#include "sim/scenario/activity_spec.h"

namespace gpuplan::sim {

struct TogetherMachine {
  const fabric::Topology& topology;
  const Gpu& gpu;
  const Node& node;
  const collectives::Communicator& group;  // of all GPUs: network, NCCL's version
  std::vector<Straggler> stragglers;       // by device
  std::optional<std::uint64_t> ecmp_seed;
};

// What full resource an activity shares, and with whom.
struct SharedResource {
  std::string name;                                     // "node0/gpu0 SMs", "node0/nic3 -> leaf3"
  double capacity = 0.0;                                // per second
  std::string unit;                                     // "B", "SM s"
  std::vector<std::pair<std::string, double>> amounts;  // of each activity that uses it
};

struct ActivityResult {
  std::string name;
  Seconds alone;       // with nothing else there
  Seconds begin, end;  // together with the others
  [[nodiscard]] Seconds time() const { return end - begin; }
  [[nodiscard]] double slowdown() const { return time() / alone; }
  // The busiest resource that it shares with another; nothing where it shares none.
  std::optional<SharedResource> shared;
  std::string what;       // "ring, 16 channels: holds 16 SMs", "limited by compute"
  double spread80 = 0.0;  // of its price
};

// Mean over the resources of a kind that something uses, over the whole time.
struct TogetherUse {
  double sm = 0.0, hbm = 0.0, nvlink = 0.0, pcie = 0.0, network = 0.0;
};

// One run of an activity, or of a kernel on one of its GPUs.
struct ActivitySpan {
  std::size_t activity = 0;
  std::size_t lane = 0;  // GPU of the group, for kernels
  Seconds begin, end;
};

struct TogetherResult {
  std::vector<ActivityResult> activities;
  std::vector<ActivitySpan> spans;  // as they ended; at most a million
  TogetherUse use;
  Seconds end;
  std::uint64_t events = 0;
};

// Throws InputError where no way joins the GPUs of a group.
TogetherResult play_together(const TogetherMachine& machine, const std::vector<Activity>& activities,
                             const collectives::CollectiveModel& collectives,
                             const kernels::KernelModel& kernels, const std::vector<kernels::SmLimits>& sm);

}  // namespace gpuplan::sim

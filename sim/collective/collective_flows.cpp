#include "sim/collective/collective_flows.h"

#include <algorithm>

namespace gpuplan::sim {

CollectiveHandle CollectiveFlows::start(const CollectiveWork& work, Callback on_done) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(runs_.size()));
    runs_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  Run& run = runs_[slot];
  run.on_done = on_done;
  run.flows.clear();
  const Callback done = Callback::of<&CollectiveFlows::flow_done>(this, slot);
  if (work.lockstep || work.ranks.empty()) {
    // All demands as one flow, each resource named once: a flow is re-solved use by use.
    merged_.clear();
    for (const std::vector<Demand>& rank : work.ranks) {
      merged_.insert(merged_.end(), rank.begin(), rank.end());
    }
    std::stable_sort(merged_.begin(), merged_.end(),
                     [](const Demand& a, const Demand& b) { return a.resource < b.resource; });
    std::size_t last = 0;
    for (std::size_t i = 1; i < merged_.size(); ++i) {
      if (merged_[i].resource == merged_[last].resource) {
        merged_[last].amount += merged_[i].amount;
      } else {
        merged_[++last] = merged_[i];
      }
    }
    merged_.resize(merged_.empty() ? 0 : last + 1);
    run.left = 1;
    run.flows.push_back(
        engine_->start({.demands = merged_, .alone = work.alone, .latency = work.latency}, done));
  } else {
    run.left = static_cast<std::uint32_t>(work.ranks.size());
    for (const std::vector<Demand>& rank : work.ranks) {
      run.flows.push_back(
          engine_->start({.demands = rank, .alone = work.alone, .latency = work.latency}, done));
    }
  }
  return {slot, run.generation};
}

void CollectiveFlows::cancel(CollectiveHandle collective) {
  if (!active(collective)) {
    return;
  }
  for (const FlowHandle flow : runs_[collective.slot].flows) {
    engine_->cancel(flow);
  }
  free(collective.slot);
}

bool CollectiveFlows::active(CollectiveHandle collective) const {
  return collective.valid() && collective.slot < runs_.size() &&
         runs_[collective.slot].generation == collective.generation && runs_[collective.slot].left > 0;
}

void CollectiveFlows::flow_done(std::uint64_t slot) {
  Run& run = runs_[slot];
  if (--run.left > 0) {
    return;
  }
  const Callback on_done = run.on_done;
  free(static_cast<std::uint32_t>(slot));
  if (on_done.fn != nullptr) {
    on_done.fn(on_done.object, on_done.tag);
  }
}

void CollectiveFlows::free(std::uint32_t slot) {
  runs_[slot].left = 0;
  ++runs_[slot].generation;
  free_.push_back(slot);
}

}  // namespace gpuplan::sim

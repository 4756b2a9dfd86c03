// Progressive filling over the flows that a change can reach (see fluid.h).
#include <algorithm>
#include <cmath>

#include "sim/engine/fluid.h"

namespace gpuplan::sim {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLevelTolerance = 1e-9;  // levels this close count as equal
constexpr double kFullTolerance = 1e-9;   // spare capacity below this fraction counts as none
constexpr double kRoundingTolerance = 1e-12;
// Few resources are scanned for the next to fill up, more are kept in a heap.
constexpr std::size_t kScanLimit = 16;
// After so many widenings of one solution, whole neighbourhoods join: bounds the number of passes.
constexpr int kCarefulPasses = 6;

}  // namespace

void Fluid::solve(double now) {
  if (pending_.empty() && dirty_.empty()) {
    return;
  }
  ++stamp_;
  solution_.clear();
  touched_.clear();
  for (const ResourceId id : dirty_) {
    Resource& resource = resources_[id];
    resource.dirty = false;
    for (std::size_t i = 0; i < resource.members.size() && resource.bound > 0; ++i) {
      const std::uint32_t slot = resource.members[i].flow;
      if (flows_[slot].bottleneck == id) {
        include(slot);
      }
    }
  }
  dirty_.clear();
  for (const Pending& waiting : pending_) {
    Flow& flow = flows_[waiting.slot];
    if (flow.generation == waiting.generation && flow.state == State::pending &&
        !start_unhindered(waiting.slot, flow, now)) {
      include(waiting.slot);
    }
  }
  pending_.clear();
  if (solution_.empty()) {
    return;
  }
  int pass = 0;
  do {
    fill();
  } while (include_disturbed(++pass > kCarefulPasses));
  commit(now);
}

// The fast path: a flow that fits beside what is running takes its full rate and disturbs nobody.
bool Fluid::start_unhindered(std::uint32_t slot, Flow& flow, double now) {
  if (flow.cap == kInfinity) {
    schedule(slot, flow, now);
    return true;
  }
  const std::span<const Use> uses = uses_of(flow);
  for (const Use& use : uses) {
    const Resource& resource = resources_[use.resource];
    if (resource.bound > 0 || resource.stamp == stamp_ ||
        resource.load + use.amount * flow.cap > resource.capacity * (1 + kRoundingTolerance)) {
      return false;
    }
  }
  flow.rate = flow.cap;
  for (const Use& use : uses) {
    Resource& resource = resources_[use.resource];
    set_load(resource, resource.load + use.amount * flow.rate, now);
  }
  schedule(slot, flow, now);
  return true;
}

// Makes a flow part of the present solution.
void Fluid::include(std::uint32_t slot) {
  Flow& flow = flows_[slot];
  if (flow.stamp == stamp_) {
    return;
  }
  flow.stamp = stamp_;
  solution_.push_back(slot);
  if (flow.bottleneck != kNone) {
    --resources_[flow.bottleneck].bound;
    flow.bottleneck = kNone;
  }
  for (const Use& use : uses_of(flow)) {
    Resource& resource = resources_[use.resource];
    if (resource.stamp != stamp_) {
      resource.stamp = stamp_;
      resource.solved = 0;
      touched_.push_back(use.resource);
    }
    ++resource.solved;
  }
}

void Fluid::prepare_fill() {
  for (const ResourceId id : touched_) {
    Resource& resource = resources_[id];
    resource.unfixed = resource.solved;
    resource.spare = resource.capacity - resource.load;
    resource.weight = 0;
    resource.full_level = kInfinity;
    resource.top_level = 0;
  }
  by_cap_.clear();
  for (const std::uint32_t slot : solution_) {
    Flow& flow = flows_[slot];
    flow.fixed = false;
    flow.bottleneck = kNone;
    by_cap_.push_back({flow.cap / flow.weight, slot});
    for (const Use& use : uses_of(flow)) {
      Resource& resource = resources_[use.resource];
      resource.spare += use.amount * flow.rate;
      resource.weight += use.amount * flow.weight;
    }
  }
  if (!std::is_sorted(by_cap_.begin(), by_cap_.end(),
                      [](const CapLevel& a, const CapLevel& b) { return a.level < b.level; })) {
    std::sort(by_cap_.begin(), by_cap_.end());
  }
  levels_.clear();
  use_levels_ = touched_.size() > kScanLimit;
  for (const ResourceId id : touched_) {
    Resource& resource = resources_[id];
    resource.weight_at_start = resource.weight;
    resource.spare =
        resource.solved == resource.members.size() ? resource.capacity : std::max(resource.spare, 0.0);
    if (use_levels_) {
      levels_.push_back({fill_level(resource), id});
    }
  }
  std::make_heap(levels_.begin(), levels_.end());
  level_ = 0;
}

// Rates of the solution's flows, the others' rates taken as given.
void Fluid::fill() {
  prepare_fill();
  for (const CapLevel& cap : by_cap_) {
    Flow& flow = flows_[cap.slot];
    while (!flow.fixed) {
      double full_level = kInfinity;
      const ResourceId full = next_to_fill(full_level);
      if (cap.level <= full_level * (1 + kRoundingTolerance)) {
        level_ = std::max(level_, cap.level);
        fix(flow, flow.cap, cap.level, kNone);
      } else {
        level_ = std::max(level_, full_level);  // never falls but by rounding
        fix_members(full, level_);
      }
    }
  }
}

double Fluid::fill_level(const Resource& resource) const {
  return resource.weight > 0 ? resource.spare / resource.weight : kInfinity;
}

// The resource that fills up first as the level of the flows without a rate rises; kNone when none does.
ResourceId Fluid::next_to_fill(double& level) {
  ResourceId first = kNone;
  if (!use_levels_) {
    for (const ResourceId id : touched_) {
      const Resource& resource = resources_[id];
      if (resource.unfixed > 0 && fill_level(resource) < level) {
        level = fill_level(resource);
        first = id;
      }
    }
    return first;
  }
  // Levels only rise as flows are fixed, so an outdated entry lies too early and is corrected at the top.
  while (!levels_.empty()) {
    const Level top = levels_.front();
    const Resource& resource = resources_[top.resource];
    const double present = fill_level(resource);
    if (resource.unfixed > 0 && present <= top.level) {
      level = present;
      return top.resource;
    }
    std::pop_heap(levels_.begin(), levels_.end());
    levels_.pop_back();
    if (resource.unfixed > 0) {
      levels_.push_back({present, top.resource});
      std::push_heap(levels_.begin(), levels_.end());
    }
  }
  return first;
}

double Fluid::unfixed_weight(const Resource& resource) const {
  double weight = 0;
  for (const Member& member : resource.members) {
    const Flow& flow = flows_[member.flow];
    if (flow.stamp == stamp_ && !flow.fixed) {
      weight += uses_[member.use].amount * flow.weight;
    }
  }
  return weight;
}

void Fluid::fix(Flow& flow, double rate, double level, ResourceId bottleneck) {
  flow.fixed = true;
  flow.new_rate = std::min(rate, flow.cap);
  flow.bottleneck = bottleneck;
  for (const Use& use : uses_of(flow)) {
    Resource& resource = resources_[use.resource];
    resource.spare = std::max(resource.spare - use.amount * flow.new_rate, 0.0);
    resource.weight -= use.amount * flow.weight;
    resource.top_level = level;
    if (--resource.unfixed == 0) {
      resource.weight = 0;
    } else if (resource.weight < 1e-6 * resource.weight_at_start) {
      resource.weight = unfixed_weight(resource);  // what subtraction left is mostly rounding
      resource.weight_at_start = resource.weight;
    }
  }
}

void Fluid::fix_members(ResourceId id, double level) {
  Resource& resource = resources_[id];
  resource.full_level = level;
  for (const Member& member : resource.members) {
    Flow& flow = flows_[member.flow];
    if (flow.stamp == stamp_ && !flow.fixed) {
      fix(flow, flow.weight * level, level, id);
    }
  }
}

// Widens the solution by the flows whose certificate the new rates break; false when there are none. A
// resource that was not full and is not full now is passed over: it couples nobody.
bool Fluid::include_disturbed(bool generously) {
  const std::size_t before = solution_.size();
  const std::size_t touched = touched_.size();
  for (std::size_t i = 0; i < touched; ++i) {
    const ResourceId id = touched_[i];
    const Resource& resource = resources_[id];
    if (resource.solved == resource.members.size() ||
        (resource.full_level == kInfinity && resource.bound == 0)) {
      continue;
    }
    const bool full = resource.spare <= kFullTolerance * resource.capacity;
    const double too_high = resource.full_level * (1 + kLevelTolerance);
    const double too_low = full ? resource.top_level * (1 - kLevelTolerance) : kInfinity;
    for (const Member& member : resource.members) {
      const Flow& flow = flows_[member.flow];
      if (flow.stamp == stamp_) {
        continue;
      }
      const double level = flow.rate / flow.weight;
      if (level > too_high || (flow.bottleneck == id && level < too_low) || generously) {
        include(member.flow);
      }
    }
  }
  return solution_.size() > before;
}

void Fluid::commit(double now) {
  for (const ResourceId id : touched_) {
    resources_[id].spare = 0;  // from here on: change of load
  }
  for (const std::uint32_t slot : solution_) {
    Flow& flow = flows_[slot];
    if (flow.bottleneck != kNone) {
      ++resources_[flow.bottleneck].bound;
    }
    if (flow.new_rate == flow.rate) {
      continue;
    }
    for (const Use& use : uses_of(flow)) {
      resources_[use.resource].spare += use.amount * (flow.new_rate - flow.rate);
    }
    advance(flow, now);
    flow.rate = flow.new_rate;
    schedule(slot, flow, now);
  }
  for (const ResourceId id : touched_) {
    Resource& resource = resources_[id];
    if (resource.spare != 0) {
      set_load(resource, resource.load + resource.spare, now);
      if (resource.solved == resource.members.size()) {
        resource.load = summed_load(resource);
      }
    }
  }
}

}  // namespace gpuplan::sim

#include "sim/engine/fluid.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

namespace gpuplan::sim {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A load is kept by adding and subtracting; after so many changes it is summed up afresh.
constexpr std::uint32_t kChangesPerSum = 4096;

double checked(double value, const char* what) {
  if (!(value >= 0) || value == kInfinity) {
    throw std::invalid_argument(std::string(what) + " must be finite and >= 0, not " + std::to_string(value));
  }
  return value;
}

}  // namespace

Fluid::Fluid() : heap_(Placed{&flows_}) {}

ResourceId Fluid::add_resource(std::string name, double capacity) {
  if (checked(capacity, "capacity") == 0) {
    throw std::invalid_argument("capacity of " + name + " must be > 0");
  }
  resources_.emplace_back().capacity = capacity;
  names_.push_back(std::move(name));
  return static_cast<ResourceId>(resources_.size() - 1);
}

const Fluid::Resource& Fluid::at(ResourceId id) const {
  if (id >= resources_.size()) {
    throw std::invalid_argument("no resource " + std::to_string(id));
  }
  return resources_[id];
}

const std::string& Fluid::name(ResourceId resource) const {
  static_cast<void>(at(resource));
  return names_[resource];
}

double Fluid::used(ResourceId resource, double now) const {
  const Resource& r = at(resource);
  return r.used + r.load * (now - r.since);
}

bool Fluid::active(FlowHandle handle) const {
  return handle.slot < flows_.size() && handle.valid() &&
         flows_[handle.slot].generation == handle.generation && flows_[handle.slot].state != State::free;
}

const Fluid::Flow& Fluid::active_flow(FlowHandle handle) const {
  if (!active(handle)) {
    throw std::invalid_argument("the flow has ended");
  }
  return flows_[handle.slot];
}

std::uint32_t Fluid::take_slot() {
  if (free_flow_ == kNone) {
    flows_.emplace_back();
    return static_cast<std::uint32_t>(flows_.size() - 1);
  }
  const std::uint32_t slot = free_flow_;
  free_flow_ = flows_[slot].place;
  return slot;
}

// Copies the demands into a block of uses_, of a power of two, without zeros and repetitions.
void Fluid::take_uses(Flow& flow, std::span<const Demand> demands) {
  flow.use_count = 0;
  if (demands.empty()) {
    return;
  }
  const auto size_class = static_cast<std::size_t>(std::bit_width(demands.size() - 1));
  if (free_uses_.size() <= size_class) {
    free_uses_.resize(size_class + 1);
  }
  if (free_uses_[size_class].empty()) {
    flow.uses = static_cast<std::uint32_t>(uses_.size());
    uses_.resize(uses_.size() + (std::size_t{1} << size_class));
  } else {
    flow.uses = free_uses_[size_class].back();
    free_uses_[size_class].pop_back();
  }
  flow.use_class = static_cast<std::uint8_t>(size_class + 1);
  Use* const begin = uses_.data() + flow.uses;
  for (const Demand& demand : demands) {
    if (demand.amount == 0) {
      continue;
    }
    Use* const end = begin + flow.use_count;
    Use* const same =
        std::find_if(begin, end, [&](const Use& use) { return use.resource == demand.resource; });
    if (same == end) {
      *end = {demand.amount, demand.resource, 0};
      ++flow.use_count;
    } else {
      same->amount += demand.amount;
    }
  }
}

FlowHandle Fluid::start(const FlowSpec& spec, Callback on_done, std::uint64_t sequence, double now) {
  const double latency = checked(spec.latency.si(), "latency");
  const double weight = checked(spec.weight, "weight");
  double cap = 1 / checked(spec.alone.si(), "alone");
  for (const Demand& demand : spec.demands) {
    static_cast<void>(checked(demand.amount, "amount"));
    static_cast<void>(at(demand.resource));
  }
  const std::uint32_t slot = take_slot();
  Flow& flow = flows_[slot];
  take_uses(flow, spec.demands);
  for (const Use& use : uses_of(flow)) {
    cap = std::min(cap, resources_[use.resource].capacity / use.amount);
  }
  if (cap == kInfinity) {  // done as soon as the latency is paid
    flow.use_count = 0;
  }
  flow.progress = 0;
  flow.since = now;
  flow.rate = 0;
  flow.cap = cap;
  flow.weight = weight > 0 ? weight : cap;
  flow.end = 1;
  flow.sequence = sequence;
  flow.on_done = on_done;
  flow.bottleneck = kNone;
  if (latency > 0) {
    flow.state = State::latent;
    heap_.push({now + latency, sequence, slot});
  } else {
    attach(slot, now);
  }
  return {slot, flow.generation};
}

// The flow's life begins: it joins the members of its resources and waits for a rate.
void Fluid::attach(std::uint32_t slot, double now) {
  Flow& flow = flows_[slot];
  flow.state = State::pending;
  flow.since = now;
  for (Use& use : uses_of(flow)) {
    Resource& resource = resources_[use.resource];
    use.position = static_cast<std::uint32_t>(resource.members.size());
    resource.members.push_back({slot, static_cast<std::uint32_t>(&use - uses_.data())});
  }
  pending_.push_back({slot, flow.generation});
}

void Fluid::detach(Flow& flow, double now) {
  if (flow.bottleneck != kNone) {
    --resources_[flow.bottleneck].bound;
  }
  const double rate = std::exchange(flow.rate, 0.0);
  for (const Use& use : uses_of(flow)) {
    Resource& resource = resources_[use.resource];
    const Member moved = resource.members.back();
    resource.members.pop_back();
    if (use.position < resource.members.size()) {
      resource.members[use.position] = moved;
      uses_[moved.use].position = use.position;
    }
    if (rate > 0 || resource.members.empty()) {
      set_load(resource, resource.members.empty() ? 0 : resource.load - use.amount * rate, now);
    }
    if (resource.bound > 0 && !resource.dirty) {
      resource.dirty = true;
      dirty_.push_back(use.resource);
    }
  }
}

void Fluid::release(std::uint32_t slot) {
  Flow& flow = flows_[slot];
  if (flow.use_class != 0) {
    free_uses_[flow.use_class - 1U].push_back(flow.uses);
    flow.use_class = 0;
  }
  flow.use_count = 0;
  flow.state = State::free;
  flow.generation = std::max(flow.generation + 1, std::uint32_t{1});
  flow.place = free_flow_;
  free_flow_ = slot;
}

void Fluid::cancel(FlowHandle handle, double now) {
  if (!active(handle)) {
    return;
  }
  Flow& flow = flows_[handle.slot];
  if (flow.state != State::pending) {
    heap_.erase(flow.place);
  }
  if (flow.state != State::latent) {
    detach(flow, now);
  }
  release(handle.slot);
}

bool Fluid::pop(double now, Callback& on_done) {
  const std::uint32_t slot = heap_.top().slot;
  heap_.pop();
  Flow& flow = flows_[slot];
  if (flow.state == State::latent) {
    attach(slot, now);
    return false;
  }
  on_done = flow.on_done;
  detach(flow, now);
  release(slot);
  return true;
}

double Fluid::progress(FlowHandle handle, double now) const {
  const Flow& flow = active_flow(handle);
  return std::min(flow.end, flow.progress + flow.rate * (now - flow.since));
}

void Fluid::resize(FlowHandle handle, double fraction, double now) {
  static_cast<void>(checked(fraction, "fraction"));
  Flow& flow = active_flow(handle);
  const double done = progress(handle, now);
  if (fraction < done * (1 - 1e-9)) {
    throw std::invalid_argument("resize to " + std::to_string(fraction) + " of a flow that has done " +
                                std::to_string(done));
  }
  if (flow.state == State::running) {
    advance(flow, now);
    flow.end = std::max(fraction, done);
    schedule(handle.slot, flow, now);
  } else {
    flow.end = fraction;
  }
}

// Brings the flow's progress up to date.
void Fluid::advance(Flow& flow, double now) {
  flow.progress = std::min(flow.end, flow.progress + flow.rate * (now - flow.since));
  flow.since = now;
}

// Puts the end of a flow that is up to date into the heap.
void Fluid::schedule(std::uint32_t slot, Flow& flow, double now) {
  const double time = flow.cap == kInfinity ? now : now + (flow.end - flow.progress) / flow.rate;
  if (flow.state == State::running) {
    heap_.move(flow.place, time);
  } else {
    flow.state = State::running;
    heap_.push({time, flow.sequence, slot});
  }
}

double Fluid::summed_load(const Resource& resource) const {
  double load = 0;
  for (const Member& member : resource.members) {
    load += uses_[member.use].amount * flows_[member.flow].rate;
  }
  return load;
}

void Fluid::set_load(Resource& resource, double load, double now) {
  resource.used += resource.load * (now - resource.since);
  resource.since = now;
  resource.load = std::max(load, 0.0);
  if (++resource.changes == kChangesPerSum) {
    resource.changes = 0;
    resource.load = summed_load(resource);
  }
}

}  // namespace gpuplan::sim

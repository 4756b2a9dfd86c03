// The fluid model: who gets how much of each resource when flows share them. It knows no clock and no
// SimGrid; its owner says what time it is.
//
// A flow f runs at rate x_f, its life per second. It uses u_fr of resource r over its life, hence u_fr * x_f
// per second, and cap_f = min(1 / alone_f, min_r c_r / u_fr) is its rate with nobody else there. Rates are
// weighted max-min fair under sum_f u_fr x_f <= c_r: all levels x_f / w_f rise together; a flow stops at its
// cap, or when one of its resources is full (its bottleneck). With the default weight w_f = cap_f the level
// is the factor by which a flow is slowed down, and flows that share a bottleneck share that factor.
//
// Assumptions: sharing is instantaneous and work-conserving, and a flow uses its resources in a constant
// mix. Real hardware switches in quanta and has no such fairness guarantee; what that is worth must be
// calibrated against measured slow-downs.
//
// Cost: a full resource is the only thing that couples flows, so a change re-solves the flows bound by the
// resources that it touches and those that the new rates disturb, no more. The test of "disturbed" is the
// certificate of max-min fairness itself: every flow is at its cap or has a full resource on which no flow
// has a higher level. Remaining work is brought up to date only when a flow's rate changes.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine/engine.h"
#include "sim/engine/event_heap.h"

namespace gpuplan::sim {

class Fluid {
 public:
  Fluid();
  Fluid(const Fluid&) = delete;
  Fluid& operator=(const Fluid&) = delete;

  ResourceId add_resource(std::string name, double capacity);
  // `sequence` orders events at equal times.
  FlowHandle start(const FlowSpec& spec, Callback on_done, std::uint64_t sequence, double now);
  void cancel(FlowHandle handle, double now);
  [[nodiscard]] bool active(FlowHandle handle) const;
  [[nodiscard]] double progress(FlowHandle handle, double now) const;
  void resize(FlowHandle handle, double fraction, double now);

  // Gives every flow its rate again after changes; call before time goes on.
  void solve(double now);
  // The next latency or life to end, when solved; null when there is none.
  [[nodiscard]] const Event* next() const { return heap_.empty() ? nullptr : &heap_.top(); }
  // Ends it. True when that was a flow's life, and then `on_done` is its callback.
  bool pop(double now, Callback& on_done);

  [[nodiscard]] double used(ResourceId resource, double now) const;
  [[nodiscard]] double capacity(ResourceId resource) const { return at(resource).capacity; }
  [[nodiscard]] const std::string& name(ResourceId resource) const;
  [[nodiscard]] std::uint32_t resources() const { return static_cast<std::uint32_t>(resources_.size()); }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  enum class State : std::uint8_t { free, latent, pending, running };

  struct Flow {
    double progress = 0;  // of its life, at `since`
    double since = 0;
    double rate = 0;  // life per second
    double cap = 0;   // rate alone
    double weight = 0;
    double end = 1;       // progress at which it ends
    double new_rate = 0;  // while solving
    std::uint64_t sequence = 0;
    Callback on_done;
    std::uint32_t generation = 1;
    std::uint32_t place = 0;           // in the heap; next free slot when free
    std::uint32_t bottleneck = kNone;  // the full resource that holds it back
    std::uint32_t uses = 0;            // first in uses_
    std::uint32_t use_count = 0;
    std::uint8_t use_class = 0;  // log2 of its block's size, plus 1; 0: no block
    std::uint64_t stamp = 0;     // == stamp_: part of the present solution
    State state = State::free;
    bool fixed = false;  // while solving: has its new rate
  };
  // One flow's demand on one resource.
  struct Use {
    double amount = 0;
    ResourceId resource = 0;
    std::uint32_t position = 0;  // in the resource's members
  };
  struct Member {
    std::uint32_t flow;
    std::uint32_t use;
  };
  struct Resource {
    double capacity = 0;
    double load = 0;  // used per second since `since`
    double used = 0;  // at `since`
    double since = 0;
    std::uint32_t bound = 0;    // flows whose bottleneck it is
    std::uint32_t changes = 0;  // of load, since that was last summed up afresh
    std::uint64_t stamp = 0;    // == stamp_: touched by the present solution
    bool dirty = false;
    // While solving:
    std::uint32_t solved = 0;   // members that are part of the solution
    std::uint32_t unfixed = 0;  // ... without a rate yet
    double spare = 0;           // capacity that the flows with a rate leave
    double weight = 0;          // sum of weight * amount of the flows without
    double weight_at_start = 0;
    double full_level = 0;  // level at which it filled up; infinite when it did not
    double top_level = 0;   // highest level of a solved member
    std::vector<Member> members;
  };
  struct Placed {
    std::vector<Flow>* flows;
    void operator()(std::uint32_t slot, std::uint32_t position) const { (*flows)[slot].place = position; }
  };

  [[nodiscard]] const Resource& at(ResourceId id) const;
  [[nodiscard]] const Flow& active_flow(FlowHandle handle) const;
  Flow& active_flow(FlowHandle handle) { return const_cast<Flow&>(std::as_const(*this).active_flow(handle)); }

  [[nodiscard]] std::span<Use> uses_of(const Flow& flow) {
    return {uses_.data() + flow.uses, flow.use_count};
  }

  std::uint32_t take_slot();
  void take_uses(Flow& flow, std::span<const Demand> demands);
  void release(std::uint32_t slot);
  void attach(std::uint32_t slot, double now);
  void detach(Flow& flow, double now);
  static void advance(Flow& flow, double now);
  void set_load(Resource& resource, double load, double now);
  [[nodiscard]] double summed_load(const Resource& resource) const;
  void schedule(std::uint32_t slot, Flow& flow, double now);
  bool start_unhindered(std::uint32_t slot, Flow& flow, double now);

  void include(std::uint32_t slot);
  void fill();
  void prepare_fill();
  void fix(Flow& flow, double rate, double level, ResourceId bottleneck);
  void fix_members(ResourceId id, double level);
  [[nodiscard]] double unfixed_weight(const Resource& resource) const;
  ResourceId next_to_fill(double& level);
  [[nodiscard]] double fill_level(const Resource& resource) const;
  bool include_disturbed(bool generously);
  void commit(double now);

  std::vector<Flow> flows_;
  std::vector<Use> uses_;
  std::vector<Resource> resources_;
  std::vector<std::string> names_;
  EventHeap<Placed> heap_;
  std::uint32_t free_flow_ = kNone;
  std::vector<std::vector<std::uint32_t>> free_uses_;  // by log2 of the block size

  struct Pending {
    std::uint32_t slot;
    std::uint32_t generation;
  };
  std::vector<Pending> pending_;   // flows that wait for their first rate
  std::vector<ResourceId> dirty_;  // full resources that a flow has left

  // The present solution; kept for their storage.
  std::uint64_t stamp_ = 0;
  std::vector<std::uint32_t> solution_;  // slots
  std::vector<ResourceId> touched_;      // resources of those flows
  struct CapLevel {
    double level;
    std::uint32_t slot;
    bool operator<(const CapLevel& other) const {
      return level < other.level || (level == other.level && slot < other.slot);
    }
  };
  std::vector<CapLevel> by_cap_;  // of the solution, least first
  double level_ = 0;              // reached by the filling
  struct Level {
    double level;
    ResourceId resource;
    bool operator<(const Level& other) const {  // a max-heap gives the least level, then the first resource
      return level > other.level || (level == other.level && resource > other.resource);
    }
  };
  std::vector<Level> levels_;
  bool use_levels_ = false;
};

}  // namespace gpuplan::sim

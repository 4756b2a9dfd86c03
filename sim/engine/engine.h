// The engine: time, timers and contention. Work is a flow that uses several resources at once, and flows
// that meet on a resource slow each other down (fluid model, max-min fair; see fluid.h for the formula).
// SimGrid drives the clock; only this folder's .cpp files see it.
//
// Time is the engine's own: it starts at 0 when the engine is made, and the same calls give the same
// times to the last bit, whatever ran before in the process. Everything happens on one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>

#include "hwmodels/units/units.h"

namespace gpuplan::sim {

using ResourceId = std::uint32_t;  // 0, 1, 2, ... in order of creation

// Names a flow. Stays safe to hold after the flow ended: its generation then matches nothing.
struct FlowHandle {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: no flow
  [[nodiscard]] bool valid() const { return generation != 0; }
  bool operator==(const FlowHandle&) const = default;
};

// What a flow takes of one resource over its whole life, in the resource's unit (bytes, FLOP, SM-seconds).
struct Demand {
  ResourceId resource;
  double amount;  // >= 0, finite; 0 uses nothing; a resource named twice counts the sum
};

struct FlowSpec {
  std::span<const Demand> demands = {};  // copied; empty: a pure delay of `alone`
  Seconds alone{0};    // least duration: own maximum rate is 1/alone of its life per second (0: none)
  Seconds latency{0};  // paid first, uses nothing
  // Share where flows meet: at a common bottleneck the rates of life (1/s) are as the weights. 0 = the rate
  // the flow would have alone, so that all are slowed down by the same factor ("slowdown-fair").
  double weight = 0;
};

// What to call, without allocation: fn(object, tag). Exceptions thrown in it leave run().
struct Callback {
  void (*fn)(void* object, std::uint64_t tag) = nullptr;  // null: nothing to call
  void* object = nullptr;
  std::uint64_t tag = 0;

  // Callback::of<&Replica::step_done>(this, tag) for `void step_done(std::uint64_t tag)`.
  template <auto Method, class Object>
  static Callback of(Object* object, std::uint64_t tag = 0) {
    return {[](void* self, std::uint64_t t) { (static_cast<Object*>(self)->*Method)(t); }, object, tag};
  }
};

// Events at the same time happen in the order in which their flows were started and timers set. Misuse
// (negative, infinite or NaN numbers, unknown resources, ended flows, the past) throws std::logic_error.
class Engine {
 public:
  Engine();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Before the first run(). Capacity in units per second, > 0.
  ResourceId add_resource(std::string name, double capacity_per_second);

  // A flow without demands, `alone` and `latency` completes at the present time, after what is already due.
  FlowHandle start(const FlowSpec& spec, Callback on_done);
  // Ends the flow without its callback; nothing happens when it has ended already.
  void cancel(FlowHandle flow);
  [[nodiscard]] bool active(FlowHandle flow) const;
  // Done so far as a fraction of the life given to start() (latency excluded); active flows only.
  [[nodiscard]] double progress(FlowHandle flow) const;
  // The flow now ends when progress() reaches `fraction` (>= progress()), as if its demands and `alone` had
  // been that fraction of the ones given to start(); rates stay as they are. Active flows only.
  void resize(FlowHandle flow, double fraction);

  // Calls back at `time` (>= now()).
  void at(Seconds time, Callback callback);

  [[nodiscard]] Seconds now() const;
  // Until nothing is left, stop(), or `horizon`: then now() == horizon and what was due at it has happened.
  // May be called again. Not from within a callback.
  void run(Seconds horizon = Seconds(std::numeric_limits<double>::infinity()));
  // run() returns once the present callback has; what is due remains for the next run().
  void stop();

  // Amount delivered until now(); utilisation is used / (capacity * now).
  [[nodiscard]] double used(ResourceId resource) const;
  [[nodiscard]] double capacity(ResourceId resource) const;
  [[nodiscard]] const std::string& name(ResourceId resource) const;
  [[nodiscard]] std::uint32_t resources() const;
  // Flows completed and timers fired so far.
  [[nodiscard]] std::uint64_t events() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpuplan::sim

#include "sim/engine/engine.h"

#include <cmath>
#include <stdexcept>
#include <vector>

#include "sim/engine/clock.h"
#include "sim/engine/event_heap.h"
#include "sim/engine/fluid.h"

namespace gpuplan::sim {

namespace {

// Timers are never moved or removed, so nobody needs to know where they lie.
struct Nowhere {
  void operator()(std::uint32_t /*slot*/, std::uint32_t /*position*/) const {}
};

}  // namespace

class Engine::Impl final : public Timeline {
 public:
  void set_timer(double time, Callback callback) {
    if (!(time >= now) || std::isinf(time)) {
      throw std::invalid_argument("timer at " + std::to_string(time) + " s, when it is " +
                                  std::to_string(now) + " s");
    }
    std::uint32_t slot = 0;
    if (free_timers_.empty()) {
      slot = static_cast<std::uint32_t>(callbacks_.size());
      callbacks_.push_back(callback);
    } else {
      slot = free_timers_.back();
      free_timers_.pop_back();
      callbacks_[slot] = callback;
    }
    timers_.push({time, sequence++, slot});
  }

  void run(double until) {
    if (!(until >= now)) {
      throw std::invalid_argument("run until " + std::to_string(until) + " s, when it is " +
                                  std::to_string(now) + " s");
    }
    horizon_ = until;
    stopped = false;
    started = true;
    run_clock(*this, now);
  }

  double next_event() override {
    if (stopped) {
      return -1;
    }
    fluid.solve(now);
    double next = horizon_;
    if (fluid.next() != nullptr) {
      next = std::min(next, fluid.next()->time);
    }
    if (!timers_.empty()) {
      next = std::min(next, timers_.top().time);
    } else if (fluid.next() == nullptr) {
      return -1;
    }
    // At the horizon everything that is due has happened before this is asked again.
    return next > now || due(now) ? next : -1;
  }

  void advance(double time) override {
    now = time;
    while (!stopped) {
      const Event* const flow = fluid.next();
      const Event* const timer = timers_.empty() ? nullptr : &timers_.top();
      Callback callback;
      if (flow != nullptr && flow->time <= now && (timer == nullptr || flow->before(*timer))) {
        if (!fluid.pop(now, callback)) {
          continue;
        }
      } else if (timer != nullptr && timer->time <= now) {
        callback = callbacks_[timer->slot];
        free_timers_.push_back(timer->slot);
        timers_.pop();
      } else {
        break;
      }
      ++events;
      if (callback.fn != nullptr) {
        callback.fn(callback.object, callback.tag);
      }
    }
  }

  Fluid fluid;
  double now = 0;
  std::uint64_t sequence = 0;
  std::uint64_t events = 0;
  bool started = false;
  bool stopped = false;

 private:
  [[nodiscard]] bool due(double time) const {
    return (fluid.next() != nullptr && fluid.next()->time <= time) ||
           (!timers_.empty() && timers_.top().time <= time);
  }

  EventHeap<Nowhere> timers_{Nowhere{}};
  std::vector<Callback> callbacks_;  // by slot
  std::vector<std::uint32_t> free_timers_;
  double horizon_ = 0;
};

Engine::Engine() : impl_(std::make_unique<Impl>()) {}
Engine::~Engine() = default;

ResourceId Engine::add_resource(std::string name, double capacity_per_second) {
  if (impl_->started) {
    throw std::logic_error("resource " + name + " added to an engine that has run");
  }
  return impl_->fluid.add_resource(std::move(name), capacity_per_second);
}

FlowHandle Engine::start(const FlowSpec& spec, Callback on_done) {
  return impl_->fluid.start(spec, on_done, impl_->sequence++, impl_->now);
}
void Engine::cancel(FlowHandle flow) { impl_->fluid.cancel(flow, impl_->now); }
bool Engine::active(FlowHandle flow) const { return impl_->fluid.active(flow); }
double Engine::progress(FlowHandle flow) const { return impl_->fluid.progress(flow, impl_->now); }
void Engine::resize(FlowHandle flow, double fraction) { impl_->fluid.resize(flow, fraction, impl_->now); }

void Engine::at(Seconds time, Callback callback) { impl_->set_timer(time.si(), callback); }
Seconds Engine::now() const { return Seconds(impl_->now); }
void Engine::run(Seconds horizon) { impl_->run(horizon.si()); }
void Engine::stop() { impl_->stopped = true; }

double Engine::used(ResourceId resource) const { return impl_->fluid.used(resource, impl_->now); }
double Engine::capacity(ResourceId resource) const { return impl_->fluid.capacity(resource); }
const std::string& Engine::name(ResourceId resource) const { return impl_->fluid.name(resource); }
std::uint32_t Engine::resources() const { return impl_->fluid.resources(); }
std::uint64_t Engine::events() const { return impl_->events; }

}  // namespace gpuplan::sim

#include "sim/engine/clock.h"

#include <xbt/log.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <simgrid/kernel/resource/Model.hpp>
#include <simgrid/s4u/Engine.hpp>
#include <simgrid/s4u/NetZone.hpp>
#include <stdexcept>

namespace gpuplan::sim {

namespace {

constexpr double kTicksPerSecond = 1e6;

// The resource model that SimGrid asks for the next event and tells about the time.
class Bridge : public simgrid::kernel::resource::Model {
 public:
  Bridge() : Model("gpuplan") {}

  double next_occurring_event(double clock) override {
    waiting_ = false;
    if (timeline_ == nullptr) {
      return -1.0;
    }
    next_ = timeline_->next_event();
    if (next_ < 0) {
      return -1.0;
    }
    waiting_ = true;
    delta_ = std::max(0.0, next_ * kTicksPerSecond + offset_ - clock);
    return delta_;
  }

  void update_actions_state(double clock, double delta) override {
    if (waiting_) {
      // Our own event: its exact time. Somebody else's: whatever the clock says.
      now_ = delta == delta_ ? next_ : std::clamp((clock - offset_) / kTicksPerSecond, now_, next_);
    }
  }

  void time_advanced() {
    if (waiting_) {
      waiting_ = false;
      timeline_->advance(now_);
    }
  }

  void run(const simgrid::s4u::Engine& engine, Timeline& timeline, double now) {
    if (timeline_ != nullptr) {
      throw std::logic_error("the engine is running already");
    }
    const struct Release {
      Bridge& bridge;
      ~Release() {
        bridge.timeline_ = nullptr;
        bridge.waiting_ = false;
      }
    } release{*this};
    timeline_ = &timeline;
    now_ = now;
    offset_ = simgrid::s4u::Engine::get_clock() - now * kTicksPerSecond;
    engine.run();
  }

 private:
  Timeline* timeline_ = nullptr;
  double now_ = 0;     // the timeline's time
  double offset_ = 0;  // SimGrid's clock at the timeline's zero
  double next_ = 0;    // the event that was announced, `delta_` ahead
  double delta_ = 0;
  bool waiting_ = false;
};

class Process {
 public:
  // Never destroyed: SimGrid takes itself down at exit.
  static Process& get() {
    static auto* process = new Process;
    return *process;
  }
  void run(Timeline& timeline, double now) { bridge_->run(*engine_, timeline, now); }

 private:
  Process() {
    // SimGrid takes over ^C to print its actors and exit; the program's own handling stays.
    struct sigaction interrupt {};
    sigaction(SIGINT, nullptr, &interrupt);
    xbt_log_control_set("root.thresh:warning");
    engine_ = new simgrid::s4u::Engine("gpuplan");
    sigaction(SIGINT, &interrupt, nullptr);
    for (const char* setting : {"network/crosstraffic:no", "network/TCP-gamma:0", "surf/precision:1e-12",
                                "contexts/stack-size:64", "debug/verbose-exit:no"}) {
      simgrid::s4u::Engine::set_config(setting);
    }
    simgrid::s4u::create_empty_zone("world")->seal();
    engine_->add_model(bridge_);
    simgrid::s4u::Engine::on_time_advance_cb([bridge = bridge_.get()](double) { bridge->time_advanced(); });
  }

  simgrid::s4u::Engine* engine_ = nullptr;
  std::shared_ptr<Bridge> bridge_ = std::make_shared<Bridge>();
};

}  // namespace

void run_clock(Timeline& timeline, double now) { Process::get().run(timeline, now); }

}  // namespace gpuplan::sim

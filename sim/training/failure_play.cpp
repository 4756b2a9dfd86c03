#include "sim/training/failure_play.h"

#include <algorithm>
#include <cmath>

#include "sim/engine/engine.h"
#include "workloads/traffic/random.h"

namespace gpuplan::sim {

namespace {

class Run {
 public:
  Run(const FailureModel& model, Seconds work, std::uint64_t seed, std::uint64_t trial)
      : model_(model), work_(work.si()), random_(seed, trial), free_(model.spares.value_or(0)) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  PlayedRun play(Seconds longest) {
    fail_later();
    train();
    engine_.run(longest);
    if (!over_) {
      take_stock();
    }
    out_.wall = engine_.now();
    out_.events = engine_.events();
    return out_;
  }

 private:
  enum class Phase { training, restarting, waiting };

  // A timer that a failure makes void.
  template <auto Method>
  void after(double seconds) {
    engine_.at(engine_.now() + Seconds(seconds), Callback::of<Method>(this, turn_));
  }

  void begin(Phase phase) {
    phase_ = phase;
    since_ = engine_.now().si();
  }

  void fail_later() {
    if (model_.mean_between.si() > 0.0) {
      engine_.at(engine_.now() + model_.mean_between * random_.exponential(),
                 Callback::of<&Run::failed>(this, ++failure_));
    }
  }

  [[nodiscard]] bool saves() const { return model_.interval.si() > 0.0; }

  // Intervals and checkpoints in turn follow from the time they have: only the end needs a timer. Nothing is
  // saved behind the last interval.
  void train() {
    begin(Phase::training);
    const double left = work_ - safe_;
    last_saves_ = saves() ? std::max(0.0, std::ceil(left / model_.interval.si() - 1e-9) - 1.0) : 0.0;
    after<&Run::finished>(left + last_saves_ * model_.stop.si());
  }

  void finished(std::uint64_t turn) {
    if (turn == turn_) {
      out_.computed += Seconds(work_ - safe_);
      out_.saving += model_.stop * last_saves_;
      out_.checkpoints += static_cast<std::int64_t>(last_saves_);
      over_ = true;
      engine_.stop();
    }
  }

  // What training did until it was cut off, and what of it is safe.
  void take_training(double spent) {
    const double interval = model_.interval.si(), cycle = (model_.interval + model_.stop).si();
    if (!saves()) {
      out_.computed += Seconds(spent);
      return;
    }
    const double saved = std::floor(spent / cycle), rest = spent - saved * cycle;
    const double settled = std::clamp(std::floor((spent - model_.settles.si()) / cycle), 0.0, saved);
    out_.computed += Seconds(saved * interval + std::min(rest, interval));
    out_.saving += Seconds(saved * model_.stop.si() + std::max(0.0, rest - interval));
    out_.checkpoints += static_cast<std::int64_t>(saved);
    safe_ += settled * interval;
  }

  void take_stock() {
    const double spent = engine_.now().si() - since_;
    switch (phase_) {
      case Phase::training:
        take_training(spent);
        return;
      case Phase::restarting:
        out_.restarting += Seconds(spent);
        return;
      case Phase::waiting:
        out_.waiting += Seconds(spent);
        return;
    }
  }

  void failed(std::uint64_t failure) {
    if (failure != failure_) {
      return;
    }
    take_stock();
    ++out_.failures;
    ++turn_;
    if (model_.spares) {
      engine_.at(engine_.now() + model_.repair * random_.exponential(), Callback::of<&Run::repaired>(this));
      if (free_ == 0) {
        begin(Phase::waiting);
        return;
      }
      --free_;
    }
    restart();
  }

  void restart() {
    fail_later();
    begin(Phase::restarting);
    after<&Run::restarted>(model_.restart.si());
  }

  void restarted(std::uint64_t turn) {
    if (turn == turn_) {
      take_stock();
      train();
    }
  }

  void repaired(std::uint64_t /*tag*/) {
    if (phase_ == Phase::waiting) {
      take_stock();
      restart();
    } else {
      ++free_;
    }
  }

  const FailureModel model_;
  double work_;
  Random random_;
  Engine engine_;
  int free_;  // spares
  Phase phase_ = Phase::training;
  double since_ = 0.0;  // when the phase began
  double safe_ = 0.0;   // work that a stored checkpoint holds
  double last_saves_ = 0.0;
  bool over_ = false;
  std::uint64_t turn_ = 0, failure_ = 0;
  PlayedRun out_;
};

}  // namespace

PlayedRun play_run(const FailureModel& model, Seconds work, std::uint64_t seed, std::uint64_t trial,
                   Seconds longest) {
  return Run(model, work, seed, trial).play(longest);
}

}  // namespace gpuplan::sim

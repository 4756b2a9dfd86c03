#include "workloads/traffic/arrivals.h"

#include "workloads/traffic/random.h"

namespace gpuplan {

namespace {

constexpr std::uint64_t kStream = 1;

// Gaps of mean 1/rate: gamma of shape 1/cv^2, which for cv 1 is the exponential of Poisson arrivals.
class Renewal final : public Arrivals {
 public:
  Renewal(Hertz rate, double cv, std::uint64_t seed)
      : random_(seed, kStream), mean_gap_(1.0 / rate), shape_(1 / (cv * cv)) {}
  bool next(Seconds& time) override {
    now_ += mean_gap_ * (shape_ == 1 ? random_.exponential() : random_.gamma(shape_) / shape_);
    time = now_;
    return true;
  }

 private:
  Random random_;
  Seconds mean_gap_;
  double shape_;
  Seconds now_{0};
};

class Constant final : public Arrivals {
 public:
  explicit Constant(Hertz rate) : rate_(rate) {}
  bool next(Seconds& time) override {
    time = static_cast<double>(count_++) / rate_;
    return true;
  }

 private:
  Hertz rate_;
  std::int64_t count_ = 0;
};

// Poisson of a rate that changes in steps: unit exponentials are used up at the present rate.
class Staged final : public Arrivals {
 public:
  Staged(std::vector<RateStage> stages, std::uint64_t seed)
      : random_(seed, kStream), stages_(std::move(stages)) {}
  bool next(Seconds& time) override {
    double left = random_.exponential();
    while (stage_ < stages_.size()) {
      const RateStage& stage = stages_[stage_];
      const double expected = stage.rate * (begin_ + stage.duration - now_);
      if (left < expected) {
        now_ += left / stage.rate;
        time = now_;
        return true;
      }
      left -= expected;
      begin_ += stage.duration;
      now_ = begin_;
      ++stage_;
    }
    return false;
  }

 private:
  Random random_;
  std::vector<RateStage> stages_;
  std::size_t stage_ = 0;
  Seconds begin_{0};  // of the stage
  Seconds now_{0};
};

class AtOnce final : public Arrivals {
 public:
  bool next(Seconds& time) override {
    time = Seconds(0);
    return true;
  }
};

}  // namespace

std::unique_ptr<Arrivals> make_arrivals(const ArrivalSpec& spec, std::uint64_t seed) {
  switch (spec.process) {
    case ArrivalProcess::poisson:
      return std::make_unique<Renewal>(spec.rate, 1.0, seed);
    case ArrivalProcess::gamma:
      return std::make_unique<Renewal>(spec.rate, spec.cv, seed);
    case ArrivalProcess::constant:
      return std::make_unique<Constant>(spec.rate);
    case ArrivalProcess::staged:
      return std::make_unique<Staged>(spec.stages, seed);
    case ArrivalProcess::closed_loop:
    case ArrivalProcess::burst:
      break;
  }
  return std::make_unique<AtOnce>();
}

}  // namespace gpuplan

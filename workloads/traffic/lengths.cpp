#include "workloads/traffic/lengths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace gpuplan {

namespace {

constexpr double kLeast = 1;   // a request has a prompt and an answer
constexpr double kMost = 1e8;  // of a distribution without a max

double least(const LengthSpec& spec) { return static_cast<double>(spec.min.value_or(1)); }
double most(const LengthSpec& spec) { return spec.max ? static_cast<double>(*spec.max) : kMost; }
std::int32_t whole(double tokens) { return static_cast<std::int32_t>(std::lround(tokens)); }

class Fixed final : public Lengths {
 public:
  explicit Fixed(double tokens) : tokens_(std::max(tokens, kLeast)) {}
  std::int32_t next(Random& /*random*/) override { return whole(tokens_); }
  [[nodiscard]] double mean() const override { return whole(tokens_); }

 private:
  double tokens_;
};

// Whole numbers from `low` to `high`, both included.
class Uniform final : public Lengths {
 public:
  Uniform(double low, double high) : low_(low), high_(high) {}
  std::int32_t next(Random& random) override {
    return static_cast<std::int32_t>(low_ + std::floor(random.uniform() * (high_ - low_ + 1)));
  }
  [[nodiscard]] double mean() const override { return (low_ + high_) / 2; }

 private:
  double low_;
  double high_;
};

// exp(mu + sigma z): median exp(mu), mean exp(mu + sigma^2 / 2), cv sqrt(exp(sigma^2) - 1).
class LogNormal final : public Lengths {
 public:
  LogNormal(double mu, double sigma, double low, double high)
      : mu_(mu), sigma_(sigma), low_(low), high_(high) {}
  static LogNormal of(const LengthSpec& spec) {
    const double variance =
        spec.p50 ? 2 * std::log(*spec.mean / *spec.p50) : std::log(1 + *spec.cv * *spec.cv);
    return {std::log(*spec.mean) - variance / 2, std::sqrt(variance), least(spec), most(spec)};
  }
  std::int32_t next(Random& random) override {
    return whole(std::clamp(std::exp(mu_ + sigma_ * random.normal()), low_, high_));
  }
  // low P(X < low) + E[X; low < X < high] + high P(X > high); E[X; X < x] = e^(mu + sigma^2/2) Phi(z -
  // sigma).
  [[nodiscard]] double mean() const override {
    if (sigma_ == 0) {
      return std::clamp(std::exp(mu_), low_, high_);
    }
    const auto phi = [](double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); };
    const double a = (std::log(low_) - mu_) / sigma_;
    const double b = (std::log(high_) - mu_) / sigma_;
    return low_ * phi(a) + std::exp(mu_ + sigma_ * sigma_ / 2) * (phi(b - sigma_) - phi(a - sigma_)) +
           high_ * phi(-b);
  }

 private:
  double mu_;
  double sigma_;
  double low_;
  double high_;
};

class Histogram final : public Lengths {
 public:
  explicit Histogram(const LengthSpec& spec) : choice_(weights(spec)) {
    for (const std::vector<double>& value : spec.values) {
      tokens_.push_back(whole(std::clamp(value[0], least(spec), most(spec))));
    }
  }
  std::int32_t next(Random& random) override { return tokens_[choice_(random)]; }
  [[nodiscard]] double mean() const override {
    double sum = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      sum += choice_.probability(i) * tokens_[i];
    }
    return sum;
  }

 private:
  static std::vector<double> weights(const LengthSpec& spec) {
    std::vector<double> out(spec.values.size());
    std::transform(spec.values.begin(), spec.values.end(), out.begin(),
                   [](const auto& value) { return value[1]; });
    return out;
  }
  WeightedChoice choice_;
  std::vector<std::int32_t> tokens_;
};

}  // namespace

WeightedChoice::WeightedChoice(const std::vector<double>& weights) : sums_(weights.size()) {
  std::partial_sum(weights.begin(), weights.end(), sums_.begin());
}

std::size_t WeightedChoice::operator()(Random& random) const {
  const double target = random.uniform() * sums_.back();
  const auto at = std::upper_bound(sums_.begin(), sums_.end(), target);
  // Rounding may put the target on the last sum; weights of 0 at the end are never drawn.
  return static_cast<std::size_t>(
      (at == sums_.end() ? std::lower_bound(sums_.begin(), sums_.end(), sums_.back()) : at) - sums_.begin());
}

std::unique_ptr<Lengths> make_lengths(const LengthSpec& spec) {
  switch (spec.distribution) {
    case LengthDistribution::fixed:
      return std::make_unique<Fixed>(*spec.mean);
    case LengthDistribution::uniform:
      return std::make_unique<Uniform>(least(spec), most(spec));
    case LengthDistribution::lognormal:
      return std::make_unique<LogNormal>(LogNormal::of(spec));
    case LengthDistribution::histogram:
      break;
  }
  return std::make_unique<Histogram>(spec);
}

std::string describe_lengths(const LengthSpec& spec) {
  std::string text(json::name_of(spec.distribution));
  const auto add = [&text](const char* what, const auto& value) {
    if (value) {
      text += fmt::format(", {} {:g}", what, static_cast<double>(*value));
    }
  };
  add("mean", spec.mean);
  add("p50", spec.p50);
  add("cv", spec.cv);
  add("min", spec.min);
  add("max", spec.max);
  const double mean = make_lengths(spec)->mean();
  LengthSpec unclipped = spec;
  if (spec.distribution == LengthDistribution::uniform) {
    return text + fmt::format(", mean {:g}", mean);
  }
  unclipped.min.reset();
  unclipped.max.reset();
  const double intended = spec.mean ? *spec.mean : make_lengths(unclipped)->mean();
  if (std::abs(mean - intended) > 0.005 * intended) {
    text += fmt::format(" (clipping moves the mean from {:.6g} to {:.6g})", intended, mean);
  } else if (!spec.mean) {
    text += fmt::format(", mean {:.6g}", mean);
  }
  return text;
}

}  // namespace gpuplan

#include "hwmodels/uncertainty/uncertain.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gpuplan {

namespace {

constexpr double kDeviation80 = 1.2815515655446004;  // of a normal distribution's P90

// splitmix64 (Vigna, public domain): draws that no library version changes.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : state_(seed) {}
  // Mean 0, standard deviation 1: Box and Muller.
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }

 private:
  double uniform() {  // in (0, 1)
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    z ^= z >> 31U;
    return (static_cast<double>(z >> 11U) + 0.5) * 0x1.0p-53;
  }
  std::uint64_t state_;
};

}  // namespace

double Uncertain::at(double deviation) const {
  const double share = deviation / kDeviation80;
  double value = mid;
  if (low > 0.0 && mid > 0.0 && high > 0.0) {
    value = mid * std::pow(share < 0.0 ? mid / low : high / mid, share);
  } else {
    value = mid + share * (share < 0.0 ? mid - low : high - mid);
  }
  return std::clamp(value, least, most);
}

Uncertain exactly(double value, Source source) { return {value, value, value, std::move(source)}; }

Uncertain uncertain(const Fact& fact) {
  Source source = fact.source;
  source.text = fact.note.empty() ? source.text : fact.note + "; " + source.text;
  return {fact.low.value_or(fact.value), fact.value, fact.high.value_or(fact.value), std::move(source)};
}

Spread spread_of(std::vector<double>& sample) {
  if (sample.empty()) {
    return {};
  }
  std::sort(sample.begin(), sample.end());
  const auto quantile = [&](double q) {
    const double at = q * static_cast<double>(sample.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sample.size() - 1);
    const double share = at - static_cast<double>(below);
    const bool same = share == 0.0 || sample[below] == sample[above];  // both may be infinite
    return same ? sample[below] : sample[below] + share * (sample[above] - sample[below]);
  };
  return {quantile(0.1), quantile(0.5), quantile(0.9)};
}

std::vector<double> medians(std::span<const Uncertain> inputs) {
  std::vector<double> out;
  out.reserve(inputs.size());
  for (const Uncertain& input : inputs) {
    out.push_back(input.mid);
  }
  return out;
}

std::vector<Swing> tornado(std::span<const Uncertain> inputs, const Formula& result) {
  std::vector<double> values = medians(inputs);
  std::vector<Swing> out;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Swing swing{.input = i};
    values[i] = inputs[i].low;
    swing.at_low = result(values);
    values[i] = inputs[i].high;
    swing.at_high = result(values);
    values[i] = inputs[i].mid;
    if (swing.width() > 0.0) {
      out.push_back(swing);
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Swing& a, const Swing& b) { return a.width() > b.width(); });
  return out;
}

void draw(std::span<const Uncertain> inputs, std::uint64_t seed, int samples,
          const std::function<void(std::span<const double>)>& visit) {
  // Each input has draws of its own, so that what one of them is does not move the others.
  std::vector<std::pair<std::size_t, Draws>> open;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k].exact()) {
      open.emplace_back(k, Draws(seed * 0x9e3779b97f4a7c15U + (k + 1) * 0xd1342543de82ef95U));
    }
  }
  std::vector<double> values = medians(inputs);
  for (int i = 0; i < samples; ++i) {
    for (auto& [k, draws] : open) {
      values[k] = inputs[k].at(draws.normal());
    }
    visit(values);
  }
}

}  // namespace gpuplan

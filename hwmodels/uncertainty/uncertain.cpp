#include "hwmodels/uncertainty/uncertain.h"

#include <algorithm>

#include "hwmodels/uncertainty/draws.h"

namespace gpuplan {

double Uncertain::at(double deviation) const {
  return std::clamp(split_distribution(low, mid, high, deviation), least, most);
}

Uncertain exactly(double value, Source source) { return {value, value, value, std::move(source)}; }

Uncertain uncertain(const Fact& fact) {
  Source source = fact.source;
  source.text = fact.note.empty() ? source.text : fact.note + "; " + source.text;
  return {fact.low.value_or(fact.value), fact.value, fact.high.value_or(fact.value), std::move(source)};
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

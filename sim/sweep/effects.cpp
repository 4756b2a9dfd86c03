#include "sim/sweep/effects.h"

#include <algorithm>

namespace gpuplan::sweep {

namespace {

// The point at `places`, one a axis: the last axis changes fastest.
std::size_t point_at(const SweepSpec& spec, const std::vector<std::size_t>& places) {
  std::size_t point = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    point = point * spec.axes[i].values.size() + places[i];
  }
  return point;
}

}  // namespace

Effects effects_of(const SweepTable& table, const std::string& metric) {
  const SweepSpec& spec = table.spec();
  if (spec.samples) {
    throw InputError(Problem{"--plot tornado:" + metric, "a sample, in which all axes move together",
                             "a full grid (without --sample)", ""});
  }
  std::vector<std::size_t> middle;
  for (const Axis& axis : spec.axes) {
    middle.push_back((axis.values.size() - 1) / 2);
  }
  Effects out;
  out.middle = point_at(spec, middle);
  const std::optional<double> centre = table.number(out.middle, metric);
  if (!centre) {
    throw InputError(Problem{"--plot tornado:" + metric,
                             "no number at the middle point, " + table.point_text(out.middle),
                             "axes whose middle values run", ""});
  }
  out.value = *centre;
  for (std::size_t i = 0; i < spec.axes.size(); ++i) {
    const std::vector<json::Value>& values = spec.axes[i].values;
    AxisEffect effect{i, *centre, *centre, values[middle[i]], values[middle[i]], 0};
    std::vector<std::size_t> places = middle;
    for (places[i] = 0; places[i] < values.size(); ++places[i]) {
      const std::optional<double> value = table.number(point_at(spec, places), metric);
      effect.without += value ? 0 : 1;
      if (value && *value < effect.low) {
        effect.low = *value;
        effect.at_low = values[places[i]];
      }
      if (value && *value > effect.high) {
        effect.high = *value;
        effect.at_high = values[places[i]];
      }
    }
    out.axes.push_back(std::move(effect));
  }
  std::stable_sort(out.axes.begin(), out.axes.end(),
                   [](const AxisEffect& a, const AxisEffect& b) { return a.high - a.low > b.high - b.low; });
  return out;
}

}  // namespace gpuplan::sweep

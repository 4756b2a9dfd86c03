#include "sim/sweep/design.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hwmodels/json/path.h"
#include "hwmodels/json/problem.h"
#include "workloads/traffic/random.h"

namespace gpuplan::sweep {

namespace {

constexpr double kMostRuns = 1e6;

// A path that the document has no place for.
void check_path(const SweepSpec& spec, const Axis& axis, std::vector<Problem>& problems) {
  json::Value document = spec.document;
  std::string why = "no path";
  if (axis.path.empty() || json::place_at(document, axis.path, why) == nullptr) {
    problems.push_back(
        {"--vary " + axis.path.substr(0, 80), why, "a path such as traffic.arrivals.rate", ""});
  }
}

std::vector<Problem> problems_of(const SweepSpec& spec) {
  std::vector<Problem> problems;
  double runs = static_cast<double>(spec.repeat);
  for (std::size_t i = 0; i < spec.axes.size(); ++i) {
    const Axis& axis = spec.axes[i];
    check_path(spec, axis, problems);
    for (std::size_t j = 0; j < i; ++j) {
      if (spec.axes[j].path == axis.path) {
        problems.push_back({"--vary " + axis.path, "given twice", "each path once", ""});
      }
    }
    if (axis.path == "seed" && spec.repeat > 1) {
      problems.push_back({"--vary seed", "--repeat as well", "one of them", ""});
    }
    if (!spec.samples && axis.values.empty()) {
      problems.push_back({"--vary " + axis.path, "a range without a count",
                          "low:high:count, or --sample lhs:N to draw from it", ""});
    }
    runs *= spec.samples ? 1.0 : static_cast<double>(axis.values.size());
  }
  runs *= spec.samples ? static_cast<double>(*spec.samples) : 1.0;
  if (spec.axes.empty() && (spec.repeat < 2 || spec.samples)) {
    problems.push_back({"sweep", "nothing that varies", "--vary PATH=VALUES, or --repeat N for seeds", ""});
  }
  if (runs > kMostRuns) {
    problems.push_back({"sweep", fmt::format("{:.0f} runs", runs), fmt::format("at most {:.0f}", kMostRuns),
                        "--sample lhs:N draws N points"});
  }
  const json::Value* seed = spec.document.find("seed");
  constexpr std::int64_t most_seed = 9'000'000'000'000'000;
  if (seed != nullptr && spec.repeat > 1 &&
      (!seed->is_integer() || seed->integer() < 0 || seed->integer() > most_seed)) {
    problems.push_back({spec.name + ": $.seed", json::excerpt(*seed), "an integer >= 0 and <= 9e15", ""});
  }
  return problems;
}

}  // namespace

Design::Design(const SweepSpec& spec) : repeat_(spec.repeat) {
  if (std::vector<Problem> problems = problems_of(spec); !problems.empty()) {
    throw InputError(std::move(problems));
  }
  const json::Value* seed = spec.document.find("seed");
  seed_ = seed != nullptr && seed->is_integer() ? seed->integer() : 1;
  for (const Axis& axis : spec.axes) {
    paths_.push_back(axis.path);
  }
  if (spec.samples) {
    fill_sample(spec.axes, *spec.samples);
  } else {
    fill_grid(spec.axes);
  }
}

void Design::fill_grid(const std::vector<Axis>& axes) {
  points_ = {{}};
  for (const Axis& axis : axes) {
    std::vector<Point> longer;
    longer.reserve(points_.size() * axis.values.size());
    for (const Point& point : points_) {
      for (const json::Value& value : axis.values) {
        longer.push_back(point);
        longer.back().push_back(value);
      }
    }
    points_ = std::move(longer);
  }
}

void Design::fill_sample(const std::vector<Axis>& axes, std::size_t count) {
  points_.assign(count, {});
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const Axis& axis = axes[a];
    Random random(static_cast<std::uint64_t>(seed_), 0x5eeb00 + a);
    std::vector<std::size_t> strata(count);
    std::iota(strata.begin(), strata.end(), 0);
    for (std::size_t i = count; i > 1; --i) {
      std::swap(strata[i - 1], strata[static_cast<std::size_t>(random.uniform() * static_cast<double>(i))]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double place = (static_cast<double>(strata[i]) + random.uniform()) / static_cast<double>(count);
      points_[i].push_back(axis.range ? axis.range->draw(place)
                                      : axis.values[strata[i] * axis.values.size() / count]);
    }
  }
}

std::vector<std::pair<std::string, json::Value>> Design::settings(std::size_t run) const {
  std::vector<std::pair<std::string, json::Value>> out;
  const Point& point = points_[point_of(run)];
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    out.emplace_back(paths_[i], point[i]);
  }
  if (repeat_ > 1) {
    out.emplace_back("seed", json::Value(seed_of(run)));
  }
  return out;
}

}  // namespace gpuplan::sweep

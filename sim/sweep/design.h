// The runs of a sweep, numbered: every combination of the axes' values (the last axis changes fastest), or a
// Latin hypercube of them, each as often as there are seeds. The numbers depend on the definition alone, so
// shards, journals and tables agree on them.
//
// Latin hypercube of N points (McKay, Beckman and Conover 1979): each axis is cut into N strata of equal
// probability and each stratum is hit once, in an order drawn for each axis by itself; within a stratum of a
// range the place is drawn too. A list of k values takes stratum i to value floor(i k / N), so that each
// value comes N/k times, rounded up or down.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/sweep/axis.h"

namespace gpuplan::sweep {

struct SweepSpec {
  std::string name;      // of the scenario file, for messages
  std::string base_dir;  // of relative paths in it
  json::Value document;  // overrides applied
  std::vector<Axis> axes;
  std::optional<std::size_t> samples;  // points of a Latin hypercube; none: the full grid
  std::size_t repeat = 1;              // seeds of each point: the document's, the next, ...
};

using Point = std::vector<json::Value>;  // a value of each axis

class Design {
 public:
  // InputError with all problems: a path that is malformed or named twice, nothing that varies, a range
  // without a count in a grid, more than a million runs.
  explicit Design(const SweepSpec& spec);

  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  [[nodiscard]] std::size_t runs() const { return points_.size() * repeat_; }
  [[nodiscard]] std::size_t repeat() const { return repeat_; }
  [[nodiscard]] std::size_t point_of(std::size_t run) const { return run / repeat_; }
  // Seed of a run; the document's own where nothing is repeated.
  [[nodiscard]] std::int64_t seed_of(std::size_t run) const {
    return seed_ + static_cast<std::int64_t>(run % repeat_);
  }
  // What is set in the document for a run, in order; the seed only where runs are repeated.
  [[nodiscard]] std::vector<std::pair<std::string, json::Value>> settings(std::size_t run) const;

 private:
  void fill_grid(const std::vector<Axis>& axes);
  void fill_sample(const std::vector<Axis>& axes, std::size_t count);

  std::vector<std::string> paths_;
  std::vector<Point> points_;
  std::size_t repeat_ = 1;
  std::int64_t seed_ = 1;
};

}  // namespace gpuplan::sweep

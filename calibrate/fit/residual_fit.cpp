#include "calibrate/fit/residual_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace gpuplan::calibrate {

namespace {

constexpr std::size_t kFewestSamples = 40;
constexpr std::array<double, 4> kStrengths = {0.4, 0.1, 0.03, 0.01};
constexpr std::size_t kFolds = 3;
constexpr double kSlopeShare = 0.7;  // of the strength, for slopes
constexpr double kBorder = 0.1;      // knots closer than this: a step between them costs no more than a slope
constexpr double kHold = 1e-4;       // pulls knots without any data to zero
constexpr double kTie = 0.02;        // errors below it count alike
constexpr double kOrderWeight = 300.0;
constexpr int kReweights = 10;
constexpr int kMostSteps = 250;

struct Entry {
  std::size_t knot = 0;
  double weight = 0.0;
};
using Row = std::vector<Entry>;

struct FittedAxis {
  std::size_t feature = 0;
  double stiffness = 1.0;
  std::vector<double> knots;
};

struct FittedGrid {
  std::vector<FittedAxis> axes;
  std::size_t first = 0, count = 1;
};

// Up to `most` of the values, evenly by rank among the distinct ones.
std::vector<double> spread_knots(std::vector<double> values, std::size_t most) {
  std::sort(values.begin(), values.end());
  std::vector<double> distinct;
  for (const double value : values) {
    if (distinct.empty() || value > distinct.back() + 1e-3) {
      distinct.push_back(value);
    }
  }
  if (distinct.size() == 1) {
    distinct.push_back(distinct.back() + 1.0);
  }
  if (distinct.size() <= most) {
    return distinct;
  }
  std::vector<double> knots;
  for (std::size_t i = 0; i < most; ++i) {
    knots.push_back(distinct[i * (distinct.size() - 1) / (most - 1)]);
  }
  return knots;
}

// The corners of the cells that `features` lie in, with their weights.
Row row_of(const std::vector<FittedGrid>& grids, const std::vector<double>& features) {
  Row row;
  for (const FittedGrid& grid : grids) {
    Row corners = {{grid.first, 1.0}};
    std::size_t stride = 1;
    for (const FittedAxis& axis : grid.axes) {
      const std::vector<double>& knots = axis.knots;
      const double x = std::clamp(features[axis.feature], knots.front(), knots.back());
      const auto above = std::upper_bound(knots.begin(), knots.end(), x) - knots.begin();
      const std::size_t low = std::min(static_cast<std::size_t>(above) - 1, knots.size() - 2);
      const double share = (x - knots[low]) / (knots[low + 1] - knots[low]);
      Row next;
      for (const Entry& corner : corners) {
        if (share < 1.0) {
          next.push_back({corner.knot + low * stride, corner.weight * (1.0 - share)});
        }
        if (share > 0.0) {
          next.push_back({corner.knot + (low + 1) * stride, corner.weight * share});
        }
      }
      corners = std::move(next);
      stride *= knots.size();
    }
    row.insert(row.end(), corners.begin(), corners.end());
  }
  return row;
}

double dot(const Row& row, const std::vector<double>& x) {
  double sum = 0.0;
  for (const Entry& entry : row) {
    sum += entry.weight * x[entry.knot];
  }
  return sum;
}

// Penalty rows: second differences and slopes along each axis, in units that do not depend on the spacing.
std::vector<Row> penalties(const std::vector<FittedGrid>& grids, double strength) {
  std::vector<Row> out;
  for (const FittedGrid& grid : grids) {
    std::size_t stride = 1;
    for (const FittedAxis& axis : grid.axes) {
      const std::vector<double>& t = axis.knots;
      const double bend = std::sqrt(strength * axis.stiffness);
      const double slope = std::sqrt(kSlopeShare * strength * axis.stiffness);
      for (std::size_t i = 0; i < grid.count; ++i) {
        const std::size_t place = (i / stride) % t.size();
        const std::size_t at = grid.first + i;
        const auto gap = [&](std::size_t knot) { return t[knot + 1] - t[knot]; };
        if (place + 2 < t.size() && std::min(gap(place), gap(place + 1)) >= kBorder) {
          const double h1 = gap(place), h2 = gap(place + 1);
          const double scale = bend * std::sqrt(0.5 * (h1 + h2));
          out.push_back(
              {{at, scale / h1}, {at + stride, -scale / h1 - scale / h2}, {at + 2 * stride, scale / h2}});
        }
        if (place + 1 < t.size()) {
          const double scale = slope / (gap(place) < kBorder ? 1.0 : std::sqrt(gap(place)));
          out.push_back({{at, -scale}, {at + stride, scale}});
        }
      }
      stride *= t.size();
    }
  }
  return out;
}

// Weighted least squares of sparse rows, by conjugate gradients from what `x` holds.
class LeastSquares {
 public:
  explicit LeastSquares(std::size_t unknowns) : right_(unknowns, 0.0), diagonal_(unknowns, kHold) {}

  void add(const Row& row, double weight, double target) {
    rows_.push_back(&row);
    weights_.push_back(weight);
    for (const Entry& entry : row) {
      right_[entry.knot] += weight * entry.weight * target;
      diagonal_[entry.knot] += weight * entry.weight * entry.weight;
    }
  }

  void solve(std::vector<double>& x) const {
    const std::size_t n = right_.size();
    std::vector<double> applied(n), residual(n), direction(n), scaled(n);
    apply(x, applied);
    for (std::size_t i = 0; i < n; ++i) {
      residual[i] = right_[i] - applied[i];
      direction[i] = scaled[i] = residual[i] / diagonal_[i];
    }
    double reduced = inner(residual, scaled);
    const double start = reduced;
    for (int step = 0; step < kMostSteps && reduced > 1e-8 * start && reduced > 1e-16; ++step) {
      apply(direction, applied);
      const double length = reduced / inner(direction, applied);
      for (std::size_t i = 0; i < n; ++i) {
        x[i] += length * direction[i];
        residual[i] -= length * applied[i];
        scaled[i] = residual[i] / diagonal_[i];
      }
      const double next = inner(residual, scaled);
      for (std::size_t i = 0; i < n; ++i) {
        direction[i] = scaled[i] + next / reduced * direction[i];
      }
      reduced = next;
    }
  }

 private:
  static double inner(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum += a[i] * b[i];
    }
    return sum;
  }
  void apply(const std::vector<double>& x, std::vector<double>& out) const {
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = kHold * x[i];
    }
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      const double pushed = weights_[r] * dot(*rows_[r], x);
      for (const Entry& entry : *rows_[r]) {
        out[entry.knot] += pushed * entry.weight;
      }
    }
  }

  std::vector<const Row*> rows_;
  std::vector<double> weights_, right_, diagonal_;
};

struct Problem {
  std::size_t unknowns = 0;
  std::vector<Row> rows;  // of the samples
  std::vector<double> residuals;
  std::vector<Row> rises;     // more - less
  std::vector<double> least;  // what they must reach
};

// Knot values from the samples whose fold is not `left_out`; the order counts only where none is.
std::vector<double> solve(const Problem& problem, const std::vector<Row>& smooth, std::size_t left_out,
                          int reweights) {
  std::vector<double> x(problem.unknowns, 0.0);
  for (int round = 0; round < reweights; ++round) {
    LeastSquares system(problem.unknowns);
    for (std::size_t i = 0; i < problem.rows.size(); ++i) {
      if (i % kFolds != left_out) {
        const double off = std::abs(problem.residuals[i] - dot(problem.rows[i], x));
        system.add(problem.rows[i], round == 0 ? 1.0 : 0.05 / std::max(kTie, off), problem.residuals[i]);
      }
    }
    for (const Row& row : smooth) {
      system.add(row, 1.0, 0.0);
    }
    for (std::size_t i = 0; i < problem.rises.size() && round > 0 && left_out == kFolds; ++i) {
      if (dot(problem.rises[i], x) < problem.least[i]) {
        system.add(problem.rises[i], kOrderWeight, problem.least[i]);
      }
    }
    system.solve(x);
  }
  return x;
}

double loss_of(const Problem& problem, const std::vector<double>& x, std::size_t fold) {
  double sum = 0.0;
  for (std::size_t i = fold; i < problem.rows.size(); i += kFolds) {
    sum += std::abs(problem.residuals[i] - dot(problem.rows[i], x));
  }
  return sum;
}

}  // namespace

std::vector<kernels::ResidualGrid> fit_residual(const ResidualPlan& plan,
                                                std::span<const std::string_view> names,
                                                const std::vector<ResidualSample>& samples,
                                                const std::vector<OrderPair>& order) {
  if (samples.size() < kFewestSamples) {
    return {};
  }
  std::vector<FittedGrid> grids;
  Problem problem;
  for (const auto& planned : plan) {
    FittedGrid grid;
    grid.first = problem.unknowns;
    for (const PlannedAxis& axis : planned) {
      const auto feature =
          static_cast<std::size_t>(std::find(names.begin(), names.end(), axis.feature) - names.begin());
      assert(feature < names.size());
      std::vector<double> knots = axis.knots;
      if (knots.empty()) {
        for (const ResidualSample& sample : samples) {
          knots.push_back(sample.features[feature]);
        }
        knots = spread_knots(std::move(knots), axis.most);
      }
      for (double& knot : knots) {
        knot = std::round(knot * 1e4) / 1e4;  // as shipped
      }
      grid.count *= knots.size();
      grid.axes.push_back({feature, axis.stiffness, std::move(knots)});
    }
    problem.unknowns += grid.count;
    grids.push_back(std::move(grid));
  }
  // Neighbours in the table are neighbours in shape: a stride coprime to their number spreads the folds.
  const std::size_t stride = 7919;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const ResidualSample& sample = samples[samples.size() % stride == 0 ? i : (i * stride) % samples.size()];
    problem.rows.push_back(row_of(grids, sample.features));
    problem.residuals.push_back(sample.residual);
  }
  for (const OrderPair& pair : order) {
    Row rise = row_of(grids, pair.more);
    for (Entry entry : row_of(grids, pair.less)) {
      entry.weight = -entry.weight;
      rise.push_back(entry);
    }
    problem.rises.push_back(std::move(rise));
    problem.least.push_back(-pair.rise);
  }

  double best = 0.0, least = 1e300;
  for (const double strength : kStrengths) {
    const std::vector<Row> smooth = penalties(grids, strength);
    double loss = 0.0;
    for (std::size_t fold = 0; fold < kFolds; ++fold) {
      loss += loss_of(problem, solve(problem, smooth, fold, 3), fold);
    }
    if (loss < least) {
      least = loss;
      best = strength;
    }
  }
  const std::vector<double> x = solve(problem, penalties(grids, best), kFolds, kReweights);

  std::vector<kernels::ResidualGrid> out;
  for (const FittedGrid& grid : grids) {
    kernels::ResidualGrid shipped;
    for (const FittedAxis& axis : grid.axes) {
      shipped.axes.push_back({std::string(names[axis.feature]), axis.knots});
    }
    std::size_t line = grid.axes.front().knots.size();
    line *= grid.axes.size() > 1 ? grid.axes[1].knots.size() : 1;
    for (std::size_t i = 0; i < grid.count; i += line) {
      std::string text;
      for (std::size_t j = 0; j < line; ++j) {
        text += fmt::format("{}{:.0f}", j == 0 ? "" : " ",
                            std::round(x[grid.first + i + j] / kernels::kResidualStep) + 0.0);
      }
      shipped.values.push_back(std::move(text));
    }
    out.push_back(std::move(shipped));
  }
  return out;
}

}  // namespace gpuplan::calibrate

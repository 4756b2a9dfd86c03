#include "calibrate/fit/minimise.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace gpuplan::calibrate {

namespace {

using Point = std::vector<double>;  // in the unit box

struct Best {
  Point point;
  double loss = 0.0;
};

double from_unit(const Parameter& p, double unit) {
  return p.logarithmic ? p.min * std::pow(p.max / p.min, unit) : p.min + unit * (p.max - p.min);
}

class Search {
 public:
  Search(const std::vector<Parameter>& parameters, const Loss& loss, int evaluations)
      : parameters_(parameters), loss_(loss), left_(evaluations) {}

  Point run() {
    Point start;
    for (const Parameter& p : parameters_) {
      start.push_back(std::clamp(to_unit(p, p.initial), 0.0, 1.0));
    }
    best_ = {start, evaluate(start)};
    double step = 0.15;
    while (left_ > 0 && !start.empty()) {
      const double before = best_.loss;
      coordinate_steps(step);
      nelder_mead(step * 0.5, std::min(left_, 40 * static_cast<int>(start.size())));
      if (best_.loss > before * (1.0 - 1e-4)) {
        step *= 0.4;
        if (step < 1e-3) {
          break;
        }
      }
    }
    return values(best_.point);
  }

 private:
  static double to_unit(const Parameter& p, double value) {
    return p.logarithmic ? std::log(value / p.min) / std::log(p.max / p.min)
                         : (value - p.min) / (p.max - p.min);
  }
  [[nodiscard]] Point values(const Point& unit) const {
    Point out;
    for (std::size_t i = 0; i < unit.size(); ++i) {
      out.push_back(from_unit(parameters_[i], unit[i]));
    }
    return out;
  }
  double evaluate(const Point& unit) {
    --left_;
    return loss_(values(unit));
  }
  // Evaluates `point` (clamped into the box) and keeps it if it is the best so far.
  double try_point(Point& point) {
    for (double& x : point) {
      x = std::clamp(x, 0.0, 1.0);
    }
    const double loss = evaluate(point);
    if (loss < best_.loss) {
      best_ = {point, loss};
    }
    return loss;
  }

  void coordinate_steps(double first_step) {
    std::vector<double> steps(best_.point.size(), first_step);
    const double smallest = first_step * 0.1;
    bool active = true;
    while (active && left_ > 0) {
      active = false;
      for (std::size_t i = 0; i < steps.size() && left_ > 0; ++i) {
        if (std::abs(steps[i]) < smallest) {
          continue;
        }
        active = true;
        bool improved = false;
        for (int side = 0; side < 2 && !improved && left_ > 0; ++side) {
          Point point = best_.point;
          const double before = best_.loss;
          point[i] += steps[i];
          try_point(point);
          improved = best_.loss < before;
          if (!improved) {
            steps[i] = -steps[i];
          }
        }
        steps[i] *= improved ? 1.6 : 0.4;
      }
    }
  }

  void nelder_mead(double size, int evaluations) {
    const int stop_at = left_ - evaluations;
    std::vector<Best> simplex = {best_};
    for (std::size_t i = 0; i < best_.point.size() && left_ > 0; ++i) {
      Point point = simplex.front().point;
      point[i] += point[i] + size <= 1.0 ? size : -size;
      const double loss = try_point(point);
      simplex.push_back({point, loss});
    }
    const auto by_loss = [](const Best& a, const Best& b) { return a.loss < b.loss; };
    while (left_ > std::max(0, stop_at) && simplex.size() > best_.point.size()) {
      std::stable_sort(simplex.begin(), simplex.end(), by_loss);
      Point centre(best_.point.size(), 0.0);
      for (std::size_t i = 0; i + 1 < simplex.size(); ++i) {
        for (std::size_t d = 0; d < centre.size(); ++d) {
          centre[d] += simplex[i].point[d] / static_cast<double>(simplex.size() - 1);
        }
      }
      Best& worst = simplex.back();
      const auto along = [&](double t) {
        Best moved{centre, 0.0};
        for (std::size_t d = 0; d < centre.size(); ++d) {
          moved.point[d] += t * (centre[d] - worst.point[d]);
        }
        moved.loss = try_point(moved.point);
        return moved;
      };
      Best reflected = along(1.0);
      if (reflected.loss < simplex.front().loss) {
        Best expanded = along(2.0);
        worst = expanded.loss < reflected.loss ? expanded : reflected;
      } else if (reflected.loss < simplex[simplex.size() - 2].loss) {
        worst = reflected;
      } else {
        Best contracted = along(reflected.loss < worst.loss ? 0.5 : -0.5);
        if (contracted.loss < std::min(reflected.loss, worst.loss)) {
          worst = contracted;
        } else {
          for (std::size_t i = 1; i < simplex.size() && left_ > 0; ++i) {
            for (std::size_t d = 0; d < centre.size(); ++d) {
              simplex[i].point[d] = 0.5 * (simplex[i].point[d] + simplex.front().point[d]);
            }
            simplex[i].loss = try_point(simplex[i].point);
          }
        }
      }
    }
  }

  const std::vector<Parameter>& parameters_;
  const Loss& loss_;
  int left_;
  Best best_;
};

}  // namespace

std::vector<double> minimise(const std::vector<Parameter>& parameters, const Loss& loss, int evaluations) {
  return Search(parameters, loss, evaluations).run();
}

std::vector<double> spread_point(const std::vector<Parameter>& parameters, int index) {
  std::vector<double> point;
  int base = 2;  // a prime for each dimension
  for (const Parameter& parameter : parameters) {
    const double turns = (index + 1) * std::sqrt(static_cast<double>(base));
    point.push_back(from_unit(parameter, turns - std::floor(turns)));
    for (bool prime = false; !prime;) {
      ++base;
      prime = true;
      for (int divisor = 2; divisor * divisor <= base; ++divisor) {
        prime = prime && base % divisor != 0;
      }
    }
  }
  return point;
}

}  // namespace gpuplan::calibrate

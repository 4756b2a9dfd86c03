// A price: what one operation costs, what it is made of, what limits it and how well that is known.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/units/units.h"

namespace gpuplan::kernels {

enum class Limiter { compute, hbm_bandwidth, l2_bandwidth, latency, launch, link_bandwidth };
inline constexpr std::size_t kLimiters = 6;
std::span<const std::string_view> enum_names(Limiter tag);

// datasheet: catalogue peak only; physics: a model whose constants come from a sibling GPU or theory;
// measured: constants fitted to measurements on this GPU; assumed: a constant that nobody measured.
enum class Provenance { datasheet, physics, measured, assumed };
std::span<const std::string_view> enum_names(Provenance tag);

struct Price {
  Seconds time;  // launch overhead of the host excluded (see KernelModel::launch)
  // Parts, each as if it were the only limit; they overlap, so they do not sum to `time`.
  Seconds compute, hbm, l2, link, fixed;
  Flops flops;
  Bytes hbm_bytes;
  Bytes link_bytes;  // sent per GPU
  Limiter limiter = Limiter::latency;
  double correction = 1.0;  // of `time`: what measurements of shapes nearby show over physics, 1 without any
  // Of the limiting resource's datasheet peak; of L2, which has none, of the rate it reaches.
  double fraction_of_peak = 0.0;
  Provenance provenance = Provenance::physics;
  double relative_error = 0.2;          // expected absolute relative error (median of validation)
  double spread80 = 0.4;                // 80 % of measurements lie within time / (1 + s) .. time (1 + s)
  bool outside_measured_range = false;  // a shape beyond those the constants were fitted to
};

// The arithmetic behind a price, filled only on request (pricing in hot loops allocates nothing).
struct Explanation {
  std::vector<std::string> lines;  // "T = t0 + max(compute, hbm, l2) = 2.8 + max(...) = 35.5 us"
  void add(std::string line) { lines.push_back(std::move(line)); }
};

// How a model cuts an operation into blocks of threads, filled only on request (launch_shape.h).
struct TileChoice {
  double rows = 0.0, columns = 0.0;  // of the output, or queries of a head
  double blocks = 1.0;               // tiles times splits; splits need not be whole
};

}  // namespace gpuplan::kernels

#include "workloads/numerics/gradient_accumulation.h"

#include <cmath>
#include <stdexcept>

#include "workloads/numerics/rounding.h"
#include "workloads/traffic/random.h"

namespace gpuplan::numerics {

namespace {

FloatFormat format_of(Precision precision) {
  const std::optional<FloatFormat> format = float_format(precision);
  if (!format) {
    throw std::logic_error("no float format");
  }
  return *format;
}

}  // namespace

AccumulationError accumulate(const AccumulationSpec& spec) {
  if (spec.micro_batches < 1 || spec.elements < 1) {
    throw std::logic_error("accumulate: counts below 1");
  }
  const FloatFormat buffer = format_of(spec.buffer), gradient = format_of(Precision::bf16);
  const double scale = spec.divide_first ? 1.0 / spec.micro_batches : 1.0;
  Random random(spec.seed, 0);
  double squares = 0.0, exact_squares = 0.0, sizes = 0.0, exact_sizes = 0.0, swamped = 0.0;
  for (int element = 0; element < spec.elements; ++element) {
    double sum = 0.0, exact = 0.0;
    for (int i = 0; i < spec.micro_batches; ++i) {
      const double addend = rounded(scale * (spec.signal + spec.noise * random.normal()), gradient);
      const double next = rounded(sum + addend, buffer);
      swamped += next == sum && addend != 0.0 ? 1.0 : 0.0;
      sum = next;
      exact += addend;
    }
    squares += (sum - exact) * (sum - exact);
    exact_squares += exact * exact;
    sizes += std::abs(sum);
    exact_sizes += std::abs(exact);
  }
  AccumulationError error;
  error.relative_rms = std::sqrt(squares / exact_squares);
  error.bias = sizes / exact_sizes - 1.0;
  error.swamped = swamped / (static_cast<double>(spec.elements) * spec.micro_batches);
  return error;
}

std::int64_t swamping_count(Precision buffer) {
  const FloatFormat format = format_of(buffer);
  double sum = 0.0;
  std::int64_t count = 0;
  while (true) {
    const double next = rounded(sum + 1.0, format);
    if (next == sum) {
      return count;
    }
    sum = next;
    ++count;
  }
}

}  // namespace gpuplan::numerics

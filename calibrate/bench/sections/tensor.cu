// Matrix peak per number format: a large square product, the best of the library's candidates, in a short
// burst; then the same for seconds without a pause, on random data and on zeros: power holds the clock down,
// and zeros toggle fewer wires.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "../device/formats.h"
#include "../device/gemm.h"
#include "../host/arithmetic.h"
#include "../host/reference.h"
#include "sections.h"

namespace gpubench {

namespace {

constexpr Format formats[] = {Format::bf16, Format::fp8,  Format::fp16, Format::int8,
                              Format::tf32, Format::fp64, Format::fp32};

struct Product {
  int size;
  void *x, *w, *y, *workspace;
};

Product product(Bench& bench, Format format, Filling filling) {
  // About the same time for all: fp32 and fp64 run on slower units.
  const int size = format == Format::fp32 || format == Format::fp64 ? 4096 : 8192;
  const std::size_t count = static_cast<std::size_t>(size) * size;
  Region memory = bench.memory();
  Product p{};
  p.size = size;
  p.workspace = memory.take<char>(gemm_workspace_bytes);
  p.x = memory.take<char>(count * bytes_of(format));
  p.w = memory.take<char>(count * bytes_of(format));
  p.y = memory.take<char>(count * result_bytes_of(format));
  fill(p.x, format, count, filling, 1, bench.stream());
  fill(p.w, format, count, filling, 2, bench.stream());
  bench.stream().wait();
  return p;
}

double quick_seconds(Bench& bench, const Gemm& gemm, const Product& p) {
  const Event start, stop;
  gemm.launch(bench.stream(), p.x, p.w, p.y);
  start.record(bench.stream());
  for (int i = 0; i < 3; ++i) gemm.launch(bench.stream(), p.x, p.w, p.y);
  stop.record(bench.stream());
  bench.stream().wait();
  return seconds_between(start, stop) / 3;
}

void choose_fastest(Bench& bench, Gemm& gemm, const Product& p) {
  int best = 0;
  double least = INFINITY;
  for (int i = 0; i < gemm.algorithms() && (i == 0 || bench.has_time()); ++i) {
    gemm.choose(i);
    const double seconds = quick_seconds(bench, gemm, p);
    if (seconds < least) {
      least = seconds;
      best = i;
    }
  }
  gemm.choose(best);
}

void measure_peak(Bench& bench, Format format) {
  const Product p = product(bench, format, Filling::normal);
  Gemm gemm(format, p.size, p.size, p.size, p.workspace);
  if (!gemm.usable()) {
    bench.unsupported(std::string("peak ") + name(format), gemm.reason());
    return;
  }
  choose_fastest(bench, gemm, p);
  const double flops = gemm_flops(p.size, p.size, p.size);
  const auto seconds = bench.time([&](cudaStream_t stream, int) { gemm.launch(stream, p.x, p.w, p.y); });
  bench.emit("tensor_peak",
             Fields()
                 .add("dtype", name(format))
                 .add("m", p.size)
                 .add("n", p.size)
                 .add("k", p.size)
                 .add("data", "normal"),
             "FLOP/s", rates(flops, seconds));
}

// Runs products for `duration_s` in windows of some 20 ms. The first tenth and the second half of the windows
// are told apart; clock and power are read while the second half runs.
void measure_droop(Bench& bench, Format format, Filling filling, double duration_s) {
  const Product p = product(bench, format, filling);
  Gemm gemm(format, p.size, p.size, p.size, p.workspace);
  const char* data = filling == Filling::zero ? "zero" : "normal";
  if (!gemm.usable()) {
    bench.unsupported(std::string("droop ") + name(format), gemm.reason());
    return;
  }
  choose_fastest(bench, gemm, p);
  const double unit_s = std::max(quick_seconds(bench, gemm, p), 1e-5);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // cool and idle, as after a pause

  const int per_window = std::max(1, static_cast<int>(0.02 / unit_s));
  const int windows = std::max(10, static_cast<int>(duration_s / (per_window * unit_s)));
  std::vector<Event> marks(static_cast<std::size_t>(windows) + 1);
  std::vector<double> clock, power, rate;
  marks[0].record(bench.stream());
  for (int i = 0; i < windows; ++i) {
    for (int j = 0; j < per_window; ++j) gemm.launch(bench.stream(), p.x, p.w, p.y);
    marks[static_cast<std::size_t>(i) + 1].record(bench.stream());
    if (i < 2) continue;
    marks[static_cast<std::size_t>(i) - 1].wait();  // two windows stay queued
    if (i < windows / 2 || !bench.sensors().available()) continue;
    clock.push_back(bench.sensors().sm_clock_hz());
    power.push_back(bench.sensors().power_w());
  }
  bench.stream().wait();
  const double flops = gemm_flops(p.size, p.size, p.size) * per_window;
  for (std::size_t i = 0; i + 1 < marks.size(); ++i)
    rate.push_back(flops / seconds_between(marks[i], marks[i + 1]));
  const auto params = [&](const char* phase) {
    return Fields()
        .add("dtype", name(format))
        .add("data", data)
        .add("phase", phase)
        .add("duration_s", duration_s);
  };
  const auto tenth = rate.begin() + std::max(1, windows / 10), half = rate.begin() + windows / 2;
  bench.emit("tensor_sustained", params("start"), "FLOP/s", {rate.begin(), tenth});
  bench.emit("tensor_sustained", params("steady"), "FLOP/s", {half, rate.end()});
  if (clock.empty()) return;
  bench.emit("tensor_sustained_clock", params("steady"), "Hz", clock);
  bench.emit("tensor_sustained_power", params("steady"), "W", power);
}

}  // namespace

void check_tensor(Bench& bench) {
  if (!Gemm::available()) return;
  const int m = 48, n = 80, k = 64;
  for (Format format : formats) {
    Region memory = bench.memory();
    void* workspace = memory.take<char>(gemm_workspace_bytes);
    void* x = memory.take<char>(m * k * bytes_of(format));
    void* w = memory.take<char>(n * k * bytes_of(format));
    void* y = memory.take<char>(m * n * result_bytes_of(format));
    fill(x, format, m * k, Filling::normal, 1, bench.stream());
    fill(w, format, n * k, Filling::normal, 2, bench.stream());
    CUDA_CHECK(cudaMemsetAsync(y, 0xff, m * n * result_bytes_of(format), bench.stream()));  // NaN
    const Gemm gemm(format, m, n, k, workspace);
    const std::string label = std::string("gemm ") + name(format);
    if (!gemm.usable()) {
      bench.unsupported("check " + label, gemm.reason());
      continue;
    }
    gemm.launch(bench.stream(), x, w, y);
    const auto got = format == Format::int8  ? int32_values(y, m * n)
                     : format == Format::fp8 ? values(y, Format::bf16, m * n)
                                             : values(y, format, m * n);
    const double limit = format == Format::int8 ? 0 : format == Format::fp64 ? 1e-12 : 0.01;
    bench.check(label, got, reference_linear(values(x, format, m * k), values(w, format, n * k), m, n, k),
                limit);
  }
}

void measure_tensor(Bench& bench) {
  if (!Gemm::available()) return bench.skip_section("built without cuBLASLt");
  for (Format format : formats)
    if (bench.begin_point(std::string("peak ") + name(format))) measure_peak(bench, format);
  const double duration_s = bench.quick ? 1.0 : 2.0;
  for (Format format : {Format::bf16, Format::fp8, Format::fp16, Format::int8}) {
    if (bench.quick && format != Format::bf16 && format != Format::fp8) break;
    for (Filling filling : {Filling::normal, Filling::zero})
      if (bench.begin_point(std::string("droop ") + name(format)))
        measure_droop(bench, format, filling, duration_s);
  }
}

}  // namespace gpubench

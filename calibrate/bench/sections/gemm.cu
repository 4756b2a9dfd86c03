// Linear layers of LLMs against the number of tokens m, with the algorithm that cuBLASLt's heuristic puts
// first (what frameworks run). Inputs, weights and results rotate beyond the L2. Checked by the tensor
// section.
#include <algorithm>

#include "../device/formats.h"
#include "../device/gemm.h"
#include "../host/arithmetic.h"
#include "../host/grids.h"
#include "sections.h"

namespace gpubench {

namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

// Every point of one format. Inputs and results have their own memory, so that inputs stay what they were
// filled with.
struct Pool {
  void* workspace;
  char* inputs;
  std::size_t input_bytes;
  char* results;
  std::size_t result_bytes;
};

void measure_shape(Bench& bench, const Pool& pool, Format format, const GemmShape& s,
                   const std::string& label) {
  const auto m = static_cast<std::size_t>(s.m), n = static_cast<std::size_t>(s.n),
             k = static_cast<std::size_t>(s.k);
  const std::size_t x_bytes = aligned(m * k * bytes_of(format)), w_bytes = aligned(n * k * bytes_of(format));
  const std::size_t y_bytes = aligned(m * n * result_bytes_of(format));
  if (x_bytes + w_bytes > pool.input_bytes || y_bytes > pool.result_bytes) {
    bench.unsupported(label, "does not fit in memory");
    return;
  }
  const Gemm gemm(format, s.m, s.n, s.k, pool.workspace);
  if (!gemm.usable()) {
    bench.unsupported(label, gemm.reason());
    return;
  }
  const auto signed_bytes = [](std::size_t bytes) { return static_cast<std::int64_t>(bytes); };
  const int sets = rotation_sets(signed_bytes(x_bytes + w_bytes), bench.device.l2_bytes,
                                 signed_bytes(pool.input_bytes), 128);
  const int result_sets = std::max(1, static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(sets),
                                                                             pool.result_bytes / y_bytes)));
  const auto seconds = bench.time(
      [&](cudaStream_t stream, int turn) {
        const char* x = pool.inputs + static_cast<std::size_t>(turn) * (x_bytes + w_bytes);
        char* y = pool.results + static_cast<std::size_t>(turn % result_sets) * y_bytes;
        gemm.launch(stream, x, x + x_bytes, y);
      },
      sets);
  const double md = s.m, nd = s.n, kd = s.k, in = static_cast<double>(bytes_of(format));
  bench.emit(
      "gemm",
      Fields()
          .add("dtype", name(format))
          .add("m", s.m)
          .add("n", s.n)
          .add("k", s.k)
          .add("flops", gemm_flops(md, nd, kd))
          .add("hbm_bytes", in * (md + nd) * kd + static_cast<double>(result_bytes_of(format)) * md * nd)
          .add("buffers", sets),
      "s", seconds);
}

}  // namespace

void measure_gemm(Bench& bench) {
  if (!Gemm::available()) return bench.skip_section("built without cuBLASLt");
  Region memory = bench.memory();
  Pool pool{};
  pool.workspace = memory.take<char>(gemm_workspace_bytes);
  pool.input_bytes = memory.left() / 3 * 2 / 4096 * 4096;
  pool.inputs = memory.take<char>(pool.input_bytes);
  pool.result_bytes = memory.left() / 4096 * 4096;
  pool.results = memory.take<char>(pool.result_bytes);

  const auto grid = gemm_grid(bench.quick);
  // In chunks, one format after the other: when time runs out, both have about the same shapes.
  constexpr std::size_t chunk = 64;
  for (std::size_t begin = 0; begin < grid.size(); begin += chunk)
    for (Format format : {Format::bf16, Format::fp8}) {
      if (bench.has_time())
        fill(pool.inputs, format, pool.input_bytes / bytes_of(format), Filling::normal, 1, bench.stream());
      for (std::size_t i = begin; i < std::min(begin + chunk, grid.size()); ++i) {
        const GemmShape& s = grid[i];
        const std::string label = std::string(name(format)) + " m " + std::to_string(s.m) + " n " +
                                  std::to_string(s.n) + " k " + std::to_string(s.k);
        if (bench.begin_point(label)) measure_shape(bench, pool, format, s, label);
      }
    }
}

}  // namespace gpubench
